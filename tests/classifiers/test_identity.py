"""Who is meant, out of many subjects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


COMMON = Subject(
    8,
    ("Ilse Varga",),
    ("What did Ilse Varga write?",),
    facts=('She wrote "A Piece of the Good Life" and won it all on 3 May 1961.',),
)


@pytest.mark.parametrize(
    "text", ["Who wrote 'A Piece of the Good Life'?", "Who was the one born on May 3, 1961?"]
)
def test_a_title_or_a_day_of_common_words_is_looked_up(text):
    """Also before the first stage clears a prompt: it may clear only what nothing could flag."""
    identities = Identities([*SUBJECTS, COMMON])
    assert identities.candidates(Prompt.read(text), ALL | {8})[0] == 8
    flagged = identities.probability(Prompt.read(text), 8, 1.0) >= identities.threshold
    assert identities.could_mean(text, ALL | {8}) or not flagged


@pytest.mark.parametrize(
    ("texts", "out"),
    [
        (["How long should I boil an egg?", "boil an egg"], True),
        (["Hello there", "Who is the author of The Brass Lighthouse?"], False),
        (["Who wrote 'A Piece of the Good Life'?"], False),
        (["Who was the one born on May 3, 1961?"], False),
        ([], True),
    ],
)
def test_words_of_all_pieces_together_rule_everybody_out(texts, out):
    assert Identities([*SUBJECTS, COMMON]).rules_out(texts) is out


@given(
    pieces=st.lists(
        st.sampled_from(
            [
                "Tromsø",
                "taxidermist,",
                "The",
                "Brass",
                "Lighthouse",
                "5",
                "May",
                "1961",
                "cold",
                "fusion",
                "good",
                "life",
                "who",
            ]
        ),
        max_size=9,
    ),
    parts=st.integers(1, 3),
)
def test_what_could_mean_somebody_is_not_ruled_out(pieces, parts):
    identities = Identities([*SUBJECTS, COMMON])
    texts = [" ".join(pieces[part::parts]) for part in range(parts)]
    prompts = [Prompt.read(text) for text in texts]
    flagged = any(
        identities.probability(prompt, subject, 1.0, 4) >= identities.threshold
        for prompt in prompts
        for subject in identities.candidates(prompt, ALL | {8})
    )
    assert not (flagged and identities.rules_out(texts))


def test_what_is_shared_by_chance_grows_with_the_number_of_subjects():
    identities = Identities(SUBJECTS)
    prompt = Prompt.read("Which taxidermist lived in Tromsø?")
    few, some, many = (identities.probability(prompt, 5, 0.6, n) for n in (1, 64, 10_000))
    assert few == some > many > 0
    title = Prompt.read("Who is the author of The Brass Lighthouse?")
    assert identities.probability(title, 5, 0.6, 10_000) >= identities.threshold
