"""Responses and messages end to end: benign bytes untouched, forbidden text never out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.typed import (
    ENDPOINTS,
    KINDS,
    MESSAGES,
    RESPONSES,
    Typed,
    parsed,
    pieces_of,
    stream_bytes,
)
from tests.support.policies import PASSAGE, SECRET
from tests.support.proxy import Proxy, write_policy
from tests.support.typed_answers import named
from tests.support.upstream import Reply, ScriptedUpstream

each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
BENIGN = [("reasoning", "Think of Harry"), ("text", "It was cold ☕."), ("call", '{"who":"me"}')]


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, ScriptedUpstream]]:
    directory = tmp_path_factory.mktemp("policies")
    write_policy(directory, names=["Harry Potter"], texts=[PASSAGE, SECRET])
    with ScriptedUpstream() as upstream, Proxy(directory, upstream.url) as proxy:
        yield proxy, upstream


@pytest.fixture
def upstream(lasting: tuple[Proxy, ScriptedUpstream]) -> ScriptedUpstream:
    lasting[1].forget()
    return lasting[1]


@pytest.fixture
def proxy(lasting: tuple[Proxy, ScriptedUpstream]) -> Proxy:
    return lasting[0]


def text(kind: str, inside: str) -> str:
    return f'{{"said":"{inside} and on"}}' if kind == "call" else f"It says: {inside} and so on."


@each_endpoint
def test_a_benign_answer_is_the_upstreams_own_bytes(
    endpoint: Typed, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    answer = endpoint.whole(BENIGN)
    upstream.reply(Reply.json(answer))
    received = proxy.post(endpoint.path, endpoint.body("Tell me"))
    assert received.status_code == 200
    assert received.content == orjson.dumps(answer)


@each_endpoint
@pytest.mark.parametrize("beside", [b"", b": keep-alive\n\n"])
def test_a_benign_stream_is_the_upstreams_own_bytes(
    endpoint: Typed, beside: bytes, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    pieces = [beside, *named(endpoint.events(pieces_of(BENIGN)))]
    upstream.reply(Reply.events([piece for piece in pieces if piece]))
    assert stream_bytes(proxy, endpoint.path, endpoint.body("x")) == b"".join(pieces)


@each_endpoint
def test_a_text_that_ends_in_half_a_name_holds_nothing_that_comes_after(
    endpoint: Typed, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    long = [("reasoning", ["So Harry"]), ("text", ["word "] * 5_000)]
    pieces = named(endpoint.events(long))
    upstream.reply(Reply.events(pieces))  # more events than the filter would hold
    assert stream_bytes(proxy, endpoint.path, endpoint.body("x")) == b"".join(pieces)


@each_endpoint
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("secret", ["Harry Potter", PASSAGE, SECRET, "H.a.r.r.y Pot\u200bter"])
def test_a_whole_answer_ends_before_forbidden_text(
    endpoint: Typed, kind: str, secret: str, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    parts = [("text", "First."), (kind, text(kind, secret)), ("text", "Last.")]
    upstream.reply(Reply.json(endpoint.whole(parts)))
    answer = proxy.post(endpoint.path, endpoint.body("x")).json()
    kept = [("text", "First.")]
    if kind != "call":  # a call whose arguments are cut is none
        kept.append((kind, "It says: "))
    assert endpoint.texts(answer) == kept
    assert endpoint.ending(answer) == endpoint.cut


@each_endpoint
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("secret", ["Harry Potter", SECRET])
@pytest.mark.parametrize("before", ["It says: ", "", "x" * 200 + " "])
def test_a_stream_ends_before_forbidden_text_as_its_protocol_ends(
    endpoint: Typed,
    kind: str,
    secret: str,
    before: str,
    proxy: Proxy,
    upstream: ScriptedUpstream,
) -> None:
    parts = [("reasoning", "First."), (kind, f"{before}{secret} and so on"), ("text", "Last.")]
    upstream.reply(Reply.events(named(endpoint.events(pieces_of(parts)))))
    events = parsed(stream_bytes(proxy, endpoint.path, endpoint.body("x")))
    # Reasoning that follows reasoning is one text in two items.
    assert endpoint.streamed(events) == [("reasoning", "First."), (kind, before)]
    assert endpoint.stream_ending(events) == endpoint.cut


@each_endpoint
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("between", [[], [("call", "{}")]])
@pytest.mark.parametrize(
    ("first", "last", "kept"),
    [
        *((before, "Harry Potter is here", before) for before in ("P", "%50", "As for Q")),
        *(("It is Harry Potter", after, "It is ") for after in ("y and on", "5", "\u0301")),
    ],
)
def test_a_name_in_a_text_that_is_shown_apart_is_found(
    endpoint: Typed, stream: bool, between: list[Any], first: str, last: str, kept: str,
    proxy: Proxy, upstream: ScriptedUpstream,
) -> None:  # fmt: skip
    """Joined, "PHarry Potter" and "Harry Pottery" are others' names; apart they are the one."""
    parts = [("text", first), *between, ("text", last)]
    if stream:
        pieces = named(endpoint.events([(kind, [*text]) for kind, text in parts]))
        upstream.reply(Reply.events(pieces))
        events = parsed(stream_bytes(proxy, endpoint.path, endpoint.body("x")))
        said, ending = endpoint.streamed(events), endpoint.stream_ending(events)
    else:
        upstream.reply(Reply.json(endpoint.whole(parts)))
        answer = proxy.post(endpoint.path, endpoint.body("x")).json()
        said, ending = endpoint.texts(answer), endpoint.ending(answer)
    assert [part for part in said if part[1]] == [
        ("text", kept),
        *(between if first == kept else []),
    ]
    assert ending == endpoint.cut


