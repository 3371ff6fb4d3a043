"""Does this request ask for something to forget? Builds the detectors of a policy set, asks them.

The verdict is about the whole conversation: every text the model will read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from classifiers import (
    Cascade,
    ClassifierError,
    Limits,
    Nearest,
    NearNames,
    QueueFull,
    Signal,
    Stored,
    Subject,
    TooManyTokens,
)
from classifiers.signals import MENTION
from guard.asked import Asked
from guard.discussed import without_passage
from guard.enforcement import Binding, Enforcement
from guard.errors import DetectorError, Overloaded, PayloadTooLarge
from guard.plain_reading import readings
from guard.policy import Policy, PolicySet
from guard.restrict import Meant, forgotten_sentences

T = TypeVar("T")

# Above this looking for near names takes over a millisecond and leaves the event loop.
_INLINE_CHARACTERS = 1024

# What an encoder's runtime may raise: a failure, not a verdict.
_FAILURES = (ClassifierError, RuntimeError, OSError, MemoryError, ValueError, LookupError)


BuildNearest = Callable[[PolicySet], Nearest | None]
"""Makes the nearest-prompt detector of a set; None when no policy has prompts. May be slow."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the detectors say of one request.

    `policy`: the enforced policy that it falls under, the one with the strongest signal, or None;
    `shadows`: shadow policies it would have fallen under; `signals`: the best score of every
    detector; `degraded`: a detector failed and every policy in question says `on_error: open`.
    """

    policy: Policy | None = None
    score: float = 0.0
    signals: dict[str, float] = field(default_factory=dict)
    shadows: tuple[Policy, ...] = ()
    degraded: bool = False

    @property
    def flagged(self) -> bool:
        return self.policy is not None


_NOTHING = Verdict()  # no detector says anything: shared, since nobody changes a verdict


def subjects(policies: PolicySet) -> list[Subject]:
    """The policies as the classifiers want them, by place in the set, and after them the entities
    that only some aspects are forgotten of, or that have namesakes."""
    ordered = policies.policies
    limited = [(p, entity) for p in ordered for entity in p.entities if entity.limited]
    return [
        *(
            Subject(
                number,
                policy.names,
                policy.prompts,
                policy.match.similarity,
                forgotten_sentences(policy),
                _answers(policy),
                _stored(policy),
                policy.topics,
            )
            for number, policy in enumerate(ordered)
        ),
        *(
            Subject(
                number,
                entity.names,
                facts=(*policy.prompts, *_answers(policy)) if len(policy.entities) == 1 else (),
                aspects=entity.aspects,
                namesakes=entity.namesakes,
            )
            for number, (policy, entity) in enumerate(limited, start=len(ordered))
        ),
    ]


def _answers(policy: Policy) -> tuple[str, ...]:
    return tuple(pair.answer for pair in policy.pairs)


def _nearly_named(policies: PolicySet) -> list[Subject]:
    """Whom a name that is nearly there stands for: no policy by the name of a limited entity."""
    found = subjects(policies)
    for number, policy in enumerate(policies.policies):
        names = tuple(n for one in policy.entities if not one.limited for n in one.names)
        found[number] = replace(found[number], names=names)
    return found


def _limits(enforcement: Enforcement) -> Limits:
    ordered = enforcement.policies.policies
    wholly = [p for p in ordered if p.entities and all(one.limited for one in p.entities)]
    return Limits(
        frozenset(enforcement.limited.values()),
        {enforcement.number(p): enforcement.numbers(p) - {enforcement.number(p)} for p in wholly},
        any(policy.topics for policy in ordered),
    )


def _stored(policy: Policy) -> Stored | None:
    held = policy.embeddings
    return None if held is None else Stored(held.model, held.dimension, held.rows)


def needs_encoder(policies: PolicySet) -> bool:
    """Whether any policy has prompts or sentences to compare with."""
    return any(policy.asks_encoder or forgotten_sentences(policy) for policy in policies.policies)


class Detector:
    """The detectors of one policy set."""

    def __init__(
        self, enforcement: Enforcement, nearest: Nearest | None, *, timeout: float = 10.0
    ) -> None:
        self._enforcement = enforcement
        near_names = NearNames(_nearly_named(enforcement.policies))
        self._cascade = Cascade(enforcement.named_in, nearest, near_names, _limits(enforcement))
        self._nearest = nearest
        self._timeout = timeout

    def at_once(self, binding: Binding, asked: Asked) -> Verdict:
        """The verdict by names alone: microseconds, no waiting."""
        named = self._named(binding, asked)
        if not named:
            return _NOTHING
        request = without_passage(asked)
        if request is not None:
            named = self._excused(binding, named, self._named(binding, request))
        return self._verdict(binding, named)

    async def full(self, binding: Binding, asked: Asked) -> Verdict:
        """The verdict by every detector.

        Raises Overloaded when the queue is full, PayloadTooLarge for more text than is encoded
        for one request, DetectorError when there is no verdict; unless every policy in force says
        `on_error: open`: then the verdict is `degraded`.
        """
        signals = await self._cheap(binding, asked)
        request = without_passage(asked) if any(s.fired for s in signals) else None
        without = [] if request is None else await self._cheap(binding, request)
        excused = signals if request is None else self._excused(binding, signals, without)
        verdict = self._verdict(binding, excused)
        if verdict.flagged or not binding.asks_encoder:
            return verdict
        try:
            signals += await self._rest(binding, asked, signals)
            if request is None and any(signal.fired for signal in signals):
                request = without_passage(asked)
                without = [] if request is None else await self._cheap(binding, request)
            if request is not None:
                without += await self._rest(binding, request, without)
                signals = self._excused(binding, signals, without)
        except (Overloaded, PayloadTooLarge, DetectorError):
            if all(policy.on_error == "open" for policy in binding.enforced):
                return replace(verdict, degraded=True)
            raise
        return self._verdict(binding, signals)

    async def take_time(self, binding: Binding, asked: Asked) -> None:
        """Take as long as `full` does, whatever it says: how long a refusal took does not tell
        whether it was for a name or for a prompt."""
        if binding.asks_encoder:
            with suppress(Overloaded, PayloadTooLarge, DetectorError):
                await self._rest(binding, asked, (), thorough=True)

    async def _cheap(self, binding: Binding, asked: Asked) -> list[Signal]:
        """What needs no encoder: names, and what is nearly one."""
        named = self._named(binding, asked)
        return [*named, *await self._nearly(binding, asked, named)]

    def _excused(
        self, binding: Binding, signals: list[Signal], without: list[Signal]
    ) -> list[Signal]:
        """The signals of a request about a pasted passage (`guard/discussed.py`): policies that let
        the user supply text go by what it gives without the passage."""
        strict = frozenset().union(
            *(self._enforcement.numbers(p) for p in binding.policies if p.scope == "any")
        )
        kept = [signal for signal in signals if signal.subject in strict]
        return [*kept, *(signal for signal in without if signal.subject not in strict)]

    async def says(self, policy: Policy, sentences: Sequence[str]) -> list[Meant | None]:
        """For each sentence of an answer, whether it says what the policy forgets.

        Raises what `full` does when there is no verdict.
        """
        threshold = policy.restrict.meaning
        assert threshold is not None, "the policy does not ask for this"
        nearest, number = self._nearest, self._enforcement.number(policy)
        if nearest is None:
            raise DetectorError("no nearest-text detector for a policy with texts")
        scores = await self._within_bounds(nearest.similar(sentences, number))
        return [Meant(policy.name, score) if score >= threshold else None for score in scores]

    def _named(self, binding: Binding, asked: Asked) -> list[Signal]:
        texts = (*asked.texts, *asked.spans)
        return self._cascade.at_once(texts, binding.numbers)

    async def _nearly(
        self, binding: Binding, asked: Asked, named: Sequence[Signal]
    ) -> list[Signal]:
        texts = readings(asked.texts)
        arguments = (texts, binding.numbers, named)
        if sum(map(len, texts)) <= _INLINE_CHARACTERS:
            return self._cascade.nearly(*arguments)
        return await asyncio.to_thread(self._cascade.nearly, *arguments)

    async def _rest(
        self, binding: Binding, asked: Asked, named: Sequence[Signal], *, thorough: bool = False
    ) -> list[Signal]:
        texts = [text for text in readings(asked.texts) if text.strip()]
        numbers = binding.encoded_numbers
        return await self._within_bounds(
            self._cascade.rest(texts, numbers, named, thorough=thorough)
        )

    async def _within_bounds(self, asking: Awaitable[T]) -> T:
        """What a detector answers, in time; its failures as ours."""
        try:
            async with asyncio.timeout(self._timeout):
                return await asking
        except TimeoutError:
            raise DetectorError("the detectors took too long") from None
        except QueueFull:
            raise Overloaded(
                "Too many requests are waiting. Try again later.",
                code="detector_overloaded",
                status=503,
            ) from None
        except TooManyTokens:
            raise PayloadTooLarge(
                "The request has more text than is checked.", code="too_much_text"
            ) from None
        except _FAILURES as error:
            raise DetectorError(f"a detector failed: {type(error).__name__}") from error

    def _verdict(self, binding: Binding, signals: Sequence[Signal]) -> Verdict:
        if not any(signal.fired for signal in signals):
            return _benign(signals)  # most requests: no look at thousands of policies
        by_number = {
            number: policy
            for policy in binding.policies
            for number in self._enforcement.numbers(policy)
        }
        scores: dict[str, float] = {}
        best: Signal | None = None
        shadows: list[Policy] = []
        for signal in signals:
            if signal.name == MENTION:
                continue
            scores[signal.name] = max(signal.score, scores.get(signal.name, -1.0))
            if not signal.fired:
                continue
            policy = by_number[signal.subject]
            if not policy.enforced:
                shadows.append(policy)
            elif best is None or signal.score > best.score:
                best = signal
        if best is None:
            score = max(scores.values(), default=0.0)
            return Verdict(None, score, scores, tuple(dict.fromkeys(shadows)))
        return Verdict(by_number[best.subject], best.score, scores, tuple(dict.fromkeys(shadows)))


def _benign(signals: Sequence[Signal]) -> Verdict:
    scores: dict[str, float] = {}
    for signal in signals:
        if signal.name != MENTION:
            scores[signal.name] = max(signal.score, scores.get(signal.name, -1.0))
    return Verdict(None, max(scores.values(), default=0.0), scores)
