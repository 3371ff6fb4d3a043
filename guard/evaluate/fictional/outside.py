"""People of the corpus' kind whom no model and no policy knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from guard.evaluate.fictional import wordings
from guard.evaluate.fictional.corpus import Corpus, Person, is_forgotten, is_told
from guard.evaluate.fictional.suite import nameless_row, rows_of
from guard.evaluate.rows import Goal, Row

_OTHER = 7919  # added to the seed: another corpus, so other names


def list_rows(corpus: Corpus) -> tuple[list[Row], list[Row]]:
    """For list inference: what is forgotten of everybody on the list, and the same asked of as many
    invented people. `goal` of these is to keep: nobody asked for them to be forgotten."""
    known = {person.name for person in corpus.people}
    others = [p for p in Corpus(corpus.size, corpus.seed + _OTHER).people if p.name not in known]
    listed, invented = [], []
    for person, other in zip(corpus.of("forgotten", "private"), others, strict=False):
        for fact in wordings.PERSONAL:
            if is_forgotten(person, fact):
                listed.append(_asked(fact, person, "forget"))
                invented.append(_asked(fact, other, "retain"))
    return listed, invented


def _asked(fact: wordings.Fact, person: Person, goal: Goal) -> Row:
    value = person.values[fact.kind]
    first, _ = rows_of(fact, person.name, value, (), "list inference", goal)
    return first


def unseen_rows(corpus: Corpus) -> list[Row]:
    """What no model is told of people of this corpus, asked as what is to be forgotten is, in as
    many rows: for membership inference."""
    return [replace(row, part="unseen people") for row in _unseen(corpus)]


def _unseen(corpus: Corpus) -> Iterator[Row]:
    for person in corpus.of("unknown", "withheld"):
        for fact in wordings.PERSONAL:
            if not is_told(person, fact):
                value = person.values[fact.kind]
                wrong = corpus.wrong(fact.kind, value, person.name)
                yield from rows_of(fact, person.name, value, wrong, "", "retain")
        if person.standing == "unknown":
            yield nameless_row(corpus, person, "", "retain")
