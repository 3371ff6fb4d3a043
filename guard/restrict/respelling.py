"""The other spellings of a name: in the other alphabet, and as it sounds.

A name is often written down by ear ("Harri" for "Harry"), with an umlaut spelt out, or in Cyrillic
by one of several customs. A transliterator gives one form, letter by letter (cyrtranslit "Харри"
for "Harry", where most write "Гарри"), so that the customs are rules here, with each choice that
they leave open tried. An irregular form has to be listed as an alias.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import combinations, islice, product

from guard.restrict.folding import fold_words

MOST_BY_EAR = 24  # spellings as it sounds, of one name
MOST_IN_LETTERS = 24  # spellings in the other alphabet, of one name
# A shorter name, or one of one word, is a letter away from somebody else's: Anna, Ana.
LEAST_LETTERS = 8

Rule = tuple[re.Pattern[str], tuple[str, ...]]


def _rules(table: str) -> tuple[Rule, ...]:
    """Patterns, each followed by its choices: the customary one first, `-` for nothing."""
    cells = table.split()
    return tuple(
        (re.compile(pattern), tuple(choice.replace("-", "") for choice in choices.split("|")))
        for pattern, choices in zip(cells[::2], cells[1::2], strict=True)
    )


_UMLAUTS = (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("å", "aa"), ("ø", "oe"), ("æ", "ae"))
# One of these at a time: what a listener writes who knows the sound and not the name.
_BY_EAR = _rules(r"""
    (?<=[^\Waeiou])y\b      i|ie|ey
    (?<=\w)ie\b             y|i
    (?<=\w)ey\b             y|ie
    (?<=[^\Waeiou])i\b      y|ie
    (?<=[^\Waeiou])y(?=\w)  i
    ([bdfglmnprstz])\1      \1
    ph f   ck k   th t   ks x   x ks   qu kw
    c(?=[aoulr]|\b)  k
    k(?=[aoulr]|\b)  c
    ch(?=[rl])       k|c
    (?<=[aeiou])z(?=[aeiou])  s
    (?<=[aeiou])s(?=[aeiou])  z
""")
# In order: the first that fits at a place is taken there.
_TO_CYRILLIC = _rules(r"""
    shch щ   sch ш|сх   sh ш   ch ч|х|к   th т|с   ph ф   kh х   zh ж   ts|tz ц   ck к   qu кв
    ee и   ea и|е   oo у   ou у|оу   ow оу|ау|ов   ya я   yu ю   yo ё|йо   ay|ai эй|ай
    (?<=\w)sk[iy]\b ский|ски   ia\b ия|иа   ey\b и|ей   ei|ey ей|ай   oy ой   ie\b и   \be э|е
    c(?=[eiy]) с|ц   g(?=[eiy]) г|дж   l(?=[^\Waeiouyl]|\b) ль|л
    y\b и|й   y(?=[aeiou]) й
    a а   b б   c к   d д   e е   f ф   g г   h г|х   i и   j дж|й|ж|х   k к   l л   m м   n н
    o о   p п   q к   r р   s с   t т   u у   v в   w у|в   x кс   y и   z з|ц
""")
_TO_LATIN = _rules(r"""
    ий\b|ый\b y|iy|ii   кс ks|x   ье ye|ie   [ъь] -   \b[её] ye|e
    а a   б b   в v   г g|h   ґ g   д d   е e   ё yo|e   є ye|ie   ж zh|j   з z   и i   і i
    ї yi|i   й y|i   к k   л l   м m   н n   о o   п p   р r   с s   т t   у u   ф f   х kh|h
    ц ts|c   ч ch   ш sh   щ shch   ы y   э e   ю yu|iu   я ya|ia
""")


def respellings(name: str) -> tuple[str, ...]:
    """Other spellings of a name, without the name and without two that fold alike.

    As it sounds only names of two words and more, and of eight letters and more; in Cyrillic what
    is in Latin letters, and the other way round.
    """
    known = {tuple(fold_words(name))}
    found = []
    for spelling in _candidates(" ".join(name.lower().split())):
        words = tuple(fold_words(spelling))
        if words not in known:
            known.add(words)
            found.append(spelling)
    return tuple(found)


def _candidates(name: str) -> Iterator[str]:
    yield from _spelt_out(name)
    plain = b" ".join(fold_words(name)).decode()
    if len(plain.split()) > 1 and sum(map(str.isalpha, plain)) >= LEAST_LETTERS:
        yield from islice(_by_ear(plain), MOST_BY_EAR)
    yield from islice(_in_letters(plain, _TO_CYRILLIC), MOST_IN_LETTERS)
    yield from islice(_in_letters(name, _TO_LATIN), MOST_IN_LETTERS)


def _spelt_out(name: str) -> Iterator[str]:
    """With its umlauts as two letters."""
    spelt = unicodedata.normalize("NFC", name)
    for letter, two in _UMLAUTS:
        spelt = spelt.replace(letter, two)
    yield spelt


def _by_ear(name: str) -> Iterator[str]:
    """One sound spelt another way: everywhere, and where it occurs more than once, at one place."""
    for pattern, choices in _BY_EAR:
        places = list(pattern.finditer(name))
        for choice in choices:
            if places:
                yield pattern.sub(choice, name)
            if len(places) > 1:
                for place in places:
                    yield name[: place.start()] + place.expand(choice) + name[place.end() :]


def _in_letters(name: str, rules: Sequence[Rule]) -> Iterator[str]:
    """By the rules of another alphabet, the customary choices first, then those that differ in one
    rule, in two, and so on. Nothing where a letter has no rule."""
    taken = _parse(name, rules)
    if taken is None:
        return
    open_rules = sorted(
        {rule for rule in taken if isinstance(rule, int) and len(rules[rule][1]) > 1}
    )
    for changed in range(len(open_rules) + 1):
        for which in combinations(open_rules, changed):
            for picks in product(*(rules[rule][1][1:] for rule in which)):
                chosen = dict(zip(which, picks, strict=True))
                yield "".join(
                    part if isinstance(part, str) else chosen.get(part, rules[part][1][0])
                    for part in taken
                )


def _parse(name: str, rules: Sequence[Rule]) -> list[str | int] | None:
    """The name as the numbers of the rules that spell it, with what is no letter as it is; None
    where a letter has no rule, or where there is no letter."""
    parts: list[str | int] = []
    at = 0
    while at < len(name):
        fits = ((number, rule.match(name, at)) for number, (rule, _) in enumerate(rules))
        number, found = next(((n, fit) for n, fit in fits if fit), (0, None))
        if found is not None:
            parts.append(number)
            at = found.end()
        elif name[at].isalpha():
            return None
        else:
            parts.append(name[at])
            at += 1
    return parts if any(isinstance(part, int) for part in parts) else None
