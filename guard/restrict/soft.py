"""Soft penalties: what words near a forgotten text lose in answers to flagged prompts.

GUARD's semantic penalty (arXiv 2505.13312) compares every candidate token with the forbidden spans
while it decodes. Here the words are found when the policy compiles: the distinctive words of its
texts and names, and the general-English words whose embedding is near one of them. Which those are
is asked of the caller: nothing here computes embeddings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from guard.errors import Problem
from guard.restrict.folding import fold_words
from guard.restrict.phrases import COMMON_START_BITS, general_words, surprise
from guard.restrict.vocabulary import Vocabulary

if TYPE_CHECKING:  # the engine plugin imports this file, next to a vLLM without our dependencies
    from guard.policy.compiled import Policy

MOST_WORDS = 4096  # a policy's penalised words, the strongest first
LEAST_LETTERS = 3
_FORMAT = "guard-soft-1"

TokenPenalties = tuple[NDArray[np.int32], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class SoftPenalties:
    """What is taken off the logits of words, by folded word; `id` is the hash of the content."""

    words: Mapping[str, float]
    id: str


def is_content(word: bytes) -> bool:
    """Whether a folded word can be distinctive: letters only, three or more, and not common."""
    text = word.decode("utf-8", "replace")
    return len(text) >= LEAST_LETTERS and text.isalpha() and surprise(word) >= COMMON_START_BITS


@lru_cache(maxsize=1)
def candidate_words() -> tuple[str, ...]:
    """The general-English words that may be near a forbidden one: wordfreq's small list without
    the common ones, folded, in the list's order."""
    folded = (fold_words(word) for word in general_words())
    words = dict.fromkeys(parts[0] for parts in folded if len(parts) == 1)
    return tuple(word.decode() for word in words if is_content(word))


def distinctive_words(policy: Policy) -> tuple[str, ...]:
    """The words that a policy's names and texts are told by, at most `MOST_WORDS`: those of names,
    then those of texts, the rarest first."""
    names = (name for one in policy.entities if not one.limited for name in one.names)
    named = dict.fromkeys(word for name in names for word in fold_words(name) if is_content(word))
    told = {word for text in policy.texts for word in fold_words(text) if is_content(word)}
    rarest = sorted(told - named.keys(), key=lambda word: (-surprise(word), word))
    return tuple(word.decode() for word in [*named, *rarest][:MOST_WORDS])


def soft_penalties(policy: Policy, near: Mapping[str, float] | None = None) -> SoftPenalties | None:
    """The penalties of a policy; None where it has none.

    `near`: words with their largest cosine to one of `distinctive_words`. Those at `restrict.delta`
    or more get `restrict.penalty` times the cosine, the distinctive words all of it.
    """
    penalty = policy.restrict.penalty
    if not policy.answered or not penalty:
        return None
    words = dict.fromkeys(distinctive_words(policy), float(np.float32(penalty)))
    found = ((near or {}).items()) if len(words) < MOST_WORDS else ()
    for word, cosine in sorted(found, key=lambda item: (-item[1], item[0])):
        if len(words) == MOST_WORDS:
            break
        if cosine >= policy.restrict.delta:
            words.setdefault(word, float(np.float32(penalty * min(cosine, 1.0))))
    return SoftPenalties(words, _content_hash(words)) if words else None


def _content_hash(words: Mapping[str, float]) -> str:
    digest = hashlib.sha256(_FORMAT.encode())
    for word, penalty in sorted(words.items()):
        digest.update(b"%d:%s" % (len(word.encode()), word.encode()))
        digest.update(np.float32(penalty).tobytes())
    return digest.hexdigest()


class WholeWords:
    """The tokens of a vocabulary that are one word, whole, with or without a space before it and in
    any case. Built once a vocabulary; a fragment would penalise other words with it."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        tokens: dict[str, list[int]] = {}
        for token in range(vocabulary.tokens):
            word = _word_of(vocabulary.bytes_of(token))
            if word is not None:
                tokens.setdefault(word, []).append(token)
        self._tokens = tokens

    def penalties(self, words: Mapping[str, float]) -> TokenPenalties:
        """Token ids (int32, ascending) and what their logits lose (float32), of equal length."""
        rows = sorted((t, words[word]) for word in words for t in self._tokens.get(word, ()))
        return (
            np.array([token for token, _ in rows], dtype=np.int32),
            np.array([value for _, value in rows], dtype=np.float32),
        )


def token_penalties(words: Mapping[str, float], vocabulary: Vocabulary) -> TokenPenalties:
    """`WholeWords.penalties` for one use: it reads the whole vocabulary."""
    return WholeWords(vocabulary).penalties(words)


def _word_of(token: bytes) -> str | None:
    try:
        text = token.decode()
    except UnicodeDecodeError:  # part of a character
        return None
    text = text[1:] if text[:1] == " " else text
    if len(text) < LEAST_LETTERS or any(letter.isspace() for letter in text):
        return None
    if text.isascii():
        return text.lower() if text.isalpha() else None
    if not all(letter.isalpha() or not letter.isascii() for letter in text):
        return None
    folded = fold_words(text)
    return folded[0].decode("utf-8", "replace") if len(folded) == 1 else None


def lint_soft(policy: Policy) -> list[Problem]:
    """What of a policy's soft penalties will be left out."""
    if not policy.answered or not policy.restrict.penalty:
        return []
    source, key = str(policy.source), "restrict.penalty"
    words: Sequence[str] = distinctive_words(policy)
    if len(words) == MOST_WORDS:
        message = f"at most {MOST_WORDS} words are penalised: those of names, then the rarest"
        return [Problem(source, 0, key, message, "warning")]
    if not words:
        message = "nothing to penalise: no name or text has a word that is not common"
        return [Problem(source, 0, key, message, "warning")]
    return []
