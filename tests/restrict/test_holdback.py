"""Hold-back: whole events, in order, untouched unless a match is in them; nothing of one leaves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.restrict import EndLane, Event, Forward, HoldBack, Piece, Release, Trim
from tests.support.policies import PASSAGE, SECRET, automaton

PHRASES = automaton("Harry Potter", "Hina", texts=(PASSAGE, SECRET))


@dataclass
class Client:
    """What a client has received."""

    text: dict[tuple[int, str], str] = field(default_factory=lambda: defaultdict(str))
    forwarded: list[object] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)

    def receive(self, releases: Iterable[Release[object]]) -> None:
        for release in releases:
            if isinstance(release, EndLane):
                assert release.lane not in self.ended
                self.ended.append(release.lane)
                continue
            dropped = release.dropped if isinstance(release, Trim) else frozenset()
            keep = release.keep if isinstance(release, Trim) else {}
            if isinstance(release, Forward):
                self.forwarded.append(release.event.payload)
            for piece in release.event.pieces:
                if piece.lane in dropped:
                    continue
                assert piece.lane not in self.ended
                kept = piece.text[: keep.get(piece.slot, len(piece.text))]
                self.text[piece.lane, str(piece.channel)] += kept


def delta(name: object, text: str, lane: int = 0, channel: str = "content") -> Event[object]:
    return Event(name, (lane,), (Piece(lane, channel, text, (lane, channel)),))


def run(events: Iterable[Event[object]], **options: object) -> tuple[Client, HoldBack[object]]:
    client, hold = Client(), HoldBack[object](PHRASES, **options)  # type: ignore[arg-type]
    for event in events:
        client.receive(hold.feed(event))
    client.receive(hold.flush())
    assert hold.held == 0
    return client, hold


def cut_up(text: str, cuts: list[int]) -> list[str]:
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(places)]


texts = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *("Harry Potter", "H a r r y P o t t e r", "Har\u200bry Potter", SECRET, PASSAGE),
                *("Harry", " ", "the harbour ", "&#72;", "Hina", "China ", "\n", "%20", "sk-9f"),
            ]
        ),
        st.text(max_size=5),
    ),
    max_size=6,
).map("".join)


@settings(max_examples=400, deadline=None)
@given(texts, st.lists(st.integers(0, 10_000), max_size=20))
def test_any_chunking_gives_the_same_text_and_no_part_of_a_match(
    text: str, cuts: list[int]
) -> None:
    matches = PHRASES.find_all(text)
    expected = text[: min(match.start for match in matches)] if matches else text
    client, _ = run(delta(i, piece) for i, piece in enumerate(cut_up(text, cuts)))
    received = client.text[0, "content"]
    assert received == expected
    assert client.ended == ([0] if matches else [])
    assert PHRASES.find_all(received) == [] or received == text


@settings(max_examples=200, deadline=None)
@given(texts, texts, st.lists(st.integers(0, 10_000), max_size=12), st.randoms())
def test_lanes_and_channels_do_not_touch_each_other(
    one: str, other: str, cuts: list[int], random: object
) -> None:
    streams = [
        [delta((0, i), piece) for i, piece in enumerate(cut_up(one, cuts))],
        [delta((1, i), piece, lane=1) for i, piece in enumerate(cut_up(other, cuts[::-1]))],
    ]
    mixed: list[Event[object]] = []
    while any(streams):
        stream = random.choice([s for s in streams if s])  # type: ignore[attr-defined]
        mixed.append(stream.pop(0))
    client, _ = run(mixed)
    for lane, text in enumerate((one, other)):
        matches = PHRASES.find_all(text)
        expected = text[: min(match.start for match in matches)] if matches else text
        assert client.text[lane, "content"] == expected
        assert (lane in client.ended) == bool(matches)


def test_benign_events_leave_at_once_and_untouched() -> None:
    hold: HoldBack[object] = HoldBack(PHRASES)
    for number, text in enumerate(["It ", "was ", "not ", "bright ", "or ", "cold."]):
        (release,) = hold.feed(delta(number, text))
        assert isinstance(release, Forward)
        assert release.event.payload == number


def test_an_event_waits_only_while_a_live_match_touches_it() -> None:
    hold: HoldBack[object] = HoldBack(PHRASES)
    assert len(hold.feed(delta(0, "I met "))) == 1
    assert hold.feed(delta(1, "Har")) == []
    assert hold.feed(delta(2, "ry ")) == []
    assert hold.held == 2
    released = hold.feed(delta(3, "Truman."))
    assert [r.event.payload for r in released if isinstance(r, Forward)] == [1, 2, 3]


def test_the_hold_is_bounded_by_the_match_not_by_the_answer() -> None:
    hold: HoldBack[object] = HoldBack(PHRASES)
    longest = 0
    for number in range(2_000):
        hold.feed(delta(number, "the nightjar and Harry sat by "))
        longest = max(longest, hold.held)
    assert longest <= 1


def test_an_event_without_lanes_waits_for_all_before_it() -> None:
    hold: HoldBack[object] = HoldBack(PHRASES)
    hold.feed(delta(0, "Harry "))
    assert hold.feed(Event("usage")) == []
    released = hold.feed(delta(1, "Truman "))
    payloads = [r.event.payload for r in released if isinstance(r, Forward)]
    assert payloads == [0, "usage", 1]


def test_a_live_match_in_one_lane_does_not_hold_another() -> None:
    hold: HoldBack[object] = HoldBack(PHRASES)
    assert hold.feed(delta("a", "Harry ", lane=0)) == []
    assert len(hold.feed(delta("b", "It was ", lane=1))) == 1


def test_an_event_of_two_lanes_is_trimmed_for_one_of_them() -> None:
    both: Event[object] = Event(
        "both",
        (0, 1),
        (Piece(0, "c", "see Harry Potter ", "zero"), Piece(1, "c", "fine ", "one")),
    )
    client, _ = run([both, delta("later", "gone", lane=0), delta("more", "still", lane=1)])
    assert dict(client.text) == {(0, "c"): "see ", (1, "c"): "fine ", (1, "content"): "still"}
    assert client.ended == [0]


def test_what_else_an_event_says_after_its_match_is_dropped_unread() -> None:
    whole: Event[object] = Event(
        "whole",
        (0,),
        (
            Piece(0, "before", "I remember ", "b"),
            Piece(0, "reasoning", "see Harry Potter now", "r"),
            Piece(0, "content", "Hina is here", "c"),
        ),
        ends=(0,),
    )
    client, _ = run([whole])
    assert dict(client.text) == {
        (0, "before"): "I remember ",
        (0, "reasoning"): "see ",
        (0, "content"): "",
    }


def test_the_end_of_a_lane_is_a_word_boundary() -> None:
    done: Event[object] = Event("end", (0,), (), ends=(0,))
    client, _ = run([delta(0, "I met Harry Potter"), done])
    assert client.text[0, "content"] == "I met "
    assert client.ended == [0]


@pytest.mark.parametrize(
    ("said", "more"), [("Harry Pot", "ter"), ("Harry ", "Potter now"), ("H a r r y ", "Potter")]
)
def test_text_after_the_end_of_a_lane_goes_on_where_it_stood(said: str, more: str) -> None:
    """No server should say any; a client adds it to what it has."""
    end = Event[object]("end", (0,), (), (0,))
    client, _ = run([delta(1, "It is "), delta(2, said), end, delta(3, more)])
    assert not PHRASES.find_all(client.text[0, "content"])
    assert client.text[0, "content"].startswith("It is ")
    benign, _ = run([delta(1, "It is H"), end, delta(2, "arold, they say.")])
    assert benign.text[0, "content"] == "It is Harold, they say."


def test_a_name_that_goes_on_is_not_the_name() -> None:
    client, _ = run([delta(0, "the Harry Potter"), delta(1, "verse")])
    assert client.text[0, "content"] == "the Harry Potterverse"


def test_what_refuted_a_match_may_go_with_a_cut_that_another_channels_end_brings() -> None:
    """Both channels have a match that only the end completes; what refuted a third is dropped."""
    events = [
        delta(1, "Harry Potter"),
        delta(2, "Harry Potter", channel="reasoning"),
        delta(3, "ry "),
        delta(4, "Harry Potter"),
    ]
    client, _ = run(events)
    assert client.text[0, "content"] == client.text[0, "reasoning"] == ""


def test_a_match_may_begin_in_the_lead_and_is_cut_at_the_answer() -> None:
    client, _ = run([delta(0, "ter was"), delta(1, " here")], leads={0: "He met Harry Pot"})
    assert client.text[0, "content"] == ""
    assert client.ended == [0]


@pytest.mark.parametrize("lead", ["Who is Harry Potter?", "Harry Potter", "x" * 5_000])
def test_a_match_inside_the_lead_is_the_clients_own(lead: str) -> None:
    client, _ = run([delta(0, " A wizard.")], leads={0: lead})
    assert client.text[0, "content"] == " A wizard."
    assert client.ended == []


def test_an_exempt_phrase_passes_and_others_do_not() -> None:
    events = [delta(0, "Hina met Harry Potter")]
    client, _ = run(events, exempt=lambda phrase: phrase.symbols == b"hina")
    assert client.text[0, "content"] == "Hina met "


def test_all_cut_only_when_every_lane_is() -> None:
    hold: HoldBack[object] = HoldBack(PHRASES)
    hold.feed(delta(0, "x", lane=0))
    hold.feed(delta(1, "Harry Potter!", lane=1))
    assert set(hold.cut_lanes) == {1}
    hold.feed(delta(2, " Harry Potter!", lane=0))
    assert set(hold.cut_lanes) == {0, 1}


def test_what_follows_a_cut_in_the_same_event_stays_away_unread() -> None:
    pieces = [
        Piece(0, channel, text, channel)
        for channel, text in [("a", "fine"), ("b", "so Hina. "), ("c", "Hina"), ("d", "x")]
    ]
    client, _ = run([Event("one", (0,), tuple(pieces), (0,))])
    assert dict(client.text) == {(0, "a"): "fine", (0, "b"): "so ", (0, "c"): "", (0, "d"): ""}


@pytest.mark.parametrize("last", ["I: Harry Potter. ", "I: Harry Potter"])
def test_a_cut_in_one_channel_finds_the_matches_that_waited_in_another(last: str) -> None:
    events = [
        delta("a", "Hm: Hina", channel="reasoning"),
        delta("b", last, channel="content"),
    ]
    client, _ = run(events)
    assert dict(client.text) == {(0, "reasoning"): "Hm: "}
    assert client.ended == [0]


@pytest.mark.parametrize(("text", "cut"), [("so Harry", False), ("Harry Potter", True)])
def test_a_closed_channel_makes_nothing_wait_and_ends_at_a_word_boundary(
    text: str, cut: bool
) -> None:
    hold = HoldBack[object](PHRASES)
    closing = delta("one", text)._replace(closes=((0, "content"), (0, "never seen")))
    released = hold.feed(closing)
    assert hold.held == 0
    assert [type(release) for release in released] == ([Trim, EndLane] if cut else [Forward])
    if not cut:  # the channel may go on, as a text of its own
        assert hold.feed(delta("two", " Potter")) == [Forward(delta("two", " Potter"))]
        assert isinstance(hold.feed(delta("three", " Harry Potter "))[-1], EndLane)
