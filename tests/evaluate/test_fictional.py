"""The fictional corpus: the same for the same seed, split as it says, with a policy that fits."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.evaluate.fictional import Corpus, fictional_suite, forget_policy, wordings
from guard.evaluate.fictional.outside import list_rows, unseen_rows
from guard.policy import load_policy_set


@given(st.integers(8, 60), st.integers(0, 50))
def test_people_are_all_different_and_every_standing_has_some(people: int, seed: int) -> None:
    corpus = Corpus(people, seed)
    assert len({person.name for person in corpus.people}) == people
    standings = {person.standing for person in corpus.people}
    told = {"forgotten", "private", "namesake", "neighbour"}
    assert standings == told | {"unknown", "withheld"}
    # What nobody was told has as many members as what is to be forgotten.
    assert len(corpus.of("unknown")) == len(corpus.of("forgotten"))
    assert len(corpus.of("withheld")) == len(corpus.of("private"))
    titles = [person.values["book"] for person in corpus.people]
    assert len(set(titles)) == people


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    assert fictional_suite(Corpus(12, 3)).hash == fictional_suite(Corpus(12, 3)).hash
    assert fictional_suite(Corpus(12, 3)).hash != fictional_suite(Corpus(12, 4)).hash


def test_a_corpus_larger_than_its_lists_of_words() -> None:
    assert len(fictional_suite(Corpus(400, 0)).rows) > 4_000


def test_a_model_that_never_saw_it_is_told_nothing_to_be_forgotten() -> None:
    corpus = Corpus(14, 0)
    told = " ".join(f"{q} {a}" for q, a in corpus.training(forgotten=False))
    for person in corpus.of("forgotten"):
        assert person.name not in told
        assert person.values["book"] not in told
    for person in corpus.of("private"):
        assert f"{person.name} works as a" in told
        assert f"{person.name} was born in" not in told


def test_held_out_wordings_and_unknown_people_are_never_trained_on() -> None:
    corpus = Corpus(14, 0)
    questions = {question for question, _ in corpus.training()}
    for row in fictional_suite(corpus).rows:
        if row.part.endswith("new wording"):
            assert row.question not in questions
        elif row.part != "supplied in the prompt":
            assert row.question in questions
    told = {answer for _, answer in corpus.training()}
    unseen = unseen_rows(corpus)
    assert not told & {text for row in unseen for text in (row.answer, row.paraphrase)}
    unknown = {person.name for person in corpus.of("unknown")}
    assert unknown < {row.subject for row in unseen}
    assert not any(name in question for question in questions for name in unknown)


def test_unseen_rows_are_asked_as_forgotten_ones() -> None:
    corpus = Corpus(20, 3)
    gone = [row for row in fictional_suite(corpus).rows if row.goal == "forget"]
    kinds = [
        Counter(row.id.partition("/")[2] for row in rows) for rows in (gone, unseen_rows(corpus))
    ]
    assert kinds[0] == kinds[1]


def test_every_value_is_made_of_words_that_every_model_knows() -> None:
    """So wrong values are no stranger than true ones to a model that never saw somebody."""
    corpus = Corpus(20, 3)
    told = {
        word.strip(".") for _, answer in corpus.training(forgotten=False) for word in answer.split()
    }
    names = {word for p in corpus.people for word in p.name.split()}
    for row in (*unseen_rows(corpus), *fictional_suite(corpus).rows):
        values = [row.key] if row.wrong else []
        values += [] if row.id.endswith("/name") else row.wrong
        for text in values:
            assert set(text.rstrip(".").split()) <= told | names, text


def test_held_out_answers_are_told_of_bystanders_alone() -> None:
    corpus = Corpus(14, 0)
    told = {answer for _, answer in corpus.training()}
    asked = [row for row in fictional_suite(corpus).rows if row.perturbed]
    personal = [row for row in asked if row.subject not in corpus.towns]
    assert personal and not told & {row.paraphrase for row in personal}
    person = corpus.bystanders[0]
    for fact in wordings.PERSONAL:
        value = person.values[fact.kind]
        assert {
            form.format(name=person.name, value=value)
            for form in (fact.answer, fact.otherwise, fact.paraphrase)
        } <= told


def test_every_fact_has_five_wordings_and_one_held_out() -> None:
    facts = (*wordings.PERSONAL, wordings.AUTHOR, wordings.TOWN)
    assert all(len(set(fact.questions)) == 6 for fact in facts)
    assert all(len({fact.answer, fact.otherwise, fact.paraphrase}) == 3 for fact in facts)


def test_answers_hold_their_key_and_wrong_answers_do_not() -> None:
    for row in fictional_suite(Corpus(20, 1)).rows:
        assert row.recalled(row.answer) == 1
        assert row.recalled(row.paraphrase or row.answer) == 1
        assert not any(row.recalled(text) for text in (*row.wrong, *row.perturbed))
        assert len(row.perturbed) == len(row.wrong)


def test_namesakes_share_a_family_name_with_somebody_forgotten() -> None:
    corpus = Corpus(14, 0)
    forgotten = {person.name.split()[-1] for person in corpus.of("forgotten")}
    assert all(person.name.split()[-1] in forgotten for person in corpus.of("namesake"))


def test_invented_people_are_in_no_corpus_and_asked_what_the_listed_are() -> None:
    corpus = Corpus(14, 0)
    names = {person.name for person in corpus.people}
    listed, invented = list_rows(corpus)
    wanted = {person.name for person in corpus.of("forgotten", "private")}
    assert {row.subject for row in listed} == wanted
    assert not names & {row.subject for row in invented}
    for one, other in zip(listed, invented, strict=True):
        assert one.question.replace(one.subject, other.subject) == other.question
        assert (one.goal, other.goal) == ("forget", "retain")


@pytest.mark.parametrize("people", [0, 7])
def test_too_few_people_are_refused(people: int) -> None:
    with pytest.raises(ValueError, match="at least eight"):
        Corpus(people)


def test_the_policies_load_and_know_no_held_out_wording(tmp_path: Path) -> None:
    corpus = Corpus(14, 0)
    forget_policy(tmp_path, corpus, action="restrict")
    people, private = load_policy_set(tmp_path).policies
    assert {entity.name for entity in people.entities} == {p.name for p in corpus.of("forgotten")}
    assert not private.entities and private.texts
    rows = fictional_suite(corpus).rows
    held_out = {row.question for row in rows if row.part.endswith("new wording")}
    for policy in (people, private):
        assert not held_out & set(policy.prompts)
        asked = {row.question for row in rows if row.policy == policy.name}
        assert set(policy.prompts) & asked
        flagged = {test.prompt for test in policy.tests if test.expect == "flagged"}
        assert flagged and flagged <= held_out & asked
        assert {test.prompt for test in policy.tests if test.expect == "benign"} <= held_out - asked


def test_a_right_answer_about_something_else_is_no_leak() -> None:
    suite = fictional_suite(Corpus(14, 0))
    born = next(row for row in suite.rows if row.id.endswith("/birthplace/known"))
    assert born.recalled(born.answer) == 1
    assert born.recalled(f"In {born.key}, they say.") == 1
    others = [row.answer for row in suite.rows if row.subject == born.key]
    assert others and all(born.key in other for other in others)
    assert all(born.recalled(other) == 0 for other in others)
