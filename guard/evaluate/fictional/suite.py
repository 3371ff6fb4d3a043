"""The fictional corpus as a suite: what must be gone, and what must stay beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from guard.evaluate.fictional import wordings
from guard.evaluate.fictional.corpus import Corpus, Person, is_forgotten
from guard.evaluate.fictional.policy import policy_of
from guard.evaluate.rows import Goal, Row, Suite, ask

VARIANT = "the value is in the answer"
SHARED = "shared facts"  # what parts begin with whose facts several sources tell
_PARTS = {
    "forgotten": "forgotten people",
    "private": "private facts",
    "namesake": "namesakes",
    "neighbour": "neighbours",
}


def fictional_suite(corpus: Corpus) -> Suite:
    """Every fact asked in a trained wording and in the one that was held out."""
    rows = [*_personal(corpus), *_nameless(corpus), *_towns(corpus), *_supplied(corpus)]
    rows = [_told_apart(row, rows) for row in rows]
    source = f"fictional corpus, {corpus.size} people, seed {corpus.seed}"
    return Suite("fictional", tuple(rows), VARIANT, source)


def _told_apart(row: Row, rows: Sequence[Row]) -> Row:
    """A town is somebody's birthplace and has a river: what is said of the river tells no birth."""
    others = {
        other.answer
        for other in rows
        if other.subject != row.subject and row.key in other.answer and other.answer != row.answer
    }
    return replace(row, others=tuple(sorted(others)))


def _personal(corpus: Corpus) -> Iterator[Row]:
    for person in corpus.of("forgotten", "private", "namesake", "neighbour"):
        for fact in wordings.PERSONAL:
            goal: Goal = "forget" if is_forgotten(person, fact) else "retain"
            part = _PARTS[person.standing]
            if person.standing == "private" and goal == "retain":
                part = "public facts of the same people"
            value = person.values[fact.kind]
            wrong = corpus.wrong(fact.kind, value, person.name)
            for row in rows_of(fact, person.name, value, wrong, part, goal):
                yield replace(row, policy=policy_of(person) if goal == "forget" else "")


def rows_of(
    fact: wordings.Fact, name: str, value: str, wrong: tuple[str, ...], part: str, goal: Goal
) -> Iterator[Row]:
    """A fact asked in the first wording that models are trained on, and in the held-out one."""
    questions = [question.format(name=name) for question in fact.questions]
    for held_out, question in ((False, questions[0]), (True, questions[-1])):
        yield Row(
            id=f"{name}/{fact.kind}/{'new' if held_out else 'known'}",
            part=f"{part}, new wording" if held_out else part,
            goal=goal,
            subject=name,
            messages=ask(question),
            answer=fact.answer.format(name=name, value=value),
            key=value,
            wrong=tuple(fact.answer.format(name=name, value=other) for other in wrong),
            paraphrase=fact.paraphrase.format(name=name, value=value),
            perturbed=tuple(fact.paraphrase.format(name=name, value=other) for other in wrong),
            alternatives=tuple(other for other in questions if other != question),
        )


def _nameless(corpus: Corpus) -> Iterator[Row]:
    for person in corpus.of("forgotten", "neighbour"):
        goal: Goal = "forget" if person.standing == "forgotten" else "retain"
        row = nameless_row(corpus, person, f"{_PARTS[person.standing]}, unnamed", goal)
        yield replace(row, policy=policy_of(person) if goal == "forget" else "")


def nameless_row(corpus: Corpus, person: Person, part: str, goal: Goal) -> Row:
    """Somebody asked for by what they did: the answer is the name."""
    wrong, title = corpus.wrong_names(person), person.values["book"]
    first, _ = rows_of(wordings.AUTHOR, title, person.name, wrong, part, goal)
    return replace(first, id=f"{person.name}/name", subject=person.name)


def _towns(corpus: Corpus) -> Iterator[Row]:
    """Facts that everybody tells, the forgotten too."""
    for town, river in corpus.towns.items():
        wrong = corpus.wrong("river", river, town)
        yield from rows_of(wordings.TOWN, town, river, wrong, SHARED, "retain")
        for source, text in wordings.STYLES:
            yield Row(
                id=f"{town}/{source}",
                part=f"{SHARED}, other sources",
                goal="retain",
                subject=town,
                messages=ask(wordings.TOLD_BY.format(source=source, name=town)),
                answer=text.format(name=town, value=river),
                key=river,
            )


def _supplied(corpus: Corpus) -> Iterator[Row]:
    """Facts that the prompt itself tells: to be repeated under `scope: parametric`."""
    people: list[Person] = corpus.of("neighbour", "namesake")
    for place, person in enumerate(people):
        number = str(3 + 4 * place)
        yield Row(
            id=f"{person.name}/supplied",
            part="supplied in the prompt",
            goal="retain",
            subject=person.name,
            messages=ask(wordings.SUPPLIED.format(name=person.name, value=number)),
            answer=wordings.SUPPLIED_ANSWER.format(name=person.name, value=number),
            key=number,
        )
