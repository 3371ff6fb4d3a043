"""The values of a policy's answers: what a short answer says that its question does not.

"In Tromsø." and "She was born in Tromsø." answer the same question, and neither is a text that
could be matched in everybody's answers: *Tromsø* alone is an ordinary word. In the answer to a
flagged prompt it is what was to be forgotten, and the sentence that says it is cut (`meaning.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from guard.restrict.automaton import PhraseAutomaton
from guard.restrict.folding import fold_words
from guard.restrict.phrases import COMMON_START_BITS, Phrase, join, shorten, surprise

if TYPE_CHECKING:  # the engine plugin imports this package without our dependencies
    from guard.policy.compiled import Policy

LONGEST_ANSWER = 12  # words; a longer answer is a text with words of all kinds, matched by its runs
MOST_VALUES = 2  # stretches of an answer; what says more is a sentence, judged by its meaning
LEAST_LETTERS = 3


def value_phrases(policy: Policy) -> Iterator[Phrase]:
    """The values of the answers of pairs: stretches of words that neither the question, nor a name
    of the policy, nor an answer that is to be kept has, and that are not common. Nothing unless
    answers to flagged prompts are read for meaning."""
    if not policy.answered or policy.restrict.meaning is None:
        return
    kept = {word for name in policy.names for word in fold_words(name)}
    kept |= {word for pair in policy.retain_pairs for word in fold_words(pair.answer)}
    for pair in policy.pairs:
        words = fold_words(pair.answer)
        if len(words) > LONGEST_ANSWER:
            continue
        known = kept.union(fold_words(pair.prompt))
        marked = [(_tells(word, known), word) for word in words]
        runs = groupby(marked, itemgetter(0))
        values = [tuple(word for _, word in run) for told, run in runs if told]
        if len(values) <= MOST_VALUES:
            for value in values:
                symbols = join(value)
                short = shorten(symbols)
                yield Phrase(short, len(short) == len(symbols), "text", policy.name, value)


def _tells(word: bytes, known: set[bytes]) -> bool:
    letters = len(word.decode("utf-8", "replace"))
    return word not in known and letters >= LEAST_LETTERS and surprise(word) >= COMMON_START_BITS


def telling(
    values: PhraseAutomaton, sentences: Sequence[str], supplied: Iterable[str]
) -> list[bool]:
    """For each sentence, whether it says a value that the `supplied` texts do not say."""
    if not values:
        return [False] * len(sentences)
    said = {
        phrase for text in supplied for match in values.find_all(text) for phrase in match.phrases
    }
    return [
        any(not said.issuperset(match.phrases) for match in values.find_all(sentence))
        for sentence in sentences
    ]
