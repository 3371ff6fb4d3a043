"""Matches over two channels of a lane, and channels that are over: no leak and no stall."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guard.api.phases import thoughts_first
from guard.restrict import Event, Forward, HoldBack, Piece
from guard.restrict.straddle import FARTHEST
from tests.restrict.test_decodings import b64
from tests.restrict.test_holdback import PHRASES, Client, cut_up, delta, texts
from tests.support.policies import SECRET

PHASES = {"reasoning": 0, "content": 1, "call 1": 2, "call 2": 2}


def phase(channel: Hashable) -> int | None:
    return PHASES.get(str(channel))


def run(events: Iterable[Event[object]], **options: object) -> Client:
    hold = HoldBack[object](PHRASES, phase=phase, **options)  # type: ignore[arg-type]
    client = Client()
    for event in events:
        client.receive(hold.feed(event))
    client.receive(hold.flush())
    assert hold.held == 0
    return client


def said(parts: Iterable[tuple[str, str]], cuts: list[int]) -> list[Event[object]]:
    return [
        delta((channel, i), piece, channel=channel)
        for channel, text in parts
        for i, piece in enumerate(cut_up(text, cuts))
        if piece
    ]


PAIRS = [*pairwise(PHASES), ("reasoning", "call 1"), ("content", "reasoning")]
FORMS = {
    "secret": SECRET,
    "name": "Harry Potter",
    "spelled": "H a r r y P o t t e r",
    "escaped": "Harry%20Potter",
    "base64": b64(f"so {SECRET}"),
    "backwards": SECRET[::-1],
}


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_match_over_two_channels_ends_the_lane_where_it_begins(
    first: str, second: str, form: str
) -> None:
    for at in range(4, len(form) - 1, 3):
        for size in (1, 5, 100):
            parts = [(first, f"It is {form[:at]}"), (second, f"{form[at:]} you see")]
            events = said(parts, list(range(size, 100, size)))
            client = run(events)
            assert client.ended == [0], (at, size)
            received = client.text[0, first] + client.text[0, second]
            if form.startswith("c28g"):  # "so " is four of base64
                assert received in ("It is ", "It is c28g")
            else:
                assert received == "It is "


@pytest.mark.parametrize("first", ["content", "reasoning"])
@pytest.mark.parametrize("place", ["value", "later", "key", "inner"])
def test_any_string_of_json_arguments_may_go_on_with_it(place: str, first: str) -> None:
    half = SECRET[20:]
    shapes = {
        "value": {"key": half},
        "later": {"a": "so", "b": ["no", half]},
        "key": {half: 1},
        "inner": {"a": 'say "x"', "b": {"c": half}},
    }
    arguments = json.dumps(shapes[place], indent=1)
    for size in (1, 4, 1000):
        parts = [(first, f"It is {SECRET[:20]}"), ("call 1", arguments)]
        client = run(said(parts, list(range(size, 200, size))))
        assert client.text[0, first] == "It is "
        assert client.text[0, "call 1"] == ""
        assert client.ended == [0]


@pytest.mark.parametrize("first", ["content", "reasoning"])
def test_the_sign_before_a_string_lets_nothing_go(first: str) -> None:
    """A model says `{"a":"` in a piece of its own: the key is not what the tail goes on with."""
    pieces = [(first, SECRET[:20]), ("call 1", '{"a":"'), ("call 1", SECRET[20:]), ("call 1", '"}')]
    client = run([delta(i, text, channel=name) for i, (name, text) in enumerate(pieces)])
    assert (client.text[0, first], client.text[0, "call 1"]) == ("", "")


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize("last", ["}", ', "n": 1}', "\n }"])
def test_the_arguments_of_two_calls_are_one_text(last: str, size: int) -> None:
    parts = [
        ("call 1", f'{{"z": "so", "a": "{SECRET[:20]}"{last}'),
        ("call 2", json.dumps({"a": SECRET[20:], "b": 1})),
    ]
    client = run(said(parts, list(range(size, 200, size))))
    assert client.ended == [0]
    assert SECRET[:4] not in client.text[0, "call 1"]
    assert SECRET[20:30] not in client.text[0, "call 2"]


def test_calls_that_are_no_text_together_pass() -> None:
    parts = [("call 1", '{"a": "Harry"}'), ("call 2", '{"b": "pottery", "c": "Bosch"}')]
    client = run(said(parts, list(range(3, 200, 3))))
    assert [client.text[0, name] for name, _ in parts] == [text for _, text in parts]


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_strings_inside_strings_may_go_on_with_it(times: int, size: int) -> None:
    arguments = json.dumps({"key": SECRET[20:]})
    for _ in range(times):
        arguments = json.dumps({"a": "so", "in": arguments})
    parts = [("content", f"It is {SECRET[:20]}"), ("call 1", arguments)]
    client = run(said(parts, list(range(size, 400, size))))
    assert client.text[0, "content"] == "It is "
    assert client.text[0, "call 1"] == ""
    assert client.ended == [0]


SPLIT = {
    "two values": {"a": 1, "first": "Harry", "last": "Potter"},
    "in a list": ["x", "Har", "ry", " Potter", "y"],
    "below": {"first": "the Harry", "more": {"n": [1, None], "last": "Potter, he"}},
    "nothing between": {"first": "Harry", "middle": "", "last": "Potter"},
    "a secret": {"one": SECRET[:20], "two": SECRET[20:]},
    "base64": {"one": b64("so Harry Potter")[:8], "two": b64("so Harry Potter")[8:]},
    "escaped": {"one": "H\u0061rry", "two": "P\u006ftter"},
}


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.parametrize("value", SPLIT.values(), ids=SPLIT)
def test_two_strings_of_the_same_json_are_one_text(value: object, times: int, size: int) -> None:
    text = json.dumps(value)
    for _ in range(times):
        text = json.dumps({"in": text})
    client = run(said([("call 1", text)], list(range(size, 400, size))))
    assert client.ended == [0]
    left = client.text[0, "call 1"]
    assert text.startswith(left)
    for part in ("Harry", "Har", SECRET[:20], "rry"):
        assert part not in left


HARMLESS = [
    {"first": "Harry", "last": "Bosch"},
    {"first": "Harry", "job": "pottery"},
    ["Harry", "Ron", "Potter"],
    {"Harry": 1, "Bosch": "Potter"},
    {"first": "Harry", "middle": "x" * (FARTHEST + 1), "last": "Potter"},
    {"say": 'he said "Harry" and "left" and', "x": "Potter"},
]


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("value", HARMLESS, ids=str)
def test_strings_of_json_that_are_no_text_together_pass(value: object, size: int) -> None:
    text = json.dumps(value)
    client = run(said([("call 1", text)], list(range(size, 400, size))))
    assert client.text[0, "call 1"] == text
    assert client.ended == []


def test_a_string_that_stops_inside_a_name_does_not_hold_a_long_text() -> None:
    hold = HoldBack[object](PHRASES, phase=phase)
    client = Client()
    text = json.dumps({"a": "Harry", "b": "many words of another kind " * 40})
    fed = 0
    for event in said([("call 1", text)], list(range(9, 2000, 9))):
        client.receive(hold.feed(event))
        fed += len(event.pieces[0].text)
        assert fed - len(client.text[0, "call 1"]) <= FARTHEST + 40


def test_a_name_that_ends_with_a_string_of_json_is_found() -> None:
    client = run(
        [delta(0, "Ask Harry ", channel="content"), delta(1, '{"q": "Potter"}', channel="call 1")]
    )
    assert client.text[0, "content"] == "Ask "


@pytest.mark.parametrize("end", ["about Harry", "of sk-9f8a7b", "of H a", "SGFycnkg", "Hmm &#7"])
def test_thoughts_that_end_inside_a_phrase_do_not_hold_what_is_said(end: str) -> None:
    hold = HoldBack[object](PHRASES, phase=phase)
    assert hold.feed(delta("a", end, channel="reasoning")) == []
    released = hold.feed(delta("b", "Yes, it is."))
    assert [r.event.payload for r in released if isinstance(r, Forward)] == ["a", "b"]
    assert len(hold.feed(delta("c", " More of it."))) == 1


def test_thoughts_go_on_waiting_while_what_is_said_has_not_begun() -> None:
    hold = HoldBack[object](PHRASES, phase=phase)
    hold.feed(delta("a", "about Harry", channel="reasoning"))
    assert hold.feed(delta("b", "\n")) == []
    assert hold.feed(delta("c", "\nPot")) == []
    assert len(hold.feed(delta("d", "ato."))) == 4


def test_a_name_at_the_end_of_thoughts_is_the_name() -> None:
    client = run([delta("a", "about Harry Potter", channel="reasoning"), delta("b", "Yes, it is.")])
    assert dict(client.text) == {(0, "reasoning"): "about "}
    assert client.ended == [0]


def test_what_is_exempt_does_not_stall_over_channels_either() -> None:
    hold = HoldBack[object](PHRASES, lambda phrase: phrase.kind == "name", phase=phase)
    hold.feed(delta("a", "about Harry Potter", channel="reasoning"))
    assert len(hold.feed(delta("b", "Yes, it is."))) == 2
    client = run(
        said([("reasoning", "about Harry"), ("content", "Potter it is.")], []),
        exempt=lambda phrase: phrase.kind == "name",
    )
    assert client.text[0, "content"] == "Potter it is."


def test_thoughts_that_go_on_after_all_end_where_they_were_left() -> None:
    parts = [("reasoning", "of sk-9f8a7b"), ("content", "Yes, "), ("reasoning", SECRET[9:])]
    client = run(said(parts, []))
    assert client.text[0, "reasoning"] == "of sk-9f8a7b"
    assert client.ended == [0]


@pytest.mark.parametrize("second", ["content", "call 1"])
def test_a_text_that_is_whole_waits_for_the_next_one(second: str) -> None:
    def events(rest: str) -> list[Event[object]]:
        first = delta("a", f"It is {SECRET[:20]}", channel="reasoning")
        return [
            first,
            Event("stop", (0,), (), (), ((0, "reasoning"),)),
            Event("start", (0,), (Piece(0, "id", "abc"),), (), ((0, "id"),)),
            delta("b", rest, channel=second),
            delta("c", "and bright.", channel=second),
        ]

    assert run(events(SECRET[20:])).text == {(0, "reasoning"): "It is "}
    hold = HoldBack[object](PHRASES, phase=phase)
    released = [len(hold.feed(event)) for event in events("no, not ")]
    assert released == [0, 0, 0, 4, 1]


def test_channels_without_a_phase_are_texts_of_their_own() -> None:
    events = [delta(0, "Harry ", channel="id"), delta(1, "Potter ", channel="name")]
    assert run(events).ended == []


def test_fields_without_an_order_are_read_thoughts_first() -> None:
    pieces = (
        Piece(0, "content", SECRET[20:] + " you see", "c"),
        Piece(0, "reasoning", f"It is {SECRET[:20]}", "r"),
    )
    client = run([Event("whole", (0,), thoughts_first(pieces), (0,))])
    assert dict(client.text) == {(0, "content"): "", (0, "reasoning"): "It is "}


@settings(max_examples=300, deadline=None)
@given(texts, texts, st.lists(st.integers(0, 10_000), max_size=12))
def test_two_channels_leave_up_to_the_first_match_in_or_over_them(
    thought: str, content: str, cuts: list[int]
) -> None:
    content = content.lstrip("{[ \t\n\r\x0b\x0c")
    client = run(said([("reasoning", thought), ("content", content)], cuts))
    inside = [match.start for match in PHRASES.find_all(thought)]
    over = [
        match.start
        for match in PHRASES.find_all(thought + content)
        if match.start < len(thought) < match.end
    ]
    later = [match.start for match in PHRASES.find_all(content)]
    received = client.text[0, "reasoning"], client.text[0, "content"]
    if inside or over:
        assert received == (thought[: min(inside + over)], "")
    else:
        assert received == (thought, content[: min(later)] if later else content)
    assert client.ended == ([0] if inside or over or later else [])


parts_in_any_order = st.lists(st.tuples(st.sampled_from(list(PHASES)), texts), max_size=6)


@settings(max_examples=200, deadline=None)
@given(parts_in_any_order, st.booleans())
@example([("reasoning", "Harry Potter"), ("content", "Harry Potter"), ("reasoning", "s")], False)
@example([("content", "Harry Potter"), ("reasoning", "Harry Potter"), ("content", "s, ")], True)
def test_no_order_of_channels_lets_a_phrase_out(
    parts: list[tuple[str, str]], by_character: bool
) -> None:
    events = said(parts, list(range(1, 200)) if by_character else [])
    client = run(events)
    for name in {name for name, _ in parts}:
        received = client.text[0, name]
        assert "".join(text for of, text in parts if of == name).startswith(received)
        assert PHRASES.find_all(received) == []
