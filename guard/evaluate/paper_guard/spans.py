"""Step 2 of GUARD: the sensitive spans F(A) of a stored answer.

How the paper extracts them could not be read. The public re-implementation takes every run of one
to five words, "the" and "is" included, which bans ordinary language. Here, in the spirit of "key
phrases that should no longer appear in model outputs": runs of words that are names, numbers or
rare, no model asked.
"""

from __future__ import annotations

import re
from functools import cache

# wordfreq's Zipf scale: 3.3 is two in a million words, 5 is one in ten thousand.
RARE_ZIPF = 3.3
# Every sentence begins with a capital letter: there it tells a name only from less common words.
COMMON_ZIPF = 5.0
# What may stand inside a name: "Lord of the Rings", "Leonardo da Vinci".
_LINKS = {"and", "da", "de", "del", "der", "di", "du", "ibn", "la", "le", "of", "the", "van", "von"}
_WORD = re.compile(r"[^\W_]+(?:[-'’./][^\W_]+)*")
_INITIAL = re.compile(r"(?:^|\.)[^\W\d_I]$")  # not "I", which ends sentences
_SENTENCE_END = re.compile(r"[.!?:;\n]")


@cache
def _zipf(word: str) -> float:
    from wordfreq import zipf_frequency

    return float(zipf_frequency(word, "en"))


def _is_sensitive(word: str, *, first: bool) -> bool:
    """Whether a word tells something by itself; `first`: it begins a sentence."""
    if any(character.isdigit() for character in word):
        return True
    frequency = _zipf(word)
    if word[0].isupper():
        return frequency < COMMON_ZIPF if first else word != "I"
    return frequency < RARE_ZIPF


def sensitive_spans(answer: str) -> tuple[str, ...]:
    """The sensitive spans of an answer as it writes them, longest runs, without duplicates.

    An answer without any is a span as a whole: something of every answer is forbidden. Empty only
    for an answer without letters and digits.
    """
    spans: list[str] = []
    begun: re.Match[str] | None = None  # first and last word of the run
    last: re.Match[str] | None = None
    before: re.Match[str] | None = None
    linked = True  # whether only links stand between the run and the word
    for word in _WORD.finditer(answer):
        gap = answer[before.end() if before else 0 : word.start()]
        if before and _INITIAL.search(before[0]):
            gap = gap.removeprefix(".") or " "  # "J. K. Rowling", "J.Rowling"
        first = before is None or bool(_SENTENCE_END.search(gap))
        if begun and last and not (gap.isspace() and linked):
            spans.append(answer[begun.start() : last.end()])
            begun = None
        if _is_sensitive(word[0], first=first):
            begun, last, linked = begun or word, word, True
        elif begun:
            linked = word[0].lower() in _LINKS
        before = word
    if begun and last:
        spans.append(answer[begun.start() : last.end()])
    if not spans and before:
        spans.append(answer.strip())
    return tuple(dict.fromkeys(spans))
