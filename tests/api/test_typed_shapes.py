"""Odd answers: whatever a model server sends, nothing forbidden leaves and nothing breaks."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.api.answer_fields import AnswerTable, Fates
from guard.api.messages_api import Messages
from guard.api.responses import Responses
from guard.asked import Asked
from guard.enforcement import Binding, PhraseCache
from guard.errors import UpstreamError
from tests.api.typed import MESSAGES, RESPONSES, Typed
from tests.support.policies import policy

NAME = "Harry Potter"
PARTS = [("reasoning", "so Harry"), ("text", f"It is {NAME}. "), ("call", '{"a": "b"}')]
BINDING = Binding((policy(NAME),), PhraseCache())
SURFACES: list[tuple[Typed, Responses | Messages]] = [
    (RESPONSES, Responses()),
    (MESSAGES, Messages()),
]

odd = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 99) | st.sampled_from(["", "x", NAME, "Harry "]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "text", "index", "delta", NAME]), inner)
    ),
    max_leaves=4,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything below a value."""
    found: list[tuple[Any, ...]] = []
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        found += [(*at, key), *places(item, (*at, key))]
    return found


def changed(value: Any, changes: list[tuple[int, Any]]) -> Any:
    """A copy of the value with odd things in some of its places."""
    value = orjson.loads(orjson.dumps(value))
    for number, put in changes:
        paths = places(value)
        *holder, key = paths[number % len(paths)]
        inner = value
        for step in holder:
            inner = inner[step]
        inner[key] = put
    return value


def forbidden(table: AnswerTable, fates: Fates, sent: list[bytes]) -> list[Any]:
    """The texts with a match in what was sent, but for the words of the protocol itself."""
    found: list[Any] = []
    for data in sent:
        assert table.read(orjson.loads(data), fates, (), found)
    return [each for each in found if BINDING.automaton.find_all(each[1])]


@pytest.mark.parametrize(("script", "endpoint"), SURFACES)
@settings(max_examples=100, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), odd), min_size=1, max_size=3))
def test_odd_streams(
    script: Typed, endpoint: Responses | Messages, changes: list[tuple[int, Any]]
) -> None:
    texts = [(kind, text.split(" ")) for kind, text in PARTS]
    events = changed(script.events([(k, [f"{t} " for t in ts]) for k, ts in texts]), changes)
    raw = [b"data: %b\n\n" % orjson.dumps(event) for event in events]
    filter_ = endpoint.filter(BINDING, Asked("m", True, 1))
    sent = b""
    for block in raw:
        sent += filter_.feed(block)
        if filter_.failure is not None or filter_.ended:
            break
    if filter_.failure is None:
        with contextlib.suppress(UpstreamError):
            sent += filter_.flush()
    blocks = [block.partition(b"data: ")[2] for block in sent.split(b"\n\n") if block]
    table = endpoint.fields
    assert forbidden(table, table.event, blocks) == []


@pytest.mark.parametrize(("script", "endpoint"), SURFACES)
@settings(max_examples=100, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), odd), min_size=1, max_size=3))
def test_odd_whole_answers(
    script: Typed, endpoint: Responses | Messages, changes: list[tuple[int, Any]]
) -> None:
    answer = changed(script.whole(PARTS), changes)
    filter_ = endpoint.filter(BINDING, Asked("m", False, 1))
    try:
        sent = filter_.whole(orjson.dumps(answer))
    except UpstreamError:
        return
    table = endpoint.fields
    assert forbidden(table, table.answer, [sent]) == []