@each_endpoint
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("last", ["Potter indeed", "Potter and Harry Potter", "Potter"])
def test_a_name_over_two_texts_that_clients_join_is_found(
    endpoint: Typed, stream: bool, last: str, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    parts = [("text", "It is Harry "), ("text", last)]
    if stream:
        upstream.reply(Reply.events(named(endpoint.events(pieces_of(parts)))))
        events = parsed(stream_bytes(proxy, endpoint.path, endpoint.body("x")))
        assert endpoint.streamed(events) == [("text", "It is ")]
        assert endpoint.stream_ending(events) == endpoint.cut
    else:
        upstream.reply(Reply.json(endpoint.whole(parts)))
        answer = proxy.post(endpoint.path, endpoint.body("x")).json()
        assert endpoint.texts(answer) == [("text", "It is ")]


@each_endpoint
@pytest.mark.parametrize("stream", [False, True])
def test_a_name_at_the_very_end_is_found(
    endpoint: Typed, stream: bool, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    parts = [("text", "It is Harry Potter")]
    if stream:
        upstream.reply(Reply.events(named(endpoint.events(pieces_of(parts)))))
        events = parsed(stream_bytes(proxy, endpoint.path, endpoint.body("x")))
        assert endpoint.streamed(events) == [("text", "It is ")]
    else:
        upstream.reply(Reply.json(endpoint.whole(parts)))
        answer = proxy.post(endpoint.path, endpoint.body("x")).json()
        assert endpoint.texts(answer) == [("text", "It is ")]


def edited(events: list[Any], kind: str, change: Any) -> list[Any]:
    """The events, the first of the type `kind` changed."""
    changed = next(event for event in events if event["type"] == kind)
    change(changed)
    return events


COPIES: list[tuple[Typed, str, Any]] = [
    (RESPONSES, "response.output_item.added", lambda e: e["item"].update(id="Harry Potter")),
    (RESPONSES, "response.content_part.added", lambda e: e["part"].update(text="Harry Potter")),
    (RESPONSES, "response.output_text.done", lambda e: e.update(text="Harry Potter")),
    (RESPONSES, "response.content_part.done", lambda e: e["part"].update(text="Harry Potter")),
    (
        RESPONSES,
        "response.output_item.done",
        lambda e: e["item"]["content"][0].update(annotations=[{"title": "Harry Potter"}]),
    ),
    (
        RESPONSES,
        "response.completed",
        lambda e: e["response"]["output"][0]["content"][0].update(text="x Harry Potter"),
    ),
    (RESPONSES, "response.created", lambda e: e["response"].update(instructions="Harry Potter")),
    (RESPONSES, "response.created", lambda e: e["response"].update(tools=[{"Harry Potter": 1}])),
    (RESPONSES, "response.in_progress", lambda e: e["response"].update(user="Harry Potter")),
    (RESPONSES, "response.output_text.delta", lambda e: e.update(delta={"Harry Potter": 1})),
    (RESPONSES, "response.output_text.delta", lambda e: e.update(delta={"a": "Harry Potter"})),
    (MESSAGES, "content_block_start", lambda e: e["content_block"].update(text="Harry Potter. ")),
    (MESSAGES, "content_block_delta", lambda e: e["delta"].update(citation=["Harry Potter"])),
    (MESSAGES, "message_start", lambda e: e["message"].update(stop_sequence="Harry Potter")),
    (MESSAGES, "message_delta", lambda e: e["delta"].update(stop_sequence="Harry Potter")),
]


@pytest.mark.parametrize(("endpoint", "kind", "change"), COPIES)
def test_text_beside_the_deltas_does_not_get_out_either(
    endpoint: Typed, kind: str, change: Any, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    events = edited(
        orjson.loads(orjson.dumps(endpoint.events([("text", ["fine "])]))), kind, change
    )
    upstream.reply(Reply.events(named(events)))
    raw = stream_bytes(proxy, endpoint.path, endpoint.body("x"))
    assert b"Harry" not in raw
    endpoint.streamed(parsed(raw))
    assert endpoint.stream_ending(parsed(raw)) == endpoint.cut


NAMES: list[tuple[Typed, bool]] = [(each, stream) for each in ENDPOINTS for stream in (False, True)]


@pytest.mark.parametrize(("endpoint", "stream"), NAMES)
def test_a_forbidden_name_of_a_function_is_found(
    endpoint: Typed, stream: bool, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    parts = [("text", "I call"), ("call", '{"a":1}')]
    script = endpoint.events(pieces_of(parts)) if stream else endpoint.whole(parts)
    script = orjson.loads(orjson.dumps(script).replace(b'"find"', b'"harry_potter"'))
    if stream:
        upstream.reply(Reply.events(named(script)))
        events = parsed(stream_bytes(proxy, endpoint.path, endpoint.body("x")))
        assert endpoint.streamed(events) == [("text", "I call")]
    else:
        upstream.reply(Reply.json(script))
        answer = proxy.post(endpoint.path, endpoint.body("x")).json()
        assert endpoint.texts(answer) == [("text", "I call")]
        assert endpoint.ending(answer) == endpoint.cut


@each_endpoint
@pytest.mark.parametrize("stream", [False, True])
def test_fields_that_nobody_knows_are_taken_out_and_the_rest_is_served(
    endpoint: Typed, stream: bool, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    if stream:
        events = [{**each, "thoughts": "Harry Potter"} for each in endpoint.events(BENIGN)]
        upstream.reply(Reply.events(named(events)))
        received = parsed(stream_bytes(proxy, endpoint.path, endpoint.body("x")))
        assert received == endpoint.events(BENIGN)
    else:
        upstream.reply(Reply.json({**endpoint.whole(BENIGN), "thoughts": ["Harry Potter"]}))
        answer = proxy.post(endpoint.path, endpoint.body("x")).json()
        assert answer == endpoint.whole(BENIGN)
    name = endpoint.path.rpartition("/")[2]
    assert f'guard_stripped_total{{endpoint="{name}"}}' in httpx.get(f"{proxy.url}/metrics").text


@each_endpoint
def test_an_error_inside_a_stream_ends_it_without_the_upstreams_words(
    endpoint: Typed, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    events = endpoint.events([("text", ["fine "])])[:4]
    failed = {"type": "error", "error": {"type": "x", "message": "Harry Potter"}}
    upstream.reply(Reply.events(named([*events, failed])))
    received = parsed(stream_bytes(proxy, endpoint.path, endpoint.body("x")))
    assert received[:-1] == events[: len(received) - 1]
    assert received[-1]["type"] == "error"
    assert "Harry" not in str(received)
    if endpoint is RESPONSES:
        assert received[-1]["sequence_number"] == len(received) - 1


@each_endpoint
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("garbage", [[], {"x": 1}, {"type": 5}])
def test_what_is_not_an_answer_is_an_error(
    endpoint: Typed, stream: bool, garbage: Any, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    if stream:
        upstream.reply(Reply.events([b"data: %b\n\n" % orjson.dumps(garbage)]))
        (event,) = parsed(stream_bytes(proxy, endpoint.path, endpoint.body("x")))
        assert event["type"] == "error"
    else:
        upstream.reply(Reply.json(garbage))
        assert proxy.post(endpoint.path, endpoint.body("x")).status_code == 502


@each_endpoint
def test_a_cut_stream_stops_the_upstream(
    endpoint: Typed, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    events = endpoint.events([("text", ["Harry Potter is "] + ["more "] * 1_000)])
    upstream.reply(Reply.events(named(events), spacing=0.01))
    stream_bytes(proxy, endpoint.path, endpoint.body("x"))
    assert upstream.requests[0].disconnected.wait(5)


@each_endpoint
def test_a_shadow_policy_watches_and_touches_nothing(
    endpoint: Typed, tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    write_policy(tmp_path, names=["Harry Potter"], mode="shadow")
    parts = [("text", "It is Harry Potter indeed")]
    whole = endpoint.whole(parts, odd="field")
    pieces = named(endpoint.events(pieces_of(parts)))
    upstream.reply(Reply.json(whole), Reply.events(pieces))
    with Proxy(tmp_path, upstream.url) as proxy:
        assert proxy.post(endpoint.path, endpoint.body("x")).content == orjson.dumps(whole)
        assert stream_bytes(proxy, endpoint.path, endpoint.body("x")) == b"".join(pieces)
        metrics = httpx.get(f"{proxy.url}/metrics").text
    assert 'guard_filtered_total{mode="shadow",policy="tests"}' in metrics


@pytest.mark.parametrize(
    ("scope", "text", "ending"),
    [("parametric", f"It says: {PASSAGE}", "end_turn"), ("any", "It says: ", "refusal")],
)
def test_text_that_the_client_supplied_may_be_repeated_only_when_parametric(
    tmp_path: Path, upstream: ScriptedUpstream, scope: str, text: str, ending: str
) -> None:
    write_policy(tmp_path, texts=[PASSAGE], scope=scope)
    upstream.always(Reply.json(MESSAGES.whole([("text", f"It says: {PASSAGE}")])))
    with Proxy(tmp_path, upstream.url) as proxy:
        body = MESSAGES.body("Translate", system=[{"type": "text", "text": PASSAGE}])
        answer = proxy.post(MESSAGES.path, body).json()
    assert MESSAGES.texts(answer) == [("text", text)]
    assert answer["stop_reason"] == ending


BEGUN: list[tuple[Typed, Any]] = [
    (
        RESPONSES,
        RESPONSES.body(
            [
                {"role": "user", "content": "Who?"},
                {
                    "type": "message",
                    "role": "assistant",
                    "status": "in_progress",
                    "content": [{"type": "output_text", "text": "It is Harry Pot"}],
                },
            ]
        ),
    ),
    (
        MESSAGES,
        {
            **MESSAGES.body("Who?"),
            "messages": [
                {"role": "user", "content": "Who?"},
                {"role": "assistant", "content": "It is Harry Pot"},
            ],
        },
    ),
]


@pytest.mark.parametrize(("endpoint", "body"), BEGUN)
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_the_client_began_does_not_end_in_a_name(
    endpoint: Typed, body: Any, stream: bool, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    parts = [("text", "ter and his friends")]
    if stream:
        upstream.reply(Reply.events(named(endpoint.events(pieces_of(parts)))))
        events = parsed(stream_bytes(proxy, endpoint.path, body))
        assert "".join(text for _, text in endpoint.streamed(events)) == ""
        assert endpoint.stream_ending(events) == endpoint.cut
    else:
        upstream.reply(Reply.json(endpoint.whole(parts)))
        answer = proxy.post(endpoint.path, body).json()
        assert "".join(text for _, text in endpoint.texts(answer)) == ""
        assert endpoint.ending(answer) == endpoint.cut


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(ENDPOINTS),
    st.sampled_from(KINDS),
    st.sampled_from(["Harry Potter", "Har\u200bry Potter", PASSAGE, SECRET, "nothing at all"]),
    st.lists(st.integers(0, 10_000), max_size=12),
    st.lists(st.integers(0, 100_000), max_size=12),
)
def test_no_chunking_of_tokens_or_of_bytes_changes_what_a_client_gets(
    lasting: tuple[Proxy, ScriptedUpstream],
    endpoint: Typed,
    kind: str,
    secret: str,
    cuts: list[int],
    splits: list[int],
) -> None:
    proxy, upstream = lasting
    said = f"It says ☕: {secret} and so on."
    places = [0, *sorted(cut % (len(said) + 1) for cut in cuts), len(said)]
    pieces = [said[start:end] for start, end in pairwise(places) if start < end]
    raw = b"".join(named(endpoint.events([("text", ["First. "]), (kind, pieces)])))
    places = [0, *sorted(split % (len(raw) + 1) for split in splits), len(raw)]
    upstream.reply(Reply.events([raw[a:b] for a, b in pairwise(places) if a < b]))
    received = stream_bytes(proxy, endpoint.path, endpoint.body("x"))
    if secret.startswith("nothing"):
        assert received == raw
    else:
        events = parsed(received)
        told = endpoint.streamed(events)
        assert told == [("text", "First. "), (kind, "It says ☕: ")]
        assert endpoint.stream_ending(events) == endpoint.cut
