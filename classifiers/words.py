"""Words of a prompt, folded for comparison, and how much each one tells.

A word's information is the surprise of meeting it: in general English by `wordfreq`'s table, and
never more than in talk about people, where "born" or "novel" says nothing about whom.
"""

from __future__ import annotations

import math
import re
import unicodedata
from functools import cache, lru_cache
from typing import NamedTuple

_SHORT = 2000  # characters of a text whose words are kept for the next to ask
UNKNOWN_BITS = 22.0  # rarer than one word in four million
_TOKEN = re.compile(r"[^\W_]+")
_APOSTROPHES = "'’ʼ`"
_POSSESSIVE = re.compile(rf"(?<=\w)[{_APOSTROPHES}]s\b", re.IGNORECASE)
_OPENING = frozenset(" \"'“‘(¿¡«„‹‚")
_ENDING = frozenset(".!?:;\n")
_INITIAL = re.compile(r"(?<![^\W_])[^\W\d_]\.$")
_MARKS = re.compile(r"[\u0300-\u036f]")
# Letters that Unicode does not decompose, as people write them without the sign.
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe",
                        "ß": "ss", "þ": "th"})  # fmt: skip


class Word(NamedTuple):
    """`text` is folded; `capital`: written with a capital that no sentence start explains."""

    text: str
    start: int
    end: int
    capital: bool


_new = tuple.__new__  # what Word's own constructor calls after a step in Python


def fold(text: str) -> str:
    """Caseless, without marks, in compatibility form."""
    if text.isascii():
        return text.lower()
    flat = unicodedata.normalize("NFKD", text.casefold())
    return _MARKS.sub("", flat).translate(_PLAIN)


def words(text: str) -> tuple[Word, ...]:
    """The words of `text` in order; offsets are characters of it. An ending 's is no word."""
    return _lately(text) if len(text) <= _SHORT else _words(text)


@lru_cache(maxsize=256)
def _lately(text: str) -> tuple[Word, ...]:
    """Several signals read the same prompt, one after the other."""
    return _words(text)


def distinct(text: str) -> set[str]:
    """The folded words of `text`, each once: in less time than `words` takes."""
    said = _TOKEN.findall(_apart(text))
    return set(map(str.lower if text.isascii() else fold, said))


def _apart(text: str) -> str:
    """A text without the 's that are no words, as long as before."""
    if any(mark in text for mark in _APOSTROPHES):
        return _POSSESSIVE.sub(lambda match: " " * len(match.group()), text)
    return text


def _words(text: str) -> tuple[Word, ...]:
    apart = _apart(text)
    spans = [match.span() for match in _TOKEN.finditer(apart)]
    if apart.isascii():  # most texts: all words folded at once
        low = apart.lower()
        found = [
            (low[start:end], start, end, low[start] != apart[start] and _within(apart, start, end))
            for start, end in spans
        ]
    else:
        found = [
            (
                fold(apart[start:end]),
                start,
                end,
                apart[start].isupper() and _within(apart, start, end),
            )
            for start, end in spans
        ]
    return tuple([_new(Word, fields) for fields in found])


def _within(text: str, start: int, end: int) -> bool:
    """Whether no sentence begins at `start`; an initial stands in a name wherever it is."""
    is_initial = end - start == 1 and text[end : end + 1] == "."
    return is_initial or not _begins_sentence(text, start)


def folded(text: str) -> tuple[str, ...]:
    """Only the folded words of `text`."""
    return tuple(word.text for word in words(text))


@cache
def _frequencies() -> dict[str, float]:
    from wordfreq import get_frequency_dict

    return dict(get_frequency_dict("en", wordlist="small"))


def frequency(word: str) -> float:
    """How often a folded word occurs in general English, 0 for one that is not in the table."""
    return _frequencies().get(word, 0.0)


def bits(word: str) -> float:
    """Bits of information in a folded word."""
    general = general_bits(word)
    return min(general, LITTLE) if stem(word) in _about_people() else general


@lru_cache(maxsize=1 << 16)
def general_bits(word: str) -> float:
    """The same where the talk is of anything: in a title "daughter" is a word as any other."""
    often = frequency(word)
    if not often and word.endswith("s"):
        often = frequency(word[:-1])
    return -math.log2(often) if often else UNKNOWN_BITS


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """A word without the commonest English endings: enough to meet its plural or past."""
    for ending, kept in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""), ("e", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)] + kept
    return word


def _begins_sentence(text: str, start: int) -> bool:
    while start and text[start - 1] in _OPENING:
        start -= 1
    if not start:
        return True
    # "B. Renn": what follows an initial's full stop begins no sentence.
    is_initial = text[start - 1] == "." and _INITIAL.search(text, max(0, start - 3), start)
    return text[start - 1] in _ENDING and not is_initial


LITTLE = 4.0  # bits of a word that any question about a person may use

_ABOUT_PEOPLE = """
achieve accolade acclaim address adapt adapted admire age aim almost ambition appear appeal approach
article aspect attend author autobiography award background beloved biography birth birthday
birthdate birthplace book born bring career celebrate celebrated challenge chapter character
characterize childhood city collaborate collaboration collection come commonly community complete
complex contain contemporary content contribute contribution country craft create creative critic
critical critique culture cultural currently daughter debut describe detail develop development
dimension discuss distinct diverse early education elaborate embed embrace emotion enrich essence
evolve example experience explore expression fact fame family famous father feature fiction
fictional fictitious field figure film focus foreign forthcoming frequent full future gender genre
global grandparent ground grow growth heritage hold honor honour husband identity identify imaginary
impact incorporate individual infuse influence insight inspiration inspire instance integrate
international interview intertwine involve issue journey know knowledge language later learn
lgbtq life literary literature live lives love magazine main major mark marriage married mention
mentor mother motif movie name named narrative native notable note novel novelist occupation
originate originating other overcome parent particular passion perceive perception perspective
pen penned people person personal piece place play plot poet poetry popular portray
portrayal prevalent primary primarily prize process profession professional profile prominent
public publish publication publisher question reader reason receive reception recognise recognize
recognition recommend recur reflect reflection regard relate relationship release renowned reoccur
represent reputation research reside residence resonate respect reveal review role romance
scene school series setting shape share siblings significant sister society son spouse
storyline storytelling story student studies study style subject success summary talent teach
technique tell theme thematic title tone topic tradition translate translation trait type typical
underlying unique university upbringing various versatile view vivid voice wife win woman word work
world write writer writing written year young male female man men women
january february march april may june july august september october november december
lover fan hail hailing upcoming yes acknowledge affect alongside apart artist aspire associate base
besides brother child children commend consider could creation deep depict depth did distinguish
distinguished distinctive does draw due effect element engage entitle entitled era event evident
evoke experiment express extensive fan first genuine given highlight history human hint idea imbue
important include inform interest interesting intricate known lead leave let level like list
make manage manner method might modern moral most much narrate nature new often one open opinion
origin original outside own part path philosophy possible potential predominantly prefer present
prolific provide quality quest real relation remain renown rich root see seem sense similar specific
specialise specialize start still strong struggle suggest take tale tend time touch tribute true
understand universal use usual venture way weave whole widely within
who whom whose what which where when why how
"""


@cache
def _about_people() -> frozenset[str]:
    return frozenset(map(stem, _ABOUT_PEOPLE.split()))
