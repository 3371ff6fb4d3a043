"""What workers and hub say to each other.

Worker to hub: `[id, operation, argument]`, or `[id, CANCEL, null]` for a call given up.
Hub to worker: `[id, true, result]`, or `[id, false, [kind, arguments]]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from classifiers import Closed, QueueFull, Signal, TooManyTokens
from guard.errors import DetectorError
from guard.policy import Match, Pair, Policy, PolicySet, Restrict
from guard.restrict import forgotten_sentences

PREPARE = "prepare"
"""Argument: the set's hash, and its prompts or null. The hub answers when it can score it."""
SCORE = "score"
"""Arguments: the set's hash, texts, subjects. The hub answers with signals."""
SIMILAR = "similar"
"""Arguments: the set's hash, sentences, subject. The hub answers with a cosine for each."""
NEAR = "near"
"""Arguments: words, a cosine. The hub answers with the words near them and their cosines."""
AUDIT = "audit"
"""Argument: a record. The hub answers when it is on disk."""
CANCEL = "cancel"


class UnknownSet(DetectorError):
    """The hub does not hold that policy set (any more)."""

    def __init__(self) -> None:
        super().__init__("the hub does not hold this policy set")


# Errors that a worker must tell apart; all others arrive as DetectorError.
_KINDS: dict[str, Callable[..., Exception]] = {
    "queue_full": QueueFull,
    "too_many_tokens": TooManyTokens,
    "closed": Closed,
    "unknown_set": UnknownSet,
    "os": OSError,
    "failed": DetectorError,
}


def carried(error: Exception) -> tuple[str, list[Any]]:
    """An error as it travels. None of them repeats a text."""
    match error:
        case QueueFull():
            return "queue_full", [error.waiting, error.limit]
        case TooManyTokens():
            return "too_many_tokens", [error.tokens, error.limit]
        case Closed():
            return "closed", []
        case UnknownSet():
            return "unknown_set", []
        case OSError():
            return "os", [error.errno, error.strerror or str(error)]
        case DetectorError():
            return "failed", [str(error)]
        case _:
            return "failed", [type(error).__name__]


def raised(kind: str, arguments: Sequence[Any]) -> Exception:
    """The error that travelled."""
    return _KINDS[kind](*arguments)


def packed_set(policies: PolicySet) -> list[list[Any]]:
    """What the encoder needs of a set. Policies without prompts go too, and keep the numbering;
    texts only where answers are compared with them by meaning."""
    return [[p.name, p.prompts, p.match.similarity, *_packed_texts(p)] for p in policies.policies]


def _packed_texts(policy: Policy) -> list[Any]:
    if not forgotten_sentences(policy):
        return [None, [], []]
    answers = [pair.answer for pair in policy.pairs]
    return [policy.restrict.meaning, policy.texts, answers]


def unpacked_set(rows: Iterable[Sequence[Any]]) -> PolicySet:
    """That part of the set: same order, same numbers, nothing but prompts and those texts."""
    return PolicySet(
        tuple(
            Policy(
                name=name,
                prompts=tuple(prompts),
                match=Match(similarity=similarity),
                action="restrict",
                restrict=Restrict(meaning=meaning),
                texts=tuple(texts),
                pairs=tuple(Pair("", answer) for answer in answers),
            )
            for name, prompts, similarity, meaning, texts, answers in rows
        )
    )


def packed_signals(signals: Iterable[Signal]) -> list[list[Any]]:
    """Signals as they travel."""
    return [[s.name, int(s.subject), float(s.score), bool(s.fired)] for s in signals]


def unpacked_signals(rows: Iterable[Sequence[Any]]) -> list[Signal]:
    """The signals that travelled."""
    return [Signal(name, subject, score, fired) for name, subject, score, fired in rows]
