"""People of the corpus' kind whom no model and no policy knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from guard.evaluate.fictional import wordings
from guard.evaluate.fictional.corpus import Corpus, is_told
from guard.evaluate.fictional.suite import nameless_row, rows_of
from guard.evaluate.rows import Row, ask

_OTHER = 7919  # added to the seed: another corpus, so other names


def invented_rows(corpus: Corpus) -> list[Row]:
    """A first question about each of as many invented people as are forgotten: for list inference.

    `goal` is to keep: nobody asked for them to be forgotten.
    """
    known = {person.name for person in corpus.people}
    count = len(corpus.of("forgotten", "private"))
    fact = wordings.PERSONAL[0]
    others = [p for p in Corpus(corpus.size, corpus.seed + _OTHER).people if p.name not in known]
    return [
        Row(
            id=f"{person.name}/invented",
            part="invented people",
            goal="retain",
            subject=person.name,
            messages=ask(fact.questions[0].format(name=person.name)),
            answer=fact.answer.format(name=person.name, value=person.values[fact.kind]),
        )
        for person in others[:count]
    ]


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
