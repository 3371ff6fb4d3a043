"""Frames come out as they went in, however the stream was cut; what is no frame is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.workers.frames import FrameError, FrameReader, frame

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=6), st.lists(st.integers(1, 40), min_size=1))
def test_any_cut_of_the_stream_gives_the_same_messages(
    messages: list[Any], sizes: list[int]
) -> None:
    stream = b"".join(map(frame, messages))
    reader, found, at, turn = FrameReader(), [], 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        found += reader.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert found == messages


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (None, b"\0\0\0\x04null"),
        ([1, "score", []], b'\0\0\0\x0e[1,"score",[]]'),
        ("ä", b'\0\0\0\x04"\xc3\xa4"'),
    ],
)
def test_a_frame_is_its_length_and_json(message: Any, wire: bytes) -> None:
    assert frame(message) == wire


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(b"\0\0\0\x05{nope", id="not JSON"),
        pytest.param(b"\0\0\0\x00", id="empty"),
        pytest.param(b"\0\0\0\x11", id="longer than allowed, refused before it has come"),
        pytest.param(b"HTTP/1.1", id="another protocol"),
    ],
)
def test_what_is_no_frame_is_refused(wire: bytes) -> None:
    with pytest.raises(FrameError):
        FrameReader(max_bytes=16).feed(wire)


@pytest.mark.parametrize(
    "message", ["\ud800", {"a": object()}, 2**70], ids=["surrogate", "object", "large"]
)
def test_what_json_cannot_hold_is_refused(message: Any) -> None:
    with pytest.raises(FrameError):
        frame(message)
