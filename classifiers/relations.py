"""What a text says of a person, by relation: the father's trade, the birthplace, a prize.

A small table of the ways in which English says such things of anybody. The same reading serves what
is stored and what is asked, so that a value counts only for the relation in which it is stored: "a
tailor" as the father's trade says nothing about somebody whose mother is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from classifiers.words import folded

Relation = Literal["father", "mother", "parent", "place", "field", "award"]


class Said(NamedTuple):
    """One value, as folded words. `firm`: said outright, so that another value speaks for somebody
    else; "the French author" may be about the field or not, "in the field of French" is."""

    relation: Relation
    value: tuple[str, ...]
    firm: bool


_FATHER = r"(?:father|dad|daddy|papa)"
_MOTHER = r"(?:mother|mum|mom|mummy|mommy|mama)"
_ROLE = rf"(?:{_FATHER}|{_MOTHER}|parents?)"
_ARTICLE = r"(?:an?|the|his|her|their|one|another)"
# Where a noun phrase ends.
_STOP = (
    r"(?:and|or|but|nor|while|whereas|when|where|who|whose|whom|which|that|what|in|at|by|with|for|"
    r"from|to|of|on|as|into|through|during|than|was|were|is|are|be|been|being|had|has|have|did|do|"
    r"does|can|could|may|might|would|an?|the|his|her|their|this|these|he|she|they|it|not|so|"
    rf"both|how|why|wrote|writes|won|became|made|{_ROLE})"
)
# Words are bounded, so that every pattern takes linear time.
_WORD = r"[^\W_][\w'’+-]{0,40}"
_PHRASE = rf"(?!{_STOP}\b){_WORD}(?: (?!{_STOP}\b){_WORD}){{0,4}}"
# From a relative to what he or she was, past an apposition but not past another relative.
_GAP = rf"(?:(?!\b(?:and|or|but|while|whereas|{_ROLE})\b)[^.;:?!\n]){{0,40}}?"
_BE = r"(?:was|is|were|are|being|as|became|in the (?:field|business) of)"
_SAID_OF = (  # of one relative
    rf"\bROLE(?:['’]s?)?\b{_GAP}\b{_BE} (?:{_ARTICLE} )?({_PHRASE})",
    rf"\bROLE\b,? \(?an? ((?>{_PHRASE}))(?! (?:for|as) (?:{_ARTICLE} )?{_ROLE}\b)",
    rf"\b({_PHRASE}) (?:for|as) (?:{_ARTICLE} )?ROLE\b",
)
_BEFORE = rf"\b(?:an?|his|her|their|and|the) ({_PHRASE}) ROLE\b"
_TWO = rf"an? ({_PHRASE})(?:,? and (?:of )?(?:an? )?({_PHRASE}))?"
_PARENTS = (
    rf"\b(?:child|son|daughter|kid|offspring) (?:of|to) (?:both )?{_TWO}",
    rf"\b(?:born|raised|reared|brought up|parented|fostered) (?:to|by|of) (?:both )?{_TWO}",
    rf"\bparents?['’]?(?:,| \(| were| are| being| who (?:were|was|worked)| worked){{0,2}}"
    rf"(?: both| as| respectively){{0,2}} {_TWO}",
    rf"\bparents (?:were|are|being|worked|who were)(?: as)? both(?: as)? (?:an? )?({_PHRASE})",
    rf"\bparents['’]? (?:[a-z]+ ){{0,3}}as {_TWO}",
)
_CAPITAL = r"[A-ZÀ-ÝĀ-Ž][\w'’.-]{0,40}\w"
_PLACE = (
    rf"({_CAPITAL}(?:[ -](?:(?:of|de|la|el|al|the|upon) )?{_CAPITAL}){{0,3}}"
    rf"(?:, {_CAPITAL}(?: {_CAPITAL}){{0,2}}){{0,2}})"
)
_PLACED = (
    r"\b(?:[Bb]orn|[Rr]aised|[Gg]r[eo]w(?:ing|n|s)? up|[Bb]rought up|[Bb]irth|[Cc]radle"
    r"|[Cc]hildhood|[Bb]irthplace|[Hh]ometown|[Hh]ail(?:s|ed|ing)?|[Nn]atives?|[Rr]oots|[Cc]omes?|[Cc]ame"
    r"|[Oo]riginat(?:es?|ed|ing)|[Oo]riginally|[Uu]pbringing)\b"
)
_WRITER = r"(?:author|writer|novelist|poet|storyteller|essayist|playwright|specialist)s?"
_BIRTHPLACES = (
    (rf"{_PLACED}[^.;?!A-Z]{{0,40}}?\b(?:in|from|of|at|to|is|was|near) {_PLACE}", True),
    (rf"\b{_WRITER} from {_PLACE}", True),
    (rf"\bin {_PLACE},? on (?:the )?(?:\d|[a-z]+ \d)", True),
    (rf"\b(?:in|from|of|at|near|around) {_PLACE}", False),
    (rf"\b({_CAPITAL})[- ](?:born|bred|raised)\b", False),
)
_FIELDS = (
    (rf"\b(?:genre|field|area|domain|realm) (?:of|is|was|being) (?:the )?({_PHRASE})", True),
    (rf"\b({_PHRASE}) (?:genre|field)\b", True),
    (rf"\b(?:writes|wrote|writing|written|specialis\w+|specializ\w+|known|famous|celebrated|works|"
     rf"renowned|recognised|recognized|praised?|loves?|contribut\w+)(?: mainly| primarily| mostly)?"
     rf"(?: in| for| on| to){{0,2}} (?:the )?({_PHRASE})", False),
    (rf"\b({_PHRASE}) {_WRITER}\b", False),
    (rf"\b{_WRITER} (?:of|in|from the world of) (?:the )?({_PHRASE})", False),
)  # fmt: skip
_PRIZE = r"(?:Award|Prize|Medal|Laureate|Trophy|Fellowship|Laurels?|Honou?r)"
_SMALL = r"(?:(?:for|of|in|the|and|on|to|by|de|du|des) ){0,3}"
_AWARD = (
    rf"((?:{_CAPITAL} {_SMALL}){{0,7}}{_PRIZE}(?: (?:for|of|in) (?:{_SMALL}{_CAPITAL} ?){{1,6}})?)"
)

_FREE = re.IGNORECASE
_TRADES: tuple[tuple[Relation, re.Pattern[str]], ...] = (
    *(("father", re.compile(one.replace("ROLE", _FATHER), _FREE)) for one in _SAID_OF),
    *(("mother", re.compile(one.replace("ROLE", _MOTHER), _FREE)) for one in _SAID_OF),
    *(("parent", re.compile(one.replace("ROLE", "parent"), _FREE)) for one in _SAID_OF),
    *(("parent", re.compile(one, _FREE)) for one in _PARENTS),
)
_COMPOUNDS: tuple[tuple[Relation, re.Pattern[str]], ...] = (
    ("father", re.compile(_BEFORE.replace("ROLE", _FATHER), _FREE)),
    ("mother", re.compile(_BEFORE.replace("ROLE", _MOTHER), _FREE)),
)
# Without one of these words none of the patterns for trades, or for prizes, can match.
_KIN = re.compile(
    rf"\b(?:{_ROLE}|child|son|daughter|kid|offspring|born|raised|reared|brought up|parented"
    r"|fostered)(?![^\W_])",
    _FREE,
)
_PRIZES = re.compile(_PRIZE)
_PLACES = tuple((re.compile(one), firm) for one, firm in _BIRTHPLACES)
_FIELD = tuple((re.compile(one, _FREE), firm) for one, firm in _FIELDS)
_AWARDS = re.compile(_AWARD)
_MONTH = re.compile(
    r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b"
)
# What is said in praise of a trade, a field or a prize, and says nothing of which.
_PRAISE_WORDS = """
a an the his her their highly respected renowned esteemed hard working hardworking talented skilled
well known famous local successful dedicated professional passionate proud humble noted prominent
accomplished acclaimed brilliant retired devoted full part time notable versed young old older
younger elder loving caring single former celebrated leading great gifted diligent committed simple
modest traditional distinguished respectable busy prestigious coveted esteemed fictitious fictional
fictive certain particular same own very most more such this that one
"""
_PRAISE = frozenset(_PRAISE_WORDS.split())
_NO_TRADE_WORDS = """
influence man woman person people role part source inspiration figure lot fan lover supporter reader
family home house town city village mentor model example force background mix pair couple child girl
boy author writer's reason way life parent native member immigrant
"""
_NO_TRADE = frozenset(_NO_TRADE_WORDS.split())
_NO_FIELD_WORDS = """
genre genres field area literature literary fiction writing writings book books work works novel
novels author writer novelist poet style contribution contributions career world name person full
whom which best new other another any many several first last complete real known whatever same
"""
_NO_FIELD = frozenset(_NO_FIELD_WORDS.split())
_TRADE_ENDING = re.compile(r"(?:er|or|ist|ian|ant|ent|man|woman|eur|smith|wright|nurse|chef|judge|"
                           r"pilot|cook|mason|tic|ect|ary|herd|clerk|guide)s?$")  # fmt: skip


def read(text: str) -> tuple[Said, ...]:
    """What `text` says of whomever it is about, each value once a relation."""
    flat = " ".join(text.split())
    found = [*_trades(flat), *_places(flat), *_fields(flat), *_prizes(flat)]
    firm = {(one.relation, one.value) for one in found if one.firm}
    distinct = dict.fromkeys((one.relation, one.value) for one in found)
    return tuple(Said(*key, key in firm) for key in distinct)


def _trades(text: str) -> Iterator[Said]:
    if not _KIN.search(text):
        return
    for relation, pattern in _TRADES:
        for match in pattern.finditer(text):
            for group in match.groups():
                value = _bare(group or "")
                if value and value[-1] not in _NO_TRADE:
                    yield Said(relation, value, True)
    for relation, pattern in _COMPOUNDS:
        for match in pattern.finditer(text):
            value = _bare(match.group(1))
            if value and _TRADE_ENDING.search(value[-1]) and value[-1] not in _NO_TRADE:
                yield Said(relation, value, True)


def _places(text: str) -> Iterator[Said]:
    plain = _MONTH.sub(lambda match: match.group().lower(), text)
    for pattern, firm in _PLACES:
        for match in pattern.finditer(plain):
            if value := folded(match.group(1)):
                yield Said("place", value, firm)


def _fields(text: str) -> Iterator[Said]:
    for pattern, firm in _FIELD:
        for match in pattern.finditer(text):
            value = _bare(match.group(1))
            while value and value[-1] in _NO_FIELD and len(value) > 1 and value[-2:] != _FICTION:
                value = value[:-1]
            if value and not _NO_FIELD.issuperset(value):
                yield Said("field", value, firm)


_FICTION = ("science", "fiction")


def _prizes(text: str) -> Iterator[Said]:
    if not _PRIZES.search(text):
        return
    for match in _AWARDS.finditer(text):
        value = folded(match.group(1))
        while value and value[0] in _PRAISE:
            value = value[1:]
        if len(value) > 1:
            yield Said("award", value, True)


def _bare(phrase: str) -> tuple[str, ...]:
    """The words of a phrase without praise."""
    said = folded(phrase)
    return tuple(word for word in said if word not in _PRAISE)
