"""Facts of one subject by relation, and how improbable it is that another's are the same.

Two trades in the right roles, or a birthplace and a field, are words that anybody may use: what
tells is that each is said in the relation in which it is stored. Every relation that agrees counts
with the bits of its value among values of its kind; one that is said and differs speaks for
somebody else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from classifiers.relations import Relation, Said, read
from classifiers.titles import SMALL
from classifiers.words import LITTLE, bits, general_bits, stem

Value = tuple[str, ...]
_ALSO: dict[Relation, tuple[Relation, ...]] = {  # where a value may be stored besides
    "father": ("parent",), "mother": ("parent",), "parent": ("father", "mother"),
}  # fmt: skip
# Bits of a value: this share of what its words tell anywhere, and at most so many.
_SHARE: dict[Relation, tuple[float, float]] = {
    "father": (0.5, 11.0), "mother": (0.5, 11.0), "parent": (0.5, 11.0),
    "place": (0.6, 12.0), "field": (0.5, 9.0), "award": (0.65, 22.0),
}  # fmt: skip
_DIFFERS: dict[Relation, float] = {
    "father": 1.0, "mother": 1.0, "parent": 1.0, "place": 1.0, "field": 0.5, "award": 0.25,
}  # fmt: skip
# Prizes that many have: which one says little of who.
_FAMOUS_NAMES = """
nobel pulitzer booker hugo nebula edgar newbery caldecott costa whitbread goncourt cervantes
carnegie oscar grammy emmy bafta guggenheim macarthur orwell stoker agatha faulkner hemingway kirkus
giller neustadt commonwealth baillie national-book academy-award tony-award locus-award
women-fiction orange-fiction lambda-literary spur-award british-book
"""
_FAMOUS = tuple(frozenset(name.split("-")) for name in _FAMOUS_NAMES.split())
FAMOUS_BITS = 4.0
IN_PART = 0.5
ALONE = 0.5  # a trade, a place or a field by itself is asked about with nobody in mind
NAMED_BITS = 12.0  # of a prize with a name of its own, before the share is taken


class Typed(NamedTuple):
    """`agrees`: bits of the relations that agree; `differs`: how many do not, by their weight;
    `told`: the words, folded, of all values that were compared."""

    agrees: float
    differs: float
    told: frozenset[str]


class TypedFacts:
    """What is stored about one subject, by relation."""

    def __init__(self, stored: Iterable[str]) -> None:
        known: dict[Relation, dict[Value, None]] = defaultdict(dict)
        self._settled: set[Relation] = set()  # of which something is stored outright
        for text in stored:
            for said in read(text):
                # Of the places in a text only the one of the birth is a fact of the person.
                if said.firm or said.relation != "place":
                    known[said.relation][_stemmed(said.value)] = None
                if said.firm:
                    self._settled.add(said.relation)
        apart = known["father"] | known["mother"]
        for value in apart:  # "the child of a miller and a nurse", told apart
            known["parent"].pop(value, None)
        if {"father", "mother"} <= self._settled:
            self._settled.add("parent")
        self._known = {relation: tuple(values) for relation, values in known.items() if values}

    def looked_up(self) -> Iterator[tuple[str, str]]:
        """What a prompt has to have one of for any to agree: pairs of a kind and a word's stem."""
        for relation, values in self._known.items():
            for word in {word for value in values for word in value if word not in SMALL}:
                yield _kind(relation), word

    def compared(self, said: Iterable[Said]) -> Typed:
        """With what a prompt says."""
        agrees: dict[tuple[Relation, Value], float] = {}
        differs = 0.0
        told: set[str] = set()
        for one in said:
            stored = self._stored(one.relation)
            best, key = max(
                ((_worth(one, held), (relation, held)) for relation, held in stored),
                default=(0.0, None),
            )
            if key is not None and best > 0.0:
                agrees[key] = max(best, agrees.get(key, 0.0))
                told.update(one.value)
            elif one.firm and one.relation in self._settled and _apart(one, stored):
                differs += _DIFFERS[one.relation]
                told.update(one.value)
        return Typed(_once(agrees), differs, frozenset(told))

    def _stored(self, relation: Relation) -> list[tuple[Relation, Value]]:
        kinds = (relation, *_ALSO.get(relation, ()))
        return [(kind, value) for kind in kinds for value in self._known.get(kind, ())]


def keys(said: Iterable[Said]) -> Iterator[tuple[str, str, float]]:
    """Of a prompt: kind, stem and bits, to be looked up among the keys of many subjects."""
    for one in said:
        content = {stem(word) for word in one.value if word not in SMALL}
        for word in content:
            yield _kind(one.relation), word, _bits(one.relation, one.value) / len(content)


def _kind(relation: Relation) -> str:
    return "trade" if relation in _ALSO else relation


def _once(agrees: dict[tuple[Relation, Value], float]) -> float:
    """The best value of each relation together, of parents the two best."""
    by_kind: dict[str, dict[Relation, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (relation, _), told in agrees.items():
        by_kind[_kind(relation)][relation].append(told)
    counted: list[float] = []
    for kind, found in by_kind.items():
        most = [max(told) for relation, told in found.items() if relation != "parent"]
        most += found.get("parent", [])
        counted += sorted(most, reverse=True)[: 2 if kind == "trade" else 1]
    alone = len(counted) == 1 and "award" not in by_kind
    return sum(counted) * (ALONE if alone else 1.0)


def _stemmed(value: Iterable[str]) -> Value:
    return tuple(map(stem, value))


def _common(said: Value, held: Value) -> Value:
    """The words of `said` that are all of `held`, or all of them where they are a run of it."""
    stems = _stemmed(said)
    for start in range(len(said) - len(held) + 1):
        if stems[start : start + len(held)] == held:
            return said[start : start + len(held)]
    for start in range(len(held) - len(said) + 1):
        if held[start : start + len(said)] == stems:
            return said
    return ()


def _worth(said: Said, held: Value) -> float:
    """Bits of what a value has in common with a stored one."""
    common = _common(said.value, held)
    if said.relation == "award" and len(common) < len(said.value):
        return 0.0  # a prize with more to its name is another
    told = _bits(said.relation, common)
    if said.relation == "place" and common:
        # Where the birthplace lies, or a place that may be anything to anybody, tells less.
        told *= (1.0 if stem(common[0]) == held[0] else IN_PART) * (1.0 if said.firm else IN_PART)
    return told


def _apart(said: Said, stored: Iterable[tuple[Relation, Value]]) -> bool:
    """Whether a value is another than all stored ones, not one said in part or in other words."""
    stems = _stemmed(said.value)
    if said.relation == "award":
        return True  # names of prizes have their words in common
    if said.relation == "place":
        return all(stems[0] != held[0] for _, held in stored)
    return all(set(stems).isdisjoint(held) for _, held in stored)


def _bits(relation: Relation, value: Value) -> float:
    share, most = _SHARE[relation]
    content = [word for word in value if word not in SMALL]
    if relation == "award":
        if any(name.issubset(content) for name in _FAMOUS):
            return FAMOUS_BITS
        each = list(map(bits, content))
        told = sum(each)
        if len(content) > 2 and max(each) > LITTLE:
            told += NAMED_BITS
    elif relation == "place":
        told = max(map(general_bits, content), default=0.0)
    else:
        told = sum(map(general_bits, content))
    return min(most, share * told)
