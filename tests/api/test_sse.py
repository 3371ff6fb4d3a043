"""The SSE decoder: any line ends, any chunking, the bytes kept as they came."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.api.sse import MAX_BLOCK, Block, SSEDecoder, encode
from guard.errors import UpstreamGarbage


def decode(data: bytes, cuts: list[int] | None = None) -> list[Block]:
    decoder = SSEDecoder()
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts or []), len(data)]
    blocks = [b for start, end in pairwise(places) for b in decoder.feed(data[start:end])]
    return blocks + decoder.flush()


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        (b"data: {}\n\n", [b"{}"]),
        (b"data:{}\n\n", [b"{}"]),
        (b"data: {}\r\n\r\n", [b"{}"]),
        (b"data: {}\r\r", [b"{}"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b": comment\n\n", [None]),
        (b"event: ping\n\n", [None]),
        (b"event: x\ndata: y\nid: 3\n\n", [b"y"]),
        (b"\n\ndata: y\n\n", [None, b"y"]),
        (b"data: 1\n\ndata: 2\n\n", [b"1", b"2"]),
        (b"data: no blank line", [b"no blank line"]),
        (b"data: one newline\n", [b"one newline"]),
        (b"data: [DONE]\n\n", [b"[DONE]"]),
        ("data: “ü”\n\n".encode(), ["“ü”".encode()]),
        (b"data:  two spaces\n\n", [b" two spaces"]),
        (b"", []),
        (b"\n", []),
    ],
)
def test_blocks_and_their_data(raw: bytes, data: list[bytes | None]) -> None:
    assert [block.data for block in decode(raw)] == data


lines = st.sampled_from([b"data: {}", b"data: \xc3\xbc", b": ping", b"event: e", b"data:", b""])
ends = st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n"])
streams = st.lists(st.tuples(lines, ends).map(b"".join), max_size=12).map(b"".join)


@given(streams, st.lists(st.integers(0, 1_000), max_size=12))
def test_any_chunking_gives_the_same_data(data: bytes, cuts: list[int]) -> None:
    def meaningful(blocks: list[Block]) -> list[bytes]:
        return [block.data for block in blocks if block.data is not None]

    assert meaningful(decode(data, cuts)) == meaningful(decode(data))


@given(streams, st.lists(st.integers(0, 1_000), max_size=12))
def test_whole_blocks_put_together_are_the_bytes_that_came(data: bytes, cuts: list[int]) -> None:
    data += b"\n\n"
    assert b"".join(block.raw for block in decode(data, cuts)).rstrip() == data.rstrip()


def test_encode_is_what_decode_reads() -> None:
    (block,) = decode(encode(b'{"a":1}'))
    assert block == Block(b'data: {"a":1}\n\n', b'{"a":1}')


def test_an_event_without_end_is_refused() -> None:
    decoder = SSEDecoder()
    with pytest.raises(UpstreamGarbage, match="too large"):
        for _ in range(MAX_BLOCK // 65_536 + 2):
            assert list(decoder.feed(b"x" * 65_536)) == []


@pytest.mark.parametrize("data", [b"{}", b"", b"\n{}", b'{\n"a":\n1}', b"[DONE]"])
def test_what_is_encoded_is_read_back(data: bytes) -> None:
    decoder = SSEDecoder()
    (block,) = [*decoder.feed(encode(data)), *decoder.flush()]
    assert block.data == data
