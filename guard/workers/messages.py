"""What workers and hub say to each other.

Worker to hub: `[id, operation, argument]`, or `[id, CANCEL, null]` for a call given up.
Hub to worker: `[id, true, result]`, or `[id, false, [kind, arguments]]`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from classifiers import Closed, QueueFull, Signal, TooManyTokens
from guard.errors import DetectorError
from guard.policy import Embeddings, Entity, Match, Pair, Policy, PolicySet, Restrict
from guard.restrict import forgotten_sentences

PREPARE = "prepare"
"""Argument: the set's hash, and its prompts or null. The hub answers when it can score it."""
SCORE = "score"
"""Arguments: the set's hash, texts, subjects, whether nothing may be cleared unencoded. The hub
answers with signals."""
DESCRIBED = "described"
"""Arguments: the set's hash, texts, subjects, mentioned subjects. Answered with signals."""
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
    return [
        [
            p.name,
            [[e.name, e.aliases, e.aspects, e.namesakes] for e in p.entities],
            p.topics,
            p.prompts,
            p.match.similarity,
            _packed_embeddings(p),
            *_packed_texts(p),
        ]
        for p in policies.policies
    ]


def _packed_embeddings(policy: Policy) -> list[Any] | None:
    held = policy.embeddings
    if held is None:
        return None
    return [held.model, held.dimension, base64.b64encode(held.rows).decode()]


def _unpacked_embeddings(packed: Sequence[Any] | None) -> Embeddings | None:
    if packed is None:
        return None
    model, dimension, rows = packed
    return Embeddings(model, dimension, base64.b64decode(rows))


def _packed_texts(policy: Policy) -> list[Any]:
    answers = [pair.answer for pair in policy.pairs]  # what tells the subject without a name
    if not forgotten_sentences(policy):
        return [None, [], answers]
    return [policy.restrict.meaning, policy.texts, answers]


def unpacked_set(rows: Iterable[Sequence[Any]]) -> PolicySet:
    """That part of the set: same order, same numbers, names, prompts and those texts."""
    return PolicySet(
        tuple(
            Policy(
                name=name,
                entities=tuple(Entity(first, *map(tuple, more)) for first, *more in entities),
                topics=tuple(topics),
                prompts=tuple(prompts),
                embeddings=_unpacked_embeddings(embeddings),
                match=Match(similarity=similarity),
                action="restrict",
                restrict=Restrict(meaning=meaning),
                texts=tuple(texts),
                pairs=tuple(Pair("", answer) for answer in answers),
            )
            for (
                name,
                entities,
                topics,
                prompts,
                similarity,
                embeddings,
                meaning,
                texts,
                answers,
            ) in rows
        )
    )


def packed_signals(signals: Iterable[Signal]) -> list[list[Any]]:
    """Signals as they travel."""
    return [[s.name, int(s.subject), float(s.score), bool(s.fired)] for s in signals]


def unpacked_signals(rows: Iterable[Sequence[Any]]) -> list[Signal]:
    """The signals that travelled."""
    return [Signal(name, subject, score, fired) for name, subject, score, fired in rows]
