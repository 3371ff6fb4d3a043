"""Requests, streams, texts and policy files of every kind, for hypothesis and for the fuzzer."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from guard.api import messages_input, responses_input
from guard.api.contract import contracts
from guard.messages import MESSAGE_FIELDS
from tests.support.answers import chat_chunk, completion_chunks, sse
from tests.support.typed_answers import message_events, named, response_events

NAME = "Harry Potter"

_WORDS = st.sampled_from(
    [NAME, "Harry", " Potter", "", "x", "text", "function", "name", "user", "type", "\ud800", "\0"]
)
_NUMBERS = st.none() | st.booleans() | st.integers(-2, 300) | st.floats(allow_nan=False)
_KEYS = st.sampled_from(
    sorted({*MESSAGE_FIELDS, *responses_input.ITEM_FIELDS, *messages_input.BLOCK_FIELDS, NAME})
)
_TYPES = st.sampled_from(
    sorted({"input_text", "refusal", *responses_input.ITEM_TYPES, *messages_input.BLOCK_TYPES})
)
JSON = st.recursive(
    _WORDS | _NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=6,
)
_PARTS = st.fixed_dictionaries({"type": _TYPES, "text": _WORDS}) | st.fixed_dictionaries(
    {"type": _TYPES}, optional=dict.fromkeys(sorted(messages_input.BLOCK_FIELDS - {"type"}), JSON)
)
_CONTENT = _WORDS | st.lists(_PARTS, max_size=3) | JSON
_MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "tool", NAME])},
        optional={"content": _CONTENT, "name": _WORDS, "tool_calls": JSON, "refusal": JSON},
    ),
    min_size=1,
    max_size=3,
)
_ITEMS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(sorted(responses_input.ITEM_TYPES))},
        optional=dict.fromkeys(sorted(responses_input.ITEM_FIELDS - {"type"}), _CONTENT),
    ),
    min_size=1,
    max_size=3,
)
_MAIN: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "chat": ("messages", _MESSAGES),
    "completions": ("prompt", _WORDS | st.lists(_WORDS | JSON, max_size=3)),
    "responses": ("input", _WORDS | _ITEMS),
    "messages": ("messages", _MESSAGES),
    "embeddings": ("input", _WORDS | st.lists(_WORDS | JSON, max_size=3)),
}


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An endpoint's name, and a request that it may take or refuse."""
    endpoint = draw(st.sampled_from(sorted(_MAIN)))
    main, values = _MAIN[endpoint]
    others = st.dictionaries(
        st.sampled_from(sorted(contracts()[endpoint].fields)), JSON, max_size=3
    )
    return endpoint, {**draw(others), "model": "m", main: draw(values)}


_SIGNS = [*'[]{}:,"\\ \n\t', "\ufeff", "\ud800", "NaN", "1e999", "-0", '"a":1,', '"a":1', "null"]
BODIES = st.binary(max_size=40) | st.lists(st.sampled_from(_SIGNS), max_size=30).map(
    lambda found: "".join(found).encode(errors="surrogatepass")
)

_GARBAGE = st.sampled_from(
    [
        *(b"\n", b"\r", b"\r\n", b"\n\n", b":", b": Harry Potter\n", b"event: Harry Potter\n"),
        *(b"data", b"data:", b"data: ", b"data: [DONE]\n\n", b"data: {}\n\n", b"id: 1\n", b"\xff"),
        *(b'data: {"error": {"message": "Harry Potter"}}\n\n', b"[", b'"', b"\x00"),
    ]
)
_SAID = st.sampled_from(
    [NAME, "Har", "ry ", "Pot", "ter", " ", "he", "\u200b", "H a r r y ", "%50"]
)


@st.composite
def _chunks(draw: st.DrawFn) -> bytes:
    channel = draw(st.sampled_from(["content", "reasoning", "refusal", "tool"]))
    text = draw(_SAID)
    call = {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}
    delta = call if channel == "tool" else {channel: text}
    chunk = chat_chunk(delta, finish_reason=draw(st.sampled_from([None, None, None, "stop"])))
    return sse(chunk)[0]


