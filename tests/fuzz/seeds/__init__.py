"""Inputs that the fuzzer starts from, a file a target and a line an input: the bytes that the
target's strategies read, in base64. `python -m tests.fuzz --grow` adds to them."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

TARGETS = {
    "body": "test_any_bytes_as_a_body_give_an_object_or_an_error",
    "request": "test_a_name_is_read_wherever_a_request_that_is_served_has_it",
    "sse": "test_any_chunking_gives_the_same_blocks",
    "answer": "test_any_chunking_of_an_answer_gives_the_same_answer_without_the_name",
    "events": "test_any_chunking_of_typed_events_gives_the_same_events_without_the_name",
    "normaliser": "test_any_division_of_a_text_gives_the_same_matches",
    "policy": "test_any_bytes_as_a_policy_give_a_set_that_compiles_or_problems",
}
MOST = 40  # inputs of one target
LONGEST = 400  # bytes of one

_FOLDER = Path(__file__).parent
_GUARD = str(Path(__file__).parents[3] / "guard")

Line = tuple[CodeType, int]


def _file(target: str) -> Path:
    return _FOLDER / f"{target}.txt"


def seeds(target: str) -> list[bytes]:
    """The inputs of a target."""
    path = _file(target)
    return [base64.b64decode(line) for line in path.read_text().split()] if path.exists() else []


def one_of(target: str) -> Callable[[bytes], object]:
    """What runs a target on one input."""
    from tests.fuzz import test_targets

    run: Callable[[bytes], object] = getattr(
        test_targets, TARGETS[target]
    ).hypothesis.fuzz_one_input
    return run


def keep(target: str, inputs: Iterable[bytes]) -> None:
    """Write the inputs that reach lines of `guard` which no shorter one of them reaches."""
    run, seen, kept = one_of(target), set[Line](), []
    for each in sorted({each for each in inputs if 0 < len(each) <= LONGEST}, key=len):
        if (reached := _reached(run, each)) - seen and len(kept) < MOST:
            seen |= reached
            kept.append(each)
    _file(target).write_text("".join(f"{base64.b64encode(each).decode()}\n" for each in kept))


def _reached(run: Callable[[bytes], object], each: bytes) -> set[Line]:
    lines: set[Line] = set()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(_GUARD):
            return None
        lines.add((frame.f_code, frame.f_lineno))
        return trace

    sys.settrace(trace)
    try:
        run(each)
    finally:
        sys.settrace(None)
    return lines
