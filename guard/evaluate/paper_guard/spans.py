"""Step 2 of GUARD: the sensitive spans F(A) of a stored answer.

How the paper extracts them could not be read. The public re-implementation takes every run of one
to five words, "the" and "is" included, which bans ordinary language. Here, in the spirit of "key
phrases that should no longer appear in model outputs": runs of words that are names, numbers or
rare, no model asked.
"""

from __future__ import annotations

import re
from functools import cache

# Rarer than about two in a million words (wordfreq, Zipf scale).
RARE_ZIPF = 3.3
# What may stand inside a name: "Lord of the Rings", "Leonardo da Vinci".
_LINKS = {"and", "da", "de", "del", "der", "di", "du", "ibn", "la", "le", "of", "the", "van", "von"}
_WORD = re.compile(r"[^\W_]+(?:[-'’./][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?:;\n]")


@cache
def _is_rare(word: str) -> bool:
    from wordfreq import zipf_frequency

    # The large list, because the small one knows no word below one in a million.
    return bool(zipf_frequency(word, "en") < RARE_ZIPF)


def _is_sensitive(word: str, *, first: bool) -> bool:
    """Whether a word tells something by itself. Every word is a capital one that is `first` in its
    sentence, so there only a rare one counts."""
    if any(character.isdigit() for character in word):
        return True
    if word[0].isupper() and not first:
        return word.lower() != "i"
    return _is_rare(word)


def sensitive_spans(answer: str) -> tuple[str, ...]:
    """The sensitive spans of an answer as it writes them, longest runs, without duplicates.

    An answer without any is a span as a whole: something of every answer is forbidden. Empty only
    for an answer without letters and digits.
    """
    spans: list[str] = []
    begun: re.Match[str] | None = None  # first and last word of the run
    last: re.Match[str] | None = None
    linked = True  # whether only links stand between the run and the word
    before = 0
    for word in _WORD.finditer(answer):
        gap = answer[before : word.start()]
        first = before == 0 or bool(_SENTENCE_END.search(gap))
        if begun and last and not (gap.isspace() and linked):
            spans.append(answer[begun.start() : last.end()])
            begun = None
        if _is_sensitive(word[0], first=first):
            begun, last, linked = begun or word, word, True
        elif begun:
            linked = word[0].lower() in _LINKS
        before = word.end()
    if begun and last:
        spans.append(answer[begun.start() : last.end()])
    if not spans and _WORD.search(answer):
        spans.append(answer.strip())
    return tuple(dict.fromkeys(spans))
