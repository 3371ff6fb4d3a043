"""What the events of `/v1/messages` mean: channels, how far a stream has come, how it ends early.

Types and fields as in the installed vLLM's `entrypoints/anthropic` and the official client.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from guard.api.answer_fields import AnswerTable
from guard.api.errors import describe
from guard.api.messages_events import REFUSAL, error_body, start, stop
from guard.api.typed import TypedShape, named
from guard.errors import GuardError

_JOINED = ("text", "thinking")  # texts that clients join over blocks of the type of that name
_CHANNELS = frozenset((kind,) for kind in _JOINED)


class MessagesShape(TypedShape):
    """One answer of `/v1/messages`."""

    holder = "content"
    ends = frozenset({"message_stop"})
    failures = frozenset({"error"})

    def __init__(self, table: AnswerTable, model: str) -> None:
        super().__init__(table)
        self._model = model
        self._usage: dict[str, Any] | None = None  # None until the stream has begun
        self._open: list[int] = []  # blocks that have begun and not ended
        self._waiting: set[str] = set()  # kinds of text whose block has ended, but may be joined

    # --- channels --------------------------------------------------------------------------

    def channel(self, event: Mapping[str, Any], path: tuple[Any, ...]) -> Hashable | None:
        if event["type"] == "content_block_delta" and path == ("delta", "partial_json"):
            return ("input", event.get("index"))
        kinds = ("content_block_start", "content_block_delta")
        if event["type"] in kinds and len(path) == 2 and path[1] in _JOINED:
            return (path[1],)
        return None

    def is_joined(self, channel: Hashable) -> bool:
        return channel in _CHANNELS

    def block(self, event: Mapping[str, Any]) -> Hashable:
        return event.get("index")

    def block_ended(self, event: Mapping[str, Any]) -> Hashable | None:
        return event.get("index") if event["type"] == "content_block_stop" else None

    def closes(self, event: Mapping[str, Any]) -> tuple[Hashable, ...]:
        if event["type"] == "content_block_stop":
            self._waiting.update(_JOINED)
            return (("input", event.get("index")),)
        if event["type"] == "content_block_start":
            block = event.get("content_block")
            kind = block.get("type") if isinstance(block, dict) else None
            over = {each for each in self._waiting if each != kind}
            self._waiting -= over
            return tuple((each,) for each in over)
        return ()

    def delta_slot(self, event: Mapping[str, Any]) -> tuple[Any, ...] | None:
        if event["type"] != "content_block_delta":
            return None
        return next(
            (("delta", key) for key in (*_JOINED, "partial_json") if event["delta"].get(key)), None
        )

    def joined(self, answer: Mapping[str, Any], path: tuple[Any, ...]) -> Hashable | None:
        """Texts of one kind in blocks that follow one another are one text."""
        if path[0] != "content" or len(path) != 3 or path[2] not in _JOINED:
            return None
        blocks, place = answer["content"], path[1]
        first = place
        while first and blocks[first - 1].get("type") == blocks[place].get("type"):
            first -= 1
        return (first, path[2])

    # --- how far the stream has come -------------------------------------------------------

    def note(self, event: Mapping[str, Any]) -> None:
        kind, index = event["type"], event.get("index")
        if kind == "message_start":
            message = event.get("message")
            usage = message.get("usage") if isinstance(message, dict) else None
            self._usage = dict(usage) if isinstance(usage, dict) else {}
        elif kind == "content_block_start" and type(index) is int:
            self._open.append(index)
        elif kind == "content_block_stop" and index in self._open:
            self._open.remove(index)

    # --- how it ends early -----------------------------------------------------------------

    def closing(self) -> list[dict[str, Any]]:
        """The output tokens of a cut answer are not known: the counts are those of its start."""
        events = [start(self._model)] if self._usage is None else []
        events += ({"type": "content_block_stop", "index": index} for index in self._open)
        return [*events, *stop({"input_tokens": 0, "output_tokens": 0, **(self._usage or {})})]

    def error_events(self, error: GuardError) -> bytes:
        status, body = describe(error)
        return named(error_body(status=status, **body["error"]))

    # --- whole answers ---------------------------------------------------------------------

    def is_answer(self, answer: Mapping[str, Any]) -> bool:
        blocks = answer.get("content")
        return isinstance(blocks, list) and all(isinstance(block, dict) for block in blocks)

    def empty_answer(self) -> dict[str, Any]:
        return {**start(self._model)["message"], "stop_reason": REFUSAL}

    def cut_answer(
        self,
        answer: dict[str, Any],
        path: tuple[Any, ...] | None,
        keep: Mapping[Hashable, int],
    ) -> dict[str, Any]:
        blocks = answer["content"]
        if path is not None:
            blocks = [*blocks[: path[1]], *_shortened(blocks[path[1]], path, keep)]
        told = {"stop_reason": REFUSAL, "stop_sequence": None}
        if "stop_details" in answer:
            told["stop_details"] = None
        return {**answer, **told, "content": blocks}


def _shortened(
    block: dict[str, Any], path: tuple[Any, ...], keep: Mapping[Hashable, int]
) -> list[dict[str, Any]]:
    """The block up to the text at `path`; none when that is not a block's own text (a call whose
    input is cut is none)."""
    is_text = len(path) == 3 and path[2] in _JOINED and isinstance(block.get("type"), str)
    if not is_text or not keep[path]:
        return []
    short = {"type": block.get("type"), path[2]: block[path[2]][: keep[path]]}
    return [{**short, "signature": ""}] if path[2] == "thinking" else [short]
