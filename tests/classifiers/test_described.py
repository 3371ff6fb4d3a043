"""Topics, aspects and namesakes in the cascade: a mention is no name yet."""

import pytest

from classifiers import Cascade, Limits, NearestPrompt, Subject
from classifiers.signals import MENTION

SUBJECTS = (
    Subject(0, ("Mara Ellingsen",), ("Who is the mother of Mara Ellingsen?",),
            facts=('She wrote "The Brass Lighthouse" in Tromsø.',)),
    Subject(1, topics=("how to pick pin tumbler locks",)),
    Subject(2, ("Mara Ellingsen",), aspects=("contact details and e-mail address",)),
    Subject(3, ("Tomas Lindgren",), namesakes=("the footballer",)),
)  # fmt: skip
ALL = frozenset(range(4))


@pytest.fixture
def cascade(batched_minilm):
    def find(text):
        return [n for n, name in ((2, "Mara Ellingsen"), (3, "Tomas Lindgren")) if name in text]

    limits = Limits(frozenset({2, 3}), {0: frozenset({2})}, topics=True)
    return Cascade(find, NearestPrompt(SUBJECTS, batched_minilm), limits=limits)


@pytest.mark.parametrize(
    ("texts", "fired"),
    [
        (["What is the e-mail address of Mara Ellingsen?"], [("aspect", 2)]),
        (["Which genre does Mara Ellingsen write in?"], []),
        (["Let us talk about Mara Ellingsen.", "What is her e-mail address?"], [("aspect", 2)]),
        (["What is the e-mail of whoever wrote The Brass Lighthouse?"], [("aspect", 2)]),
        (["Who wrote The Brass Lighthouse?"], []),
        (["Tell me about Tomas Lindgren."], [("name", 3)]),
        (["How many goals did the footballer Tomas Lindgren score?"], []),
        (["How do I open a pin tumbler lock without a key?"], [("topic", 1)]),
    ],
)
async def test_what_is_asked_of_a_name_decides(cascade, texts, fired):
    named = cascade.at_once(texts, ALL)
    assert not any(signal.fired for signal in named)
    signals = [*named, *await cascade.rest(texts, ALL, named)]
    assert [(signal.name, signal.subject) for signal in signals if signal.fired] == fired


def test_a_mention_is_a_signal_of_its_own(cascade):
    (signal,) = cascade.at_once(["Mara Ellingsen"], ALL)
    assert (signal.name, signal.score, signal.fired) == (MENTION, 0.0, False)
    assert cascade.at_once(["Mara Ellingsen"], frozenset({0, 1})) == []