_PIECES = st.lists(_SAID, max_size=4)
_PARTS_SAID = st.lists(
    st.tuples(st.sampled_from(["text", "reasoning"]), _PIECES), min_size=1, max_size=3
)


@st.composite
def typed_streams(draw: st.DrawFn) -> tuple[str, bytes]:
    """An endpoint of typed events or of completions, and a stream of it: events may be missing,
    come twice or out of order, and anything may stand between them."""
    name = draw(st.sampled_from(["completions", "messages", "responses"]))
    if name == "completions":
        blocks = sse(*completion_chunks(draw(_PIECES)), done=draw(st.booleans()))
    else:
        make = message_events if name == "messages" else response_events
        blocks = named(make(draw(_PARTS_SAID)))
    for place, block in draw(st.lists(st.tuples(st.integers(0, 40), _GARBAGE), max_size=4)):
        blocks.insert(place, block)
    for place in draw(st.lists(st.integers(0, 40), max_size=3)):
        if place < len(blocks):
            blocks.insert(place // 2, blocks[place])
    for place in draw(st.lists(st.integers(0, 40), max_size=2)):
        del blocks[place : place + 1]
    return name, b"".join(blocks)


BYTES = st.lists(_GARBAGE, max_size=20).map(b"".join)
STREAMS = st.lists(_chunks() | _chunks() | _chunks() | _GARBAGE, max_size=12).map(b"".join)
CUTS = st.lists(st.integers(0, 400), max_size=12)

_LETTERS = [
    *"HarryPotteh4rp0", *" -_*.~", "\u200b", "\u00ad", "\u0301", "\u0430", "\u043e", "&#72;",
    "&amp;", "%50", "\\u0050", "\\", "&", "%", "&#80", "&#x50", "%u0050", "\\120", "\\u{50}", "<b>",
    "<", ">", "](x)", "]", "(", ")", "⠏", "\U000e0140",
    "\U000e0041", "\U0001d407", "\ud800", "哈", "Harry",
    "Potter", "\n", "x", "İ", "ß", "ﬁ",
]  # fmt: skip
TEXTS = st.text(max_size=12) | st.lists(st.sampled_from(_LETTERS), max_size=24).map("".join)

_POLICY = [
    "version: 1\n", "name: a\n", "forget:\n", "  entities:\n", "  - name: Ada\n", "  - {name: B}\n",
    "    aliases: [C D]\n", "  prompts: [who?]\n", "  texts: [one two three four five]\n",
    "  texts: {file: a.yaml}\n", "  pairs: {file: a.yaml, prompt: q, answer: a}\n",
    "action: refuse\n", "action: restrict\n", "mode: shadow\n", "on_error: open\n",
    "match: {words: 3, beta: 0.5}\n", "until: 2026-01-01\n", "applies_to: {keys: [a]}\n",
    "scope: any\n", "tests:\n- {prompt: x, expect: flagged}\n", "message: no\n", "&a ", "*a",
    "<<: ",
    *"[]{}:,-?!|>%@`'\"#~ \n\t\0", "\u2028", "\ud800", "!!int ", "!!set ", "2026-13-01", ".inf",
]  # fmt: skip
_GOOD = "version: 1\nname: a\naction: refuse\nforget:\n  entities:\n  - name: Ada Lovelace\n"
POLICIES = (
    st.binary(max_size=60)
    | st.lists(st.sampled_from(_POLICY), max_size=20).map(
        lambda found: "".join(found).encode(errors="surrogatepass")
    )
    | st.lists(st.sampled_from(_POLICY), max_size=6).map(
        lambda found: (_GOOD + "".join(found)).encode(errors="surrogatepass")
    )
)


def pieces(data: Any, cuts: list[int]) -> list[Any]:
    """`data` cut at these places."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]
