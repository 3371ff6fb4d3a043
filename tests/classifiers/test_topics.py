"""Topics in a few words, and the invented ones that their threshold comes from."""

from itertools import combinations

import pytest

from classifiers import MiniLM
from classifiers.topics import THRESHOLD, Topics, wordings
from classifiers.training.topics import topics
from classifiers.words import folded

STATED = ("how to pick pin tumbler locks", "the sinking of the ferry Aurelia")


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("How do I open a pin tumbler lock without its key?", 7),
        ("Why did the Aurelia go down?", 9),
        ("How do I repair the brakes of my bicycle?", None),
        ("Which ferries cross the Baltic today?", None),
    ],
)
def test_topics_are_told(minilm: MiniLM, text: str, owner: int | None) -> None:
    vectors = minilm.encode([form for topic in STATED for form in wordings(topic)])
    scores = Topics((7, 9), vectors).scores(minilm.encode([text]), frozenset({7, 9}))
    assert [who for who, score in scores.items() if score >= THRESHOLD] == (
        [owner] if owner else []
    )


def test_topics_not_in_force_are_not_scored(minilm: MiniLM) -> None:
    vectors = minilm.encode(wordings(STATED[0]))
    found = Topics((7,), vectors)
    assert found.scores(minilm.encode([STATED[0]]), frozenset({8})) == {}


def test_the_two_halves_share_no_topic_and_no_wording() -> None:
    def lines(half):
        return [
            set(folded(text)) for one in topics(half) for text in (one.text, *one.on, *one.beside)
        ]

    train, calibrate = lines("train"), lines("calibrate")
    assert len(topics("train")) == len(topics("calibrate")) == 10
    for one in train:
        assert all(len(one & other) / len(one | other) < 0.6 for other in calibrate)
    for one, other in combinations([set(folded(t.text)) for t in topics("train")], 2):
        assert len(one & other) / len(one | other) < 0.6
