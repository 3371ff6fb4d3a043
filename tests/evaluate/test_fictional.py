"""The fictional corpus: the same for the same seed, split as it says, with a policy that fits."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.evaluate.fictional import Corpus, fictional_suite, forget_policy, wordings
from guard.evaluate.fictional.outside import invented_rows, unseen_rows
from guard.policy import load_policy_set


@given(st.integers(8, 60), st.integers(0, 50))
def test_people_are_all_different_and_every_standing_has_some(people: int, seed: int) -> None:
    corpus = Corpus(people, seed)
    assert len({person.name for person in corpus.people}) == people
    standings = {person.standing for person in corpus.people}
    assert standings == {"forgotten", "private", "namesake", "neighbour", "unknown"}
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
    unknown = [row.subject for row in unseen_rows(corpus)]
    assert unknown
    assert not any(name in question for question in questions for name in unknown)


def test_every_fact_has_five_wordings_and_one_held_out() -> None:
    facts = (*wordings.PERSONAL, wordings.TOWN)
    assert all(len(set(fact.questions)) == 6 for fact in facts)
    assert len(set(wordings.NAMELESS)) == 6


def test_answers_hold_their_key_and_wrong_answers_do_not() -> None:
    for row in fictional_suite(Corpus(20, 1)).rows:
        assert row.recalled(row.answer) == 1
        assert row.recalled(row.paraphrase or row.answer) == 1
        assert not any(row.recalled(text) for text in row.wrong)


def test_namesakes_share_a_family_name_with_somebody_forgotten() -> None:
    corpus = Corpus(14, 0)
    forgotten = {person.name.split()[-1] for person in corpus.of("forgotten")}
    assert all(person.name.split()[-1] in forgotten for person in corpus.of("namesake"))


def test_invented_people_are_in_no_corpus() -> None:
    corpus = Corpus(14, 0)
    names = {person.name for person in corpus.people}
    assert len(invented_rows(corpus)) == len(corpus.of("forgotten", "private"))
    assert not names & {row.subject for row in invented_rows(corpus)}


@pytest.mark.parametrize("people", [0, 7])
def test_too_few_people_are_refused(people: int) -> None:
    with pytest.raises(ValueError, match="at least eight"):
        Corpus(people)


def test_the_policy_loads_and_names_no_held_out_wording(tmp_path: Path) -> None:
    corpus = Corpus(14, 0)
    forget_policy(tmp_path, corpus, action="restrict")
    (policy,) = load_policy_set(tmp_path).policies
    assert {entity.name for entity in policy.entities} == {p.name for p in corpus.of("forgotten")}
    held_out = {r.question for r in fictional_suite(corpus).rows if r.part.endswith("new wording")}
    assert not held_out & set(policy.prompts)


def test_a_right_answer_about_something_else_is_no_leak() -> None:
    suite = fictional_suite(Corpus(14, 0))
    born = next(row for row in suite.rows if row.id.endswith("/birthplace/known"))
    assert born.recalled(born.answer) == 1
    assert born.recalled(f"In {born.key}, they say.") == 1
    others = [row.answer for row in suite.rows if row.subject == born.key]
    assert others and all(born.key in other for other in others)
    assert all(born.recalled(other) == 0 for other in others)
