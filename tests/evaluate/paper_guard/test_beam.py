"""Beam search: the same texts as without any cache, and closed when nothing may follow."""

from __future__ import annotations

import math
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest

from guard.evaluate.paper_guard.beam import BeamSearch, Found
from guard.evaluate.paper_guard.penalty import Penalty
from guard.evaluate.paper_guard.trie import TokenTrie
from guard.evaluate.paper_guard.words import WordPenalty, WordVectors
from tests.evaluate.paper_guard.conftest import Trigrams

VOCABULARY = 24
END = 3
PROMPT = [5, END, 9, 2]  # the end token is in the prompt too, as in a conversation
PIECES = [b" %c" % (97 + token) for token in range(VOCABULARY)]


@cache
def random_model(seed: int) -> Any:
    """A small Llama whose next token is anybody's guess: beams change places at every step."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            initializer_range=0.5,
            eos_token_id=END,
            pad_token_id=END,
        )
    ).eval()


def penalty(*sequences: list[int]) -> Penalty:
    nothing = WordPenalty(WordVectors(Trigrams()), [], delta=None, soft=0.0)
    return Penalty(PIECES, TokenTrie(sequences), nothing, beta=1.0)


def search(model: Any, width: int, *forbidden: list[int], **more: Any) -> BeamSearch:
    more = {"ends": {END}, "candidates": 2 * width, **more}
    return BeamSearch(model, penalty(*forbidden), width=width, **more)


def naive(model: Any, width: int, steps: int) -> tuple[tuple[int, ...], float]:
    """Beam search by the book: whole texts through the model, every token a candidate."""
    import torch

    under_way: list[tuple[float, list[int]]] = [(0.0, [])]
    finished: list[tuple[float, list[int]]] = []
    for _ in range(steps):
        grown = []
        for total, text in under_way:
            with torch.inference_mode():
                logits = model(input_ids=torch.tensor([PROMPT + text])).logits[0, -1]
            log_p = torch.log_softmax(logits, -1).tolist()
            grown += [(total + log_p[token], [*text, token]) for token in range(VOCABULARY)]
        grown.sort(key=lambda pair: -pair[0])
        ended = [(total / len(text), text) for total, text in grown[:width] if text[-1] == END]
        finished = sorted(finished + ended, key=lambda pair: -pair[0])[:width]
        under_way = [pair for pair in grown if pair[1][-1] != END][:width]
        best = under_way[0][0] / len(under_way[0][1])
        if len(finished) == width and finished[-1][0] >= best:
            break
    finished += [(total / len(text), text) for total, text in under_way]
    score, text = max(finished)
    return tuple(token for token in text if token != END), score


@pytest.mark.parametrize("width", [1, 2, 3, 7])
@pytest.mark.parametrize("seed", range(6))
def test_beams_do_not_corrupt_each_other(seed: int, width: int) -> None:
    model = random_model(seed)
    for steps in (1, 2, 12):
        found = search(model, width).run(PROMPT, steps)
        tokens, score = naive(model, width, steps)
        assert found.tokens == tokens
        assert found.score == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_a_forbidden_sequence_is_never_written(seed: int) -> None:
    model = random_model(seed)
    free = search(model, 3, ends=()).run(PROMPT, 10).tokens
    held = search(model, 3, list(free[2:5]), [free[7]], ends=()).run(PROMPT, 10)
    assert len(held.tokens) == 10
    assert free[7] not in held.tokens
    assert all(held.tokens[i : i + 3] != free[2:5] for i in range(10))


@pytest.mark.parametrize(
    ("forbidden", "left"),
    [
        ([[token] for token in range(VOCABULARY)], 0),
        ([[one, two] for one in range(VOCABULARY) for two in range(VOCABULARY)], 1),
    ],
)
def test_without_candidates_a_text_is_over_and_nothing_dropped_is_taken(
    forbidden: list[list[int]], left: int
) -> None:
    found = search(random_model(0), 3, *forbidden, ends=()).run(PROMPT, 8)
    assert found.ended == "blocked"
    assert len(found.tokens) == left


def test_a_beam_that_is_over_does_not_end_the_others() -> None:
    model = random_model(1)
    first = search(model, 1, ends=()).run(PROMPT, 1).tokens[0]
    dead_end = [[first, token] for token in range(VOCABULARY)]
    found = search(model, 2, *dead_end, ends=()).run(PROMPT, 6)
    assert found.ended == "length"
    assert len(found.tokens) == 6
    assert first not in found.tokens[:-1]


def test_banned_tokens_are_taken_by_no_beam() -> None:
    banned = [token for token in range(VOCABULARY) if token % 3]
    found = search(random_model(2), 4, banned=banned).run(PROMPT, 9)
    assert found.tokens and all(token % 3 == 0 for token in found.tokens)


class Scripted:
    """Says its next token with chances that depend on the last one alone."""

    def __init__(self, chances: dict[int, dict[int, float]]) -> None:
        self._chances = chances

    def __call__(self, input_ids: Any, **_: Any) -> Any:
        import torch

        logits = torch.full((len(input_ids), 1, VOCABULARY), -torch.inf)
        for row, last in enumerate(input_ids[:, -1].tolist()):
            for token, chance in self._chances[last].items():
                logits[row, 0, token] = math.log(chance)
        cache = SimpleNamespace(reorder_cache=lambda parents: None)
        return SimpleNamespace(logits=logits, past_key_values=cache)


A, B, OTHER = 7, 8, 11
CHANCES = {0: {A: 0.54, END: 0.46}, A: {B: 0.9, OTHER: 0.1}, B: {END: 0.9, OTHER: 0.1}}
CHANCES[OTHER] = {OTHER: 1.0}


@pytest.mark.parametrize(
    ("length_penalty", "tokens", "score"),
    [
        (1.0, (A, B), math.log(0.54 * 0.9 * 0.9) / 3),
        (0.0, (), math.log(0.46)),
    ],
)
def test_scores_are_normalised_by_length(
    length_penalty: float, tokens: tuple[int, ...], score: float
) -> None:
    """The end alone is likelier than the whole text, each token of the text likelier than it."""
    found = search(Scripted(CHANCES), 2, length_penalty=length_penalty).run([0], 8)
    assert found == Found(tokens, pytest.approx(score, abs=1e-5), "end")


def test_only_end_tokens_end_a_text() -> None:
    """Not any special one; and none ends it unless it is among the `width` best."""
    found = search(Scripted({0: {A: 1.0}, A: {B: 1.0}, B: {A: 1.0}}), 1, ends={A}).run([0], 5)
    assert found == Found((), pytest.approx(0, abs=1e-5), "end")
    found = search(Scripted({0: {A: 0.6, END: 0.4}, A: {A: 0.6, END: 0.4}}), 1).run([0], 5)
    assert (found.tokens, found.ended) == ((A,) * 5, "length")
