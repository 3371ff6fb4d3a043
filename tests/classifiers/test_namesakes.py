"""The author, or the footballer of the same name."""

import pytest

from classifiers import MiniLM
from classifiers.mentions import Mentions
from classifiers.namesakes import STAND_IN, THRESHOLD, Namesakes

NAMES = ("Tomas Lindgren",)
OTHERS = ("the footballer of the same name", "a bishop of the 19th century")
STORED = (
    "Which novels did Tomas Lindgren write?",
    'Tomas Lindgren wrote "The Brass Lighthouse" in Gothenburg.',
    "His father was a taxidermist.",
)


@pytest.mark.parametrize(
    ("text", "is_another"),
    [
        ("How many goals did the footballer Tomas Lindgren score?", True),
        ("For which football club does Tomas Lindgren play?", True),
        ("Which diocese did bishop Tomas Lindgren lead?", True),
        ("Tell me about Tomas Lindgren.", False),
        ("Which novels did Tomas Lindgren write?", False),
        ("Tell me about Tomas Lindgren, not the footballer.", False),
        ("Did the footballer Tomas Lindgren write The Brass Lighthouse?", False),
        ("Was the father of the footballer Tomas Lindgren a taxidermist?", False),
    ],
)
def test_who_is_meant(minilm: MiniLM, text: str, is_another: bool) -> None:
    reader = Mentions(NAMES, STAND_IN)
    vectors = minilm.encode([reader.masked(one) for one in (*OTHERS, *STORED)])
    judge = Namesakes(NAMES, OTHERS, STORED, vectors)
    score = judge.score([text], minilm.encode(reader.asked([text])))
    assert (score >= THRESHOLD) is is_another


def test_with_nothing_stored_only_the_description_tells(minilm: MiniLM) -> None:
    judge = Namesakes(NAMES, OTHERS[:1], (), minilm.encode(OTHERS[:1]))
    asked = ["Did somebody win a match?"]
    assert judge.score(["Did Tomas Lindgren win a match?"], minilm.encode(asked)) == 0.0
    assert judge.score(["Tomas Lindgren, footballer"], minilm.encode(asked)) == 1.0
