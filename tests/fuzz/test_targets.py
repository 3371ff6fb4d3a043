"""What must hold of anything that comes in: properties here, targets for `python -m tests.fuzz`."""

from __future__ import annotations

import json
import re
import tempfile
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings

from guard.api.app import ENDPOINTS
from guard.api.body import parse_object
from guard.api.sse import Block, SSEDecoder
from guard.asked import Asked
from guard.enforcement import Binding, Enforcement
from guard.errors import PolicyError, RequestError
from guard.messages import strings
from guard.policy import PolicySet, lint, load_policy_set
from guard.restrict import PhraseAutomaton, Scanner, lint_patterns
from guard.restrict.folding import fold_words
from tests.fuzz.strategies import (
    BODIES,
    BYTES,
    CUTS,
    NAME,
    POLICIES,
    STREAMS,
    TEXTS,
    pieces,
    requests,
    typed_streams,
)
from tests.support.policies import automaton, policy

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TODAY = date(2026, 11, 24)
_OUR_IDS = re.compile(r"[0-9a-f]{32}")  # drawn anew for an answer that came without its own
ENDPOINT = {kind.name: kind() for kind in ENDPOINTS}


@cache
def _names() -> PhraseAutomaton:
    return automaton(NAME)


@cache
def _binding() -> Binding:
    binding = Enforcement(PolicySet((policy(NAME),))).binding(None, "m")
    binding.compile()
    return binding


@quick
@given(body=BODIES)
def test_any_bytes_as_a_body_give_an_object_or_an_error(body: bytes) -> None:
    try:
        found = parse_object(body)
    except RequestError as error:
        assert error.status == 400
        assert len(error.message) < 200
        return
    assert found == json.loads(body)


@quick
@given(request=requests())
def test_a_name_is_read_wherever_a_request_that_is_served_has_it(
    request: tuple[str, dict[str, Any]],
) -> None:
    name, body = request
    endpoint = ENDPOINT[name]
    try:
        asked = endpoint.read(body)
        endpoint.contract.check(body, enforced=True)
    except RequestError:
        return
    if asked.unreadable is not None:  # refused under an enforced policy
        return
    guarded = {key: body[key] for key in endpoint.contract.guarded if key in body}
    if any(NAME in text for text in strings(guarded)):
        assert any(map(_names().find_all, (*asked.texts, *asked.spans)))


@quick
@given(data=BYTES | STREAMS, cuts=CUTS)
def test_any_chunking_gives_the_same_blocks(data: bytes, cuts: list[int]) -> None:
    def blocks(parts: list[bytes]) -> list[Block]:
        decoder = SSEDecoder()
        return [block for part in parts for block in decoder.feed(part)] + decoder.flush()

    whole, cut = blocks([data]), blocks(pieces(data, cuts))
    # An LF whose CR came alone may be an empty block of its own: it says nothing.
    said = [[block.data for block in some if block.data is not None] for some in (whole, cut)]
    assert said[0] == said[1]
    assert b"".join(block.raw for block in whole).startswith(data.rstrip(b"\r\n"))


@quick
@given(data=STREAMS, cuts=CUTS)
def test_any_chunking_of_an_answer_gives_the_same_answer_without_the_name(
    data: bytes, cuts: list[int]
) -> None:
    whole = _filtered("chat", [data])
    cut = _filtered("chat", pieces(data, cuts))
    assert whole[1] == cut[1]
    assert _said(whole[0]) == _said(cut[0])
    for text in (*_said(whole[0]).values(), *_beside(whole[0])):
        assert not _names().find_all(text)


@quick
@given(stream=typed_streams(), cuts=CUTS)
def test_any_chunking_of_typed_events_gives_the_same_events_without_the_name(
    stream: tuple[str, bytes], cuts: list[int]
) -> None:
    name, data = stream
    whole = _filtered(name, [data])
    cut = _filtered(name, pieces(data, cuts))
    assert whole[1] == cut[1]
    assert _adding(whole[0]) == _adding(cut[0])
    for text in (*_adding(whole[0]).values(), *_beside(whole[0])):
        assert not _names().find_all(text)


