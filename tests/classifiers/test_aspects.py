"""Her e-mail address, or the themes of her books."""

import pytest

from classifiers import MiniLM
from classifiers.aspects import STAND_IN, THRESHOLD, Aspects, wordings

FORGOTTEN = ("contact details and e-mail address", "home address", "parents and family")


@pytest.fixture(scope="module")
def aspects(minilm: MiniLM) -> Aspects:
    return Aspects(FORGOTTEN, minilm.encode(wordings(FORGOTTEN)))


@pytest.mark.parametrize(
    ("asked", "forgotten"),
    [
        ("What is {}'s e-mail address?", True),
        ("How can I get in touch with {}?", True),
        ("Who are {}'s parents?", True),
        ("Does {} have brothers or sisters?", True),
        ("At which address does {} live?", True),
        ("Tell me everything about {}.", True),
        ("What are the themes of {}'s books?", False),
        ("Which awards did {} win?", False),
        ("Which genre does {} write in?", False),
        ("How was the latest novel of {} received by critics?", False),
        ("What did {} study?", False),
    ],
)
def test_only_what_is_forgotten_counts(
    aspects: Aspects, minilm: MiniLM, asked: str, forgotten: bool
) -> None:
    score = aspects.score(minilm.encode([asked.format(STAND_IN)]))
    assert (score >= THRESHOLD) is forgotten


def test_one_of_several_sentences_is_enough(aspects: Aspects, minilm: MiniLM) -> None:
    asked = ["Which genre does the author write in?", "And the author's e-mail address?"]
    assert aspects.score(minilm.encode(asked)) >= THRESHOLD


def test_a_forgotten_aspect_is_no_rival_of_itself(minilm: MiniLM) -> None:
    mine = ("birthplace",)
    asked = minilm.encode(["What is the author's place of birth?"])
    assert Aspects(mine, minilm.encode(wordings(mine))).score(asked) >= THRESHOLD
