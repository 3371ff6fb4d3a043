"""Request bodies: bounded, strict, and never quoted back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.api.body import ClientGone, parse_object, read_body
from guard.errors import PayloadTooLarge, RequestError


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"hello", "not JSON"),
        (b"[]", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"a": 1, "a": 2}', "duplicate key"),
        (b'{"a": {"b": 1, "b": 1}}', "duplicate key"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deep"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "unusable number"),
        (b'{"a": 1} trailing', "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b"{'a': 1}", "not JSON"),
    ],
)
def test_a_body_that_two_parsers_could_disagree_on_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(RequestError, match=words) as refused:
        parse_object(body)
    assert refused.value.status == 400
    assert refused.value.code == "invalid_json"


def test_the_error_never_quotes_the_body() -> None:
    with pytest.raises(RequestError) as refused:
        parse_object(b'{"Harry Potter": 1, "Harry Potter": 2}')
    assert "Harry" not in str(refused.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values))
def test_any_json_object_is_read(value: dict[str, Any]) -> None:
    import json

    assert parse_object(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_request_error(body: bytes) -> None:
    try:
        assert isinstance(parse_object(body), dict)
    except RequestError as error:
        assert error.status == 400


def receiver(*messages: dict[str, Any]) -> Any:
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    return receive


def chunk(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_comes_in_pieces() -> None:
    receive = receiver(chunk(b"ab", more=True), chunk(b"", more=True), chunk(b"c"))
    assert await read_body(receive, 3, 5) == b"abc"


async def test_a_body_over_the_limit_is_refused_before_all_of_it_has_come() -> None:
    receive = receiver(chunk(b"ab", more=True), chunk(b"cd", more=True))
    with pytest.raises(PayloadTooLarge) as refused:
        await read_body(receive, 3, 5)
    assert refused.value.status == 413


async def test_a_client_that_hangs_up_is_noticed() -> None:
    with pytest.raises(ClientGone):
        await read_body(receiver(chunk(b"a", more=True), {"type": "http.disconnect"}), 10, 5)


async def test_a_body_that_stops_coming_is_not_waited_for() -> None:
    first = receiver(chunk(b"a", more=True))

    async def receive() -> dict[str, Any]:
        try:
            return await first()
        except IndexError:
            await asyncio.sleep(30)
            raise

    with pytest.raises(RequestError) as refused:
        await read_body(receive, 10, 0.05)
    assert (refused.value.status, refused.value.code) == (408, "body_timeout")
