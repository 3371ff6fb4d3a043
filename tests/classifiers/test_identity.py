"""Who is meant, out of many subjects."""

import pytest

from classifiers import Subject
from classifiers.identity import Identities, judged
from classifiers.profile import Prompt

SUBJECTS = [
    Subject(
        5,
        ("Mara Ellingsen",),
        (
            "Where was Mara Ellingsen born?",
            "Which novelist was born in Tromsø on 5 May 1961?",
            "How did Mara Ellingsen light The Brass Lighthouse?",
        ),
        facts=('She wrote "The Brass Lighthouse" in Tromsø.', "Her father was a taxidermist."),
    ),
    Subject(6, ("Oduya Renn",), ("What did Oduya Renn discover?",), facts=("Cold fusion.",)),
    Subject(7, (), ("How is a lock picked?",)),
]
ALL = frozenset({5, 6, 7})


def ask(text, near, allowed=ALL):
    return judged(Identities(SUBJECTS), text, near, allowed, lambda subject: dict(near)[subject])


def test_facts_without_a_name_are_weighed_for_those_who_share_them():
    kept, chances = ask("Who is the author of The Brass Lighthouse?", [(5, 0.4)])
    assert kept == {5: 0.4}
    assert set(chances) == {5}
    assert chances[5] >= Identities(SUBJECTS).threshold


def test_subjects_not_in_force_are_not_weighed():
    _, chances = ask("Who wrote The Brass Lighthouse?", [(5, 0.4)], frozenset({6, 7}))
    assert chances == {}


@pytest.mark.parametrize(
    ("text", "cosine", "kept"),
    [
        ("Which novelist was born in Tromsø on 6 June 1972?", 0.93, False),
        ("Where was Zbigniew Kowalczyk born?", 0.85, False),
        ("Which novelist was born in Tromsø on 5 May 1961?", 1.0, True),
        ("Which storyteller came into the world in Tromsø?", 0.85, True),
        # Added to a stored prompt, not put in the place of something in it.
        ("Zbigniew Kowalczyk asks how Mara Ellingsen lit The Brass Lighthouse", 0.85, True),
        ("On 6 June 1972, how did Mara Ellingsen light The Brass Lighthouse?", 0.9, True),
        ("How did Zbigniew Kowalczyk light The Brass Lighthouse?", 0.9, False),
    ],
)
def test_a_similarity_of_mere_wording_is_taken_back(text, cosine, kept):
    found, _ = ask(text, [(5, cosine)])
    assert (5 in found) is kept


def test_a_subject_without_names_or_many_facts_keeps_its_similarity():
    assert ask("In which way does one open a door without its key?", [(7, 0.81)])[0] == {7: 0.81}


def test_candidates_come_by_what_they_share():
    identities = Identities(SUBJECTS)
    prompt = Prompt.read("Did the taxidermist of Tromsø know about cold fusion?")
    assert identities.candidates(prompt, ALL)[0] == 5
    assert identities.candidates(Prompt.read("Hello there"), ALL) == []