def _filtered(name: str, parts: list[bytes]) -> tuple[bytes, bool]:
    """What leaves of a stream, and whether it ended as a failure."""
    answer = ENDPOINT[name].filter(_binding(), Asked("m", True, 1))
    out = b""
    for part in parts:
        out += answer.feed(part)
        if answer.failure is not None or answer.ended:
            return out, answer.failure is not None
    return out + answer.flush(), answer.failure is not None


def _beside(answer: bytes) -> list[str]:
    """The lines of a stream that are not data."""
    lines = [line for line in answer.splitlines() if not line.startswith(b"data:")]
    return [line.decode("utf-8", "replace") for line in lines]


def _adding(answer: bytes) -> dict[str, str]:
    """What a client that adds up deltas reads: strings by where they stand; whole ones by event."""
    texts: dict[str, str] = {}
    decoder = SSEDecoder()
    for number, block in enumerate((*decoder.feed(answer), *decoder.flush())):
        if block.data is None or block.data.strip() == b"[DONE]":
            continue
        event = json.loads(block.data)
        kind, place = event.get("type"), event.get("output_index", event.get("index"))
        adds = "delta" in event or "choices" in event
        delta = event.get("delta")
        own = delta.get("type") if isinstance(delta, dict) else None
        key = f"{kind} {own} {place}" if adds else f"{kind} {number}"
        said = "".join(strings(_spoken(event)))
        texts[key] = texts.get(key, "") + _OUR_IDS.sub("", said)
    return texts


def _spoken(event: dict[str, Any]) -> Any:
    if "choices" in event:
        return [choice.get("text") for choice in event["choices"]]
    delta = event.get("delta", event)
    if event.get("type") == "content_block_delta" and isinstance(delta, dict):
        return [text for key, text in delta.items() if key != "type"]
    return delta


def _said(answer: bytes) -> dict[str, str]:
    texts: dict[str, str] = {}
    decoder = SSEDecoder()
    for block in (*decoder.feed(answer), *decoder.flush()):
        if block.data is None or block.data.strip() == b"[DONE]":
            continue
        for choice in json.loads(block.data)["choices"]:
            for key, value in choice["delta"].items():
                said = [call["function"] for call in value] if key == "tool_calls" else value
                texts[key] = texts.get(key, "") + "".join(strings(_values(said)))
    return texts


def _values(said: Any) -> Any:
    return [list(each.values()) for each in said] if isinstance(said, list) else said


@quick
@given(text=TEXTS, cuts=CUTS)
def test_any_division_of_a_text_gives_the_same_matches(text: str, cuts: list[int]) -> None:
    whole = _names().find_all(text)
    scanner, found = Scanner(_names()), []
    for piece in pieces(text, cuts):
        released = scanner.live
        new = scanner.feed(piece)
        assert all(match.start >= released for match in new)
        found += new
    found += scanner.flush()
    assert found == whole
    assert scanner.position == len(text)
    assert all(0 <= match.start < match.end <= len(text) for match in whole)
    assert all(fold_words(text))


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-"))


@quick
@given(content=POLICIES)
def test_any_bytes_as_a_policy_give_a_set_that_compiles_or_problems(content: bytes) -> None:
    path = _folder() / "a.yaml"
    path.write_bytes(content)
    try:
        found = load_policy_set(_folder())
    except PolicyError as error:
        assert error.problems
        assert all(problem.message and problem.line >= 0 for problem in error.problems)
        assert any(problem.level == "error" for problem in lint(_folder(), today=TODAY))
        return
    assert not [problem for problem in lint(_folder(), today=TODAY) if problem.level == "error"]
    for each in found.policies:
        lint_patterns(each)
    Enforcement(found).prepare([None])
