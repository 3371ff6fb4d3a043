"""Does this request ask for something to forget? Builds the detectors of a policy set, asks them.

The verdict is about the whole conversation: every text the model will read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from classifiers import (
    Cascade,
    ClassifierError,
    Nearest,
    QueueFull,
    Signal,
    Subject,
    TooManyTokens,
)
from guard.asked import Asked
from guard.enforcement import Binding, Enforcement
from guard.errors import DetectorError, Overloaded, PayloadTooLarge
from guard.policy import Policy, PolicySet
from guard.restrict import Meant, forgotten_sentences

T = TypeVar("T")

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
    """The policies as the classifiers want them; ids are places in the set."""
    return [
        Subject(
            number,
            policy.names,
            policy.prompts,
            policy.match.similarity,
            forgotten_sentences(policy),
        )
        for number, policy in enumerate(policies.policies)
    ]


def needs_encoder(policies: PolicySet) -> bool:
    """Whether any policy has prompts or sentences to compare with."""
    return any(policy.prompts or forgotten_sentences(policy) for policy in policies.policies)


class Detector:
    """The detectors of one policy set."""

    def __init__(
        self, enforcement: Enforcement, nearest: Nearest | None, *, timeout: float = 10.0
    ) -> None:
        self._enforcement = enforcement
        self._cascade = Cascade(enforcement.named_in, nearest)
        self._nearest = nearest
        self._timeout = timeout

    def at_once(self, binding: Binding, asked: Asked) -> Verdict:
        """The verdict by names alone: microseconds, no waiting."""
        named = self._named(binding, asked)
        return self._verdict(binding, named) if named else _NOTHING

    async def full(self, binding: Binding, asked: Asked) -> Verdict:
        """The verdict by every detector.

        Raises Overloaded when the queue is full, PayloadTooLarge for more text than is encoded
        for one request, DetectorError when there is no verdict; unless every policy in force says
        `on_error: open`: then the verdict is `degraded`.
        """
        signals = self._named(binding, asked)
        verdict = self._verdict(binding, signals)
        if verdict.flagged or not binding.asks_encoder:
            return verdict
        try:
            signals += await self._rest(binding, asked, signals)
        except (Overloaded, PayloadTooLarge, DetectorError):
            if all(policy.on_error == "open" for policy in binding.enforced):
                return replace(verdict, degraded=True)
            raise
        return self._verdict(binding, signals)

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

    async def _rest(self, binding: Binding, asked: Asked, named: Sequence[Signal]) -> list[Signal]:
        texts = [text for text in asked.texts if text.strip()]
        numbers = frozenset(
            self._enforcement.number(policy) for policy in binding.policies if policy.prompts
        )
        return await self._within_bounds(self._cascade.rest(texts, numbers, named))

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

    def _verdict(self, binding: Binding, signals: Iterable[Signal]) -> Verdict:
        by_number = {self._enforcement.number(policy): policy for policy in binding.policies}
        scores: dict[str, float] = {}
        best: Signal | None = None
        shadows: list[Policy] = []
        for signal in signals:
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
