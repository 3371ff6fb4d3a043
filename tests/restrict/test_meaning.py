"""Sentence hold-back: nothing leaves unjudged, little is held, and benign events stay whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.policy import Restrict
from guard.restrict import (
    EndLane,
    Event,
    Forward,
    HoldBack,
    Meant,
    Piece,
    Question,
    Release,
    SentenceHold,
    forgotten_sentences,
)
from tests.restrict.test_holdback import PHRASES, Client, cut_up, delta
from tests.support.policies import PASSAGE, policy

BAD = "The lantern keeper was born in Kuwait."
GOOD = "The nightjar sings over grey harbours."


def judge(question: Question) -> Meant | None:
    return Meant("tests", 0.9) if "born in Kuwait" in question.text else None


class Run:
    """Both stages for one answer, and a judge who answers after every event."""

    def __init__(self, says: Callable[[Question], Meant | None] = judge, **options: object) -> None:
        self.first = HoldBack[object](PHRASES, **options)  # type: ignore[arg-type]
        self.second = SentenceHold[object](**options)  # type: ignore[arg-type]
        self.client = Client()
        self.asked: list[str] = []
        self.most = 0
        self._says = says

    def feed(self, event: Event[object]) -> list[Release[object]]:
        return self._settled(self.second.feed(self.first.feed(event)))

    def flush(self) -> list[Release[object]]:
        return self._settled(self.second.feed(self.first.flush()) + self.second.flush())

    def _settled(self, released: list[Release[object]]) -> list[Release[object]]:
        while questions := self.second.questions():
            self.asked += [question.text for question in questions]
            released += self.second.settle([self._says(question) for question in questions])
        self.client.receive(released)
        self.most = max(self.most, self.second.held)
        return released


def run(events: Iterable[Event[object]], **options: object) -> Run:
    made = Run(**options)  # type: ignore[arg-type]
    for event in events:
        made.feed(event)
    made.flush()
    assert made.second.held == 0
    return made


def test_a_sentence_leaves_once_it_is_judged() -> None:
    made = Run()
    assert made.feed(delta(0, "The nightjar sings ")) == []
    assert made.feed(delta(1, "over grey harbours.")) == []
    assert made.feed(delta(2, " ")) == []
    (one, two) = made.feed(delta(3, "Xenia "))
    assert isinstance(one, Forward) and isinstance(two, Forward)
    assert made.asked == [GOOD]
    assert made.second.held == 2  # the space before the next word, and that word


def test_a_forbidden_sentence_ends_its_lane_where_it_begins() -> None:
    made = run([delta(i, c) for i, c in enumerate(f"{GOOD} {BAD} {GOOD}")])
    assert made.client.text[0, "content"] == GOOD
    assert made.client.ended == [0]
    assert made.second.cut_lanes == {0}


def test_the_policy_and_sentence_of_a_cut_are_told() -> None:
    (_, end) = run([]).flush(), EndLane
    made = Run()
    released = made.feed(delta(0, BAD)) + made.flush()
    (match,) = [release.match for release in released if isinstance(release, end)]
    assert [(p.kind, p.policy) for p in match.phrases] == [("meaning", "tests")]


def test_what_the_client_supplied_is_exempt() -> None:
    supplied = (b"the", b"lantern", b"keeper", b"was", b"born", b"in", b"kuwait")
    made = run([delta(0, f"{BAD} {GOOD}")], exempt=lambda phrase: phrase.whole == supplied)
    assert made.client.text[0, "content"] == f"{BAD} {GOOD}"


def test_a_lane_that_goes_on_in_another_channel_is_not_held() -> None:
    made = Run()
    made.feed(delta(0, "the nightjar thinks aloud", channel="reasoning"))
    released = made.feed(delta(1, GOOD + " So"))
    assert [r.event.payload for r in released if isinstance(r, Forward)] == [0]
    assert made.client.text[0, "reasoning"] == "the nightjar thinks aloud"


@pytest.mark.parametrize("order", [("reasoning", "content"), ("content", "reasoning")])
def test_an_event_of_several_channels_is_trimmed_in_all_that_forbid(order: tuple[str, str]) -> None:
    pieces = tuple(Piece(0, name, f"{GOOD} {BAD}", (0, name)) for name in order)
    made = run([Event("whole", (0,), pieces, (0,))])
    assert dict(made.client.text) == {(0, name): GOOD for name in order}
    assert made.client.ended == [0]


def test_a_match_behind_a_forbidden_sentence_does_not_let_it_out() -> None:
    made = run([delta(i, c) for i, c in enumerate(f"{GOOD} {BAD} It was Harry Potter.")])
    assert made.client.text[0, "content"] == GOOD
    assert made.client.ended == [0]


def test_a_forbidden_sentence_that_a_match_cuts_short_is_judged_too() -> None:
    made = run([delta(0, f"{GOOD} She was born in Kuwait with Harry Potter.")])
    assert made.client.text[0, "content"] == GOOD
    made = run([delta(0, f"{GOOD} She sailed with Harry Potter.")])
    assert made.client.text[0, "content"] == f"{GOOD} She sailed with "
    assert made.client.ended == [0]


def test_lanes_do_not_wait_for_each_other_and_the_end_waits_for_all() -> None:
    made = Run()
    made.feed(delta("a", "The nightjar", lane=0))
    made.feed(delta("b", f"{GOOD} S", lane=1))
    made.feed(delta("c", "o", lane=1))
    made.feed(Event("done"))
    assert made.client.forwarded == []
    made.flush()
    assert made.client.forwarded == ["b", "c", "a", "done"]


def test_a_sentence_may_begin_in_the_lead_and_is_cut_at_the_answer() -> None:
    lead = f"{GOOD} The lantern keeper was born in"
    made = run([delta(0, " Kuwait. Yes.")], leads={0: lead})
    assert made.client.text[0, "content"] == ""
    assert made.asked[0] == BAD


def test_a_lane_can_go_on_after_its_end() -> None:
    made = Run()
    made.feed(delta(0, f"{GOOD} {BAD} "))
    made.flush()
    made.second.reopen(0)
    released = made.second.feed([Forward(delta(1, f"{GOOD} {GOOD}"))])
    while questions := made.second.questions():
        released += made.second.settle([judge(question) for question in questions])
    released += made.second.flush()
    while questions := made.second.questions():
        released += made.second.settle([judge(question) for question in questions])
    assert [r.event.payload for r in released if isinstance(r, Forward)] == [1]
    assert made.second.cut_lanes == set()


def test_the_hold_is_bounded_by_a_sentence_not_by_the_answer() -> None:
    made = Run()
    for number in range(2_000):
        made.feed(delta(number, "nightjar lantern "))
    assert made.most <= 400 // len("nightjar lantern ") + 1


answers = st.lists(
    st.sampled_from(
        [GOOD, BAD, "Yes.", "Harry Potter", "She was born in Kuwait", "Dr. Moss", "\n\n"]
    ),
    max_size=6,
).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(answers, answers, st.lists(st.integers(0, 10_000), max_size=12))
def test_any_chunking_gives_the_same_text_and_no_forbidden_sentence(
    text: str, other: str, cuts: list[int]
) -> None:
    def events(cuts: list[int]) -> list[Event[object]]:
        zero = [delta((0, i), piece) for i, piece in enumerate(cut_up(text, cuts))]
        one = [delta((1, i), piece, lane=1) for i, piece in enumerate(cut_up(other, cuts[::-1]))]
        return [event for both in zip(zero, one, strict=True) for event in both]

    once, often = run(events([])), run(events(cuts))
    assert once.client.text == often.client.text
    assert sorted(once.client.ended) == sorted(often.client.ended)
    if not once.client.ended:  # what follows a forbidden sentence need not be judged
        assert sorted(once.asked) == sorted(often.asked)
    for lane, said in enumerate((text, other)):
        received = often.client.text[lane, "content"]
        assert said.startswith(received)
        assert "born in Kuwait" not in received
        assert (received == said) == (lane not in often.client.ended)


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"texts": (PASSAGE + " " + GOOD,)}, 2),
        ({"pairs": (("Who?", f"{GOOD} {BAD}"), ("Male?", "Yes. Male."))}, 3),
        ({"texts": ("Of course.",)}, 0),
        ({"texts": (GOOD,), "restrict": Restrict(meaning=None)}, 0),
        ({"texts": (GOOD,), "action": "refuse"}, 0),
    ],
)
def test_what_sentences_are_compared_with(fields: dict[str, object], count: int) -> None:
    assert len(forgotten_sentences(policy(**{"action": "restrict", **fields}))) == count  # type: ignore[arg-type]
