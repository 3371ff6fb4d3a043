"""Where the sentences of a text end, while it comes in pieces. Synchronous; `feed`, `flush`.

A sentence ends at a terminator that space follows, unless the word before it is an abbreviation or
an initial, or the next word begins in lower case; at a terminator of a script that writes none of
that; at an empty line; and before a list item. One with too little content to say anything
("Of course.") is taken together with the next. Over any division of a text into pieces the
sentences are the same.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from guard.restrict.folding import fold_words
from guard.restrict.phrases import COMMON_START_BITS, surprise

LONGEST_SENTENCE = 400  # code points; what is longer is judged in pieces
ENOUGH_WORDS = 2  # content words that a sentence needs to be judged on its own

# Abbreviations that a name or a number follows. Those that also end sentences ("etc.") are not
# here: the case of the next word tells.
_ABBREVIATED = (
    "adm apr aug bros brig ca capt cf co col cpl dec dept dr ed eds esp est feb fig figs fr gen "
    "gov hon inc jan jr jul jun lt ltd maj messrs mlle mme mr mrs ms mt nos nov oct op pp "
    "pres prof rep rev sen sep sept sgt sr st ste vol vols vs"
)
_ABBREVIATIONS = frozenset(_ABBREVIATED.split())
_STOPS = ".!?…"
_OTHER_STOPS = "。！？｡．।॥؟۔።։།။។"  # scripts that need no space, or no upper case, after them
_CLOSERS = "\"')]}»”’›*_`」』）】》〉"
_MARKERS = "-*•–—·‣▪#>|"
_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"

_NEXT = re.compile(f"[{re.escape(_STOPS + _OTHER_STOPS + _BREAKS)}]")
_RUN = re.compile(f"[{re.escape(_STOPS + _OTHER_STOPS)}]+[{re.escape(_CLOSERS)}]*")
_SPACE = re.compile(r"\s*")
_LAST_WORD = re.compile(r"[^\s\"'(\[{«“‘]*\Z")
_NUMBER = re.compile(r"\(?[0-9]{1,3}")

_UNDECIDED = -1


class Sentence(NamedTuple):
    """Code points [start, end) of the text, what they say without the space around, and how many
    content words that is: without any it says nothing."""

    start: int
    end: int
    text: str
    content: int


def content_words(text: str) -> int:
    """How many words of a text carry some: neither function words nor the commonest others."""
    return sum(surprise(word) >= COMMON_START_BITS for word in fold_words(text))


class Sentences:
    """The sentences of one text. `start`: where the one that has not ended begins; what is before
    it has been returned by `feed` or `flush`."""

    def __init__(self, longest: int = LONGEST_SENTENCE, enough: int = ENOUGH_WORDS) -> None:
        self._longest = longest
        self._enough = enough
        self._text = ""  # from `start` on
        self._looked = 0  # no end below this
        self._counted = 0  # the content words below this are in `_content`
        self._content = 0
        self.start = 0

    @property
    def end(self) -> int:
        """Code points read."""
        return self.start + len(self._text)

    def feed(self, text: str) -> list[Sentence]:
        """Read on; returns the sentences that are now known to have ended."""
        self._text += text
        found = []
        while (end := self._ending()) is not None:
            found.append(self._take(end))
        return found

    def flush(self) -> list[Sentence]:
        """The text ends here, or stops for now: so does its last sentence, content or not."""
        return [self._take(len(self._text))] if self._text else []

    def _take(self, end: int) -> Sentence:
        self._count(end)
        text = self._text[:end].strip()
        sentence = Sentence(self.start, self.start + end, text, self._content)
        self.start += end
        self._text = self._text[end:]
        self._looked = self._counted = self._content = 0
        return sentence

    def _ending(self) -> int | None:
        """Where the sentence under way ends; None while that is open."""
        view = self._text[: self._longest]
        while found := _NEXT.search(view, self._looked):
            end = _boundary(view, found.start())
            if end == _UNDECIDED:
                break
            self._looked = max(end, found.start() + 1)
            if end:
                self._count(end)
                if self._content >= self._enough:
                    return end
        if len(view) < self._longest:
            return None
        return _last_gap(view)

    def _count(self, end: int) -> None:
        if end < self._counted:  # cut where it had been read on already
            self._content = self._counted = 0
        self._content += content_words(self._text[self._counted : end])
        self._counted = end


def _last_gap(view: str) -> int:
    """Where to cut a text that goes on without an end: before its last space, or at its end."""
    gap = max(view.rfind(" "), view.rfind("\n"))
    return gap if gap > len(view) // 2 else len(view)


def _boundary(view: str, at: int) -> int:
    """Where a sentence ends, given a stop or a line break at `at`: 0 when it goes on,
    `_UNDECIDED` when what follows must be seen first."""
    if view[at] in _BREAKS:
        return _at_line_break(view, at)
    run = _RUN.match(view, at)
    assert run is not None
    end = run.end()
    if end == len(view):
        return _UNDECIDED
    if any(stop in _OTHER_STOPS for stop in run.group()):
        return end
    if not view[end].isspace():
        return 0
    if run.group()[0] == "." and _is_abbreviated(view[:at]):
        return 0
    space = _SPACE.match(view, end)
    assert space is not None
    if any(mark in _BREAKS for mark in space.group()):
        return end
    if space.end() == len(view):
        return _UNDECIDED
    return 0 if view[space.end()].islower() else end


def _is_abbreviated(before: str) -> bool:
    """Whether a full stop after this belongs to its last word: an initial, or an abbreviation."""
    found = _LAST_WORD.search(before)
    word = found.group() if found else ""
    letters = word.rpartition(".")[2]
    # A letter, also after others with stops ("U.S", "J.K"), and words that announce more.
    return (len(letters) == 1 and letters.isalpha()) or word.lower() in _ABBREVIATIONS


def _at_line_break(view: str, at: int) -> int:
    """A line break ends a sentence when an empty line or a list item follows, else it is space:
    lines of a poem, or of a column, make one sentence."""
    space = _SPACE.match(view, at)
    assert space is not None
    breaks = sum(mark in "\n\v\f\x1c\x1d\x1e\x85\u2028\u2029" for mark in space.group())
    if breaks > 1 or "\u2029" in space.group():
        return at
    if space.end() == len(view):
        return _UNDECIDED
    if view[space.end()] in _MARKERS:
        return at
    number = _NUMBER.match(view, space.end())
    if number is None:
        return 0
    if number.end() == len(view):
        return _UNDECIDED
    return at if view[number.end()] in ".)" else 0
