"""From a policy to the phrases that must not come out, and where each is acted on.

What counts as a match is DESIGN section 2. A name is matched whole, on word boundaries. A text is
matched by runs of `match.words` consecutive words; a run is acted on at its *distinctive point*:
the first place that has at least the fraction `match.beta` of it (GUARD's trie match ratio) and
carries enough information that ordinary language does not get there by chance. Information is the
sum of the words' surprise, -log2 of their frequency in general English (wordfreq): a stand-in for
the n-gram statistics that nobody can ship.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

from guard.errors import Problem
from guard.restrict.folding import fold_words
from guard.restrict.threads import HARD_BOUNDARY, SOFT_BOUNDARY
from guard.restrict.trie import BOUNDED, UNBOUNDED

if TYPE_CHECKING:  # the engine plugin imports this file, next to a vLLM without our dependencies
    from guard.policy.compiled import Policy

DISTINCTIVE_BITS = 60.0  # a prefix with this much surprise is taken for the text itself
ORDINARY_BITS = 24.0  # a whole text with less than this is ordinary language
UNKNOWN_WORD_BITS = 22.0  # rarer than one word in four million
UNKNOWN_LETTER_BITS = 2.0  # more for every letter past the sixth of an unknown word
COMMON_START_BITS = 12.0  # a word with less is one of the few hundred that begin most sentences
LONG_WORD = 16  # symbols; a longer word (a key, an address) may be acted on in its middle
MIRRORED_EVERY = 4  # of a long text's runs one in so many is looked for mirrored: a third the trie
LONGEST = 192  # bytes of a phrase that are kept: the acting point is moved up to there

Kind = Literal["name", "text", "meaning"]


@dataclass(frozen=True, slots=True)
class Phrase:
    """One byte string of the automaton.

    `symbols`: folded words up to the acting point, joined by boundary symbols; `whole`: all folded
    words of the run, to tell whether a client supplied it; `bounded`: needs a word boundary after;
    `mirrored`: looked for backwards and in ROT13 too.
    """

    symbols: bytes
    bounded: bool
    kind: Kind
    policy: str
    whole: tuple[bytes, ...]
    mirrored: bool = field(default=True, compare=False)

    @property
    def flag(self) -> int:
        return BOUNDED if self.bounded else UNBOUNDED


@cache
def _frequencies() -> dict[str, float]:
    # The small list holds every word above one in a million, which is all that surprise needs.
    from wordfreq import get_frequency_dict

    return dict(get_frequency_dict("en", wordlist="small"))


def general_words() -> list[str]:
    """The words of general English, commonest first."""
    return list(_frequencies())


def is_known(word: bytes) -> bool:
    """Whether a folded word is one of general English, names included."""
    return word.decode("utf-8", "replace") in _frequencies()


def surprise(word: bytes) -> float:
    """Bits of information in one folded word: -log2 of its frequency, more for unknown words."""
    text = word.decode("utf-8", "replace")
    frequency = _frequencies().get(text)
    if frequency:
        return -math.log2(frequency)
    return UNKNOWN_WORD_BITS + UNKNOWN_LETTER_BITS * max(0, len(text) - 6)


def join(words: Sequence[bytes]) -> bytes:
    """Folded words with a boundary symbol between them.

    Words that make an ordinary word when glued ("will power") must stand apart in the text.
    """
    glued = b"".join(words).decode("utf-8", "replace") in _frequencies()
    boundary = HARD_BOUNDARY if glued else SOFT_BOUNDARY
    return bytes([boundary]).join(words)


def _acting_point(words: tuple[bytes, ...], letters: float) -> tuple[int, int] | None:
    """Where a run is acted on: (whole words, bytes of the next one), with at least `letters` bytes
    before it; None when it never gets there, or never gets distinctive. A cut inside a long word
    falls between UTF-8 sequences."""
    covered, bits = 0, 0.0
    for index, word in enumerate(words):
        word_bits = surprise(word)
        if len(word) > LONG_WORD:
            for i in range(1, len(word) + 1):
                at_letter = i == len(word) or word[i] & 0xC0 != 0x80
                enough = bits + word_bits * i / len(word) >= DISTINCTIVE_BITS
                if at_letter and enough and covered + i >= letters:
                    return index, i
        covered += len(word)
        bits += word_bits
        if covered >= letters and bits >= DISTINCTIVE_BITS:
            return index + 1, 0
    return None


def shorten(symbols: bytes) -> bytes:
    """At most LONGEST bytes, cut between UTF-8 sequences and not after a boundary symbol."""
    if len(symbols) <= LONGEST:
        return symbols
    cut = LONGEST
    while symbols[cut] & 0xC0 == 0x80:
        cut -= 1
    return symbols[:cut].rstrip(bytes((SOFT_BOUNDARY, HARD_BOUNDARY)))


def _run(words: tuple[bytes, ...], letters: float, policy: str, *, whole: bool) -> Phrase | None:
    """The phrase for one run; `whole` runs that never get distinctive are matched to their end."""
    point = _acting_point(words, letters)
    if point is None:
        if not whole:
            return None
        symbols = join(words)
        short = shorten(symbols)
        return Phrase(short, len(short) == len(symbols), "text", policy, words)
    full, part = point
    head = words[:full] + ((words[full][:part],) if part else ())
    return Phrase(shorten(join(head)), False, "text", policy, words)


@dataclass(frozen=True, slots=True)
class TextRuns:
    """The phrases of one text, and how many of its runs ordinary language contains."""

    phrases: tuple[Phrase, ...]
    ordinary: int


def text_runs(text: str, policy: Policy, *, answer: bool = False) -> TextRuns:
    """The runs of one forbidden text.

    A text shorter than `match.words` is one run, matched whole unless it is ordinary language. An
    `answer` (of a pair) is held to the stricter bar of being distinctive: "In Paris." is an answer
    to many questions.
    """
    words = tuple(fold_words(text))
    size, beta = policy.match.words, policy.match.beta
    if not words:
        return TextRuns((), 0)
    inner = [phrase for word in words for phrase in _inside(word, beta, policy.name)]
    if len(words) <= size:
        floor = DISTINCTIVE_BITS if answer else ORDINARY_BITS
        if sum(map(surprise, words)) < floor:
            return TextRuns((), 1)
        phrase = _run(words, beta * _length(words), policy.name, whole=True)
        return TextRuns((*([phrase] if phrase else []), *inner), 0)
    runs = []
    for start in _run_starts(words, size):
        run = words[start : start + size]
        runs.append(_run(run, beta * _length(run), policy.name, whole=False))
    kept = [run for run in runs if run is not None]
    mirrored = (
        replace(run, mirrored=place % MIRRORED_EVERY == 0)
        for place, run in enumerate([*kept, *_tails(words, policy)])
    )
    return TextRuns((*mirrored, *inner), len(runs) - len(kept))


def _inside(word: bytes, beta: float, policy: str) -> Iterator[Phrase]:
    """The stretches of a word so long and odd that a part of it is distinctive: a key, a token.

    Without its first character a key is as secret as with it, so that every stretch counts that is
    as long as its beginning has to be, wherever a word of the text begins with it.
    """
    if len(word) <= LONG_WORD or (point := _acting_point((word,), beta * len(word))) is None:
        return
    size = point[1] or len(word)
    for start in range(len(word) - size + 1):
        stretch = shorten(word[start : start + size])
        if stretch[0] & 0xC0 != 0x80 and _is_whole(stretch):
            mirrored = start % MIRRORED_EVERY == 0
            yield Phrase(stretch, False, "text", policy, (word,), mirrored)


def _is_whole(symbols: bytes) -> bool:
    """Whether no UTF-8 sequence is cut at the end."""
    return symbols.decode("utf-8", "ignore").encode() == symbols


def _tails(words: tuple[bytes, ...], policy: Policy) -> Iterator[Phrase]:
    """The end of a long text, from each rare word that begins no whole run.

    A passage quoted from there on is shorter than `match.words`; it is acted on once it shows as
    many letters as the text's last run has to, so that no stretch of a text is freer than another.
    """
    size = policy.match.words
    letters = policy.match.beta * _length(words[-size:])
    for start in range(len(words) - size + 1, len(words)):
        if surprise(words[start]) >= COMMON_START_BITS:
            tail = _run(words[start:], letters, policy.name, whole=False)
            if tail is None:
                return  # what is shorter yet does not get there either
            yield tail


def _length(words: tuple[bytes, ...]) -> int:
    return sum(map(len, words))


def _run_starts(words: tuple[bytes, ...], size: int) -> list[int]:
    """Where the runs of a long text begin: at its first word, and at every word but common ones
    ("of the ...") that a run of a rarer word follows closely.

    Each word of ordinary text that no run begins with costs the walk nothing; a passage quoted
    from such a word on is matched from the rarer word, one or two common words later.
    """
    rare = [surprise(word) >= COMMON_START_BITS for word in words]
    last = len(words) - size
    return [
        i
        for i in range(last + 1)
        if i == 0 or rare[i] or not any(rare[i + 1 : min(i + 2, last) + 1])
    ]


def text_phrases(policy: Policy) -> Iterator[Phrase]:
    """The runs of every forbidden text of the policy."""
    answers = {pair.answer for pair in policy.pairs}
    for text in policy.texts:
        yield from text_runs(text, policy, answer=text in answers).phrases


def lint_phrases(policy: Policy) -> list[Problem]:
    """What the output filter and the engine will not or cannot do with a policy's names and
    texts."""
    return [*_lint_names(policy), *_lint_texts(policy)]


def _lint_names(policy: Policy) -> Iterator[Problem]:
    source = str(policy.source)
    owners: dict[tuple[bytes, ...], set[int]] = {}
    for index, entity in enumerate(policy.entities):
        for name in entity.names:
            owners.setdefault(tuple(fold_words(name)), set()).add(index)
    for index, entity in enumerate(policy.entities):
        key = f"forget.entities[{index}]"
        for name in entity.names:
            words = tuple(fold_words(name))
            if not words:
                yield Problem(source, 0, key, "a name without letters matches nothing")
            elif len(join(words)) > LONGEST:
                message = f"a name is acted on after {LONGEST} bytes; the rest of it is not read"
                yield Problem(source, 0, key, message, "warning")
            elif any(owners.get(part, set()) - {index} for part in _parts(words)):
                message = "a name holds another entity's, which is acted on wherever it stands"
                yield Problem(source, 0, key, message, "warning")


def _parts(words: tuple[bytes, ...]) -> Iterator[tuple[bytes, ...]]:
    """Every run of words that stand together, all of them included."""
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            yield words[start:end]


def _lint_texts(policy: Policy) -> Iterator[Problem]:
    source = str(policy.source)
    answers = {pair.answer for pair in policy.pairs}
    empty = left_out = ordinary = long_words = 0
    for text in policy.texts:
        runs = text_runs(text, policy, answer=text in answers)
        empty += not fold_words(text)
        left_out += runs.ordinary > 0 and not runs.phrases
        ordinary += runs.ordinary
        long_words += any(len(word) > LONGEST for word in fold_words(text))
    for count, message in (
        (empty, "texts have no letters or digits and match nothing"),
        (left_out, "texts are ordinary language and are not filtered from answers"),
        (ordinary, "runs of words that ordinary language contains are left out"),
        (long_words, f"texts have a word of over {LONGEST} bytes, of which no more is read"),
    ):
        if count:
            yield Problem(source, 0, "forget.texts", f"{count} {message}", "warning")
