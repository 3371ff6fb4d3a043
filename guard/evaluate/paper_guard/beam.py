"""Beam search under a penalty, on a Hugging Face causal language model.

As in transformers: every beam offers its best tokens, the best of all offers go on, a text that
ends among the first `width` offers is finished, and the search is over when `width` texts are
finished and none under way is better. Beams take their own rows of the key-value cache along.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from guard.evaluate.paper_guard.penalty import Penalty, Place

End = Literal["end", "length", "blocked"]


@dataclass(frozen=True, slots=True)
class Found:
    """A text: its tokens without the end token, its score and why it is over.

    `score` is the sum of log-probabilities less penalties, divided by the length (the end token
    counted) to the power of `length_penalty`. `blocked`: no candidate was left.
    """

    tokens: tuple[int, ...]
    score: float
    ended: End


_START = Place()


@dataclass(frozen=True, slots=True)
class _Beam:
    """A text under way. `parent`: its row in the step before; `place` None: it has ended."""

    parent: int = 0
    tokens: tuple[int, ...] = ()
    total: float = 0.0
    place: Place | None = _START


@dataclass(slots=True)
class BeamSearch:
    """One search. `ends`: ids that end a text; `banned`: ids that no text may take.

    `candidates` is how many tokens one beam offers. A beam whose offers are all dropped is over:
    its text is the answer only when no other is left, and what was dropped is never taken.
    """

    model: Any
    penalty: Penalty
    ends: Collection[int]
    width: int
    candidates: int
    length_penalty: float = 1.0
    banned: Collection[int] = ()
    _finished: list[Found] = field(default_factory=list, init=False)
    _blocked: list[Found] = field(default_factory=list, init=False)

    def run(self, prompt: Sequence[int], max_new_tokens: int) -> Found:
        """The best text after the prompt's tokens; at most `max_new_tokens`, the end included."""
        import torch

        self._finished, self._blocked = [], []
        beams = [_Beam()]
        with torch.inference_mode():
            # One text, nothing padded: every id counts, one that also serves as padding included.
            output = self.model(input_ids=torch.tensor([list(prompt)]), use_cache=True)
            for step in range(max_new_tokens):
                beams = self._choose(self._offers(beams, output.logits[:, -1]))
                if step + 1 == max_new_tokens or self._is_over(beams):
                    break
                cache = output.past_key_values
                # Beams may share a parent: each gets a copy of its row, none writes to another's.
                cache.reorder_cache(torch.tensor([beam.parent for beam in beams]))
                output = self.model(
                    input_ids=torch.tensor([[beam.tokens[-1]] for beam in beams]),
                    past_key_values=cache,
                    use_cache=True,
                )
        texts = [*self._finished, *(_found(beam, "length", self.length_penalty) for beam in beams)]
        return max(texts or self._blocked, key=lambda found: found.score)

    def _offers(self, beams: list[_Beam], logits: Any) -> list[_Beam]:
        """What the penalty leaves of every beam's best tokens. logits: (beams, vocabulary)."""
        offers: list[_Beam] = []
        best = self._best(beams, logits)
        asked = [(beams[b.parent].place or _START, b.tokens[-1]) for b in best if b.place]
        verdicts = iter(self.penalty.judge(asked))
        for offer in best:
            if offer.place is None:
                offers.append(offer)
            elif (verdict := next(verdicts)) is not None:
                place, cost = verdict
                offers.append(_Beam(offer.parent, offer.tokens, offer.total - cost, place))
        for row in set(range(len(beams))) - {offer.parent for offer in offers}:
            self._blocked.append(_found(beams[row], "blocked", self.length_penalty))
        return offers

    def _best(self, beams: list[_Beam], logits: Any) -> list[_Beam]:
        """The likeliest tokens of every beam, before any penalty; ends have no place."""
        import torch

        log_p = torch.log_softmax(logits.float(), dim=-1)
        if self.banned:
            log_p[:, list(self.banned)] = -torch.inf
        values, tokens = log_p.topk(min(self.candidates, log_p.shape[1]), dim=-1)
        return [
            _Beam(
                row,
                (*beams[row].tokens, token),
                beams[row].total + value,
                None if token in self.ends else beams[row].place,
            )
            for row in range(len(beams))
            for token, value in zip(tokens[row].tolist(), values[row].tolist(), strict=True)
            if value > -torch.inf
        ]

    def _choose(self, offers: list[_Beam]) -> list[_Beam]:
        """The offers that go on, best first; ends among the first `width` are finished."""
        chosen: list[_Beam] = []
        for rank, offer in enumerate(sorted(offers, key=lambda offer: -offer.total)):
            if offer.place is not None:
                chosen.append(offer)
            elif rank < self.width:
                self._finished.append(_found(offer, "end", self.length_penalty))
            if len(chosen) == self.width:
                break
        self._finished.sort(key=lambda found: -found.score)
        del self._finished[self.width :]
        return chosen

    def _is_over(self, beams: list[_Beam]) -> bool:
        if not beams:
            return True
        best = _found(beams[0], "length", self.length_penalty)
        return len(self._finished) == self.width and self._finished[-1].score >= best.score


def _found(beam: _Beam, ended: End, length_penalty: float) -> Found:
    score = beam.total / max(1, len(beam.tokens)) ** length_penalty
    return Found(beam.tokens[:-1] if ended == "end" else beam.tokens, score, ended)
