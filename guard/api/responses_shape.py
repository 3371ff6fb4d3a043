"""What the events of `/v1/responses` mean: channels, how far a stream has come, how it ends early.

Types and fields as in the installed vLLM's `entrypoints/openai/responses` and the official client.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

from guard.api.answer_fields import AnswerTable
from guard.api.responses_events import error_event, incomplete
from guard.api.typed import TypedShape, named
from guard.errors import GuardError


class _Text(NamedTuple):
    """Where a kind of delta adds its text: a part's field in the item's list `holder` (its place in
    it is the event's `place`), or a field of the item. `done` is the event that repeats it."""

    holder: str | None
    place: str | None
    field: str

    def done(self, event_type: str) -> str:
        return event_type.removesuffix(".delta") + ".done"


_DELTAS = {
    "response.output_text.delta": _Text("content", "content_index", "text"),
    "response.refusal.delta": _Text("content", "content_index", "refusal"),
    "response.reasoning_text.delta": _Text("content", "content_index", "text"),
    "response.reasoning_summary_text.delta": _Text("summary", "summary_index", "text"),
    "response.function_call_arguments.delta": _Text(None, None, "arguments"),
    "response.mcp_call_arguments.delta": _Text(None, None, "arguments"),
    "response.custom_tool_call_input.delta": _Text(None, None, "input"),
    "response.code_interpreter_call_code.delta": _Text(None, None, "code"),
}
_PART_DELTAS = {  # by the type of a part
    "output_text": "response.output_text.delta",
    "refusal": "response.refusal.delta",
    "reasoning_text": "response.reasoning_text.delta",
    "summary_text": "response.reasoning_summary_text.delta",
}
_ITEM_DELTAS = {  # by the type of an item
    "function_call": "response.function_call_arguments.delta",
    "mcp_call": "response.mcp_call_arguments.delta",
    "custom_tool_call": "response.custom_tool_call_input.delta",
    "code_interpreter_call": "response.code_interpreter_call_code.delta",
}
_PART_EVENTS = {"content": "response.content_part", "summary": "response.reasoning_summary_part"}
# Texts that clients join over items, by the type of item that they are part of.
_JOINED = {
    "response.output_text.delta": "message",
    "response.refusal.delta": "message",
    "response.reasoning_text.delta": "reasoning",
    "response.reasoning_summary_text.delta": "reasoning",
}
_WHOLE = frozenset(kind.replace(".delta", ".done") for kind in _JOINED)
_BEGUN = frozenset({"response.created", "response.in_progress", "response.queued"})


class ResponsesShape(TypedShape):
    """One answer of `/v1/responses`."""

    holder = "output"
    ends = frozenset({"response.completed", "response.incomplete"})
    failures = frozenset({"error", "response.failed"})

    def __init__(self, table: AnswerTable, model: str) -> None:
        super().__init__(table)
        self._model = model
        self._head: dict[str, Any] | None = None
        self._number_sent = -1
        self._items: dict[int, dict[str, Any]] = {}
        self._open: set[int] = set()  # items that have begun and not ended
        self._ended_parts: set[tuple[int, str, int]] = set()
        self._texts: dict[tuple[int, str | None, int, str], list[str]] = {}
        self._channels: dict[int, set[tuple[Any, ...]]] = {}  # of items that have not ended
        self._waiting: set[tuple[Any, ...]] = set()  # of items that have, but may be joined

    # --- channels --------------------------------------------------------------------------

    def channel(self, event: Mapping[str, Any], path: tuple[Any, ...]) -> Hashable | None:
        kind = event["type"]
        if path != ("delta",) or not isinstance(event["delta"], str):
            return None
        item = event.get("output_index", 0)
        if kind in _JOINED:
            channel: tuple[Any, ...] = (kind,)
        else:
            places = (event.get(key) for key in ("content_index", "summary_index", "command_index"))
            channel = (kind, item, *places)
        self._channels.setdefault(item, set()).add(channel)
        return channel

    def is_joined(self, channel: Hashable) -> bool:
        return isinstance(channel, tuple) and channel[0] in _JOINED

    def block(self, event: Mapping[str, Any]) -> Hashable:
        places = (event.get(key) for key in ("content_index", "summary_index"))
        return (event.get("output_index", 0), *places)

    def block_ended(self, event: Mapping[str, Any]) -> Hashable | None:
        return self.block(event) if event["type"] in _WHOLE else None

    def closes(self, event: Mapping[str, Any]) -> tuple[Hashable, ...]:
        kind, item = event["type"], event.get("item")
        if kind == "response.output_item.done":
            channels = self._channels.pop(event.get("output_index", 0), set())
            joined = {channel for channel in channels if channel[0] in _JOINED}
            self._waiting |= joined
            return tuple(channels - joined)
        if kind == "response.output_item.added" and isinstance(item, dict):
            over = {each for each in self._waiting if _JOINED[each[0]] != item.get("type")}
            self._waiting -= over
            return tuple(over)
        return ()

    def delta_slot(self, event: Mapping[str, Any]) -> tuple[Any, ...] | None:
        return ("delta",) if isinstance(event.get("delta"), str) else None

    def joined(self, answer: Mapping[str, Any], path: tuple[Any, ...]) -> Hashable | None:
        """Texts of one kind in items that follow one another are one text."""
        if path[0] != "output" or len(path) != 5 or path[4] not in ("text", "refusal"):
            return None
        items, place = answer["output"], path[1]
        first = place
        while first and items[first - 1].get("type") == items[place].get("type"):
            first -= 1
        return (first, path[2], path[4])

    # --- how far the stream has come -------------------------------------------------------

    def note(self, event: Mapping[str, Any]) -> None:
        kind, index = event["type"], event.get("output_index")
        if type(event.get("sequence_number")) is int:
            self._number_sent = event["sequence_number"]
        if kind in _BEGUN and isinstance(event.get("response"), dict):
            self._head = event["response"]
        if type(index) is not int:
            return
        if kind in _DELTAS:
            where = _DELTAS[kind]
            key = (index, where.holder, event.get(where.place or "", 0), where.field)
            self._texts.setdefault(key, []).append(event.get("delta") or "")
        elif kind.startswith("response.output_item.") and isinstance(event.get("item"), dict):
            self._items[index] = copy.deepcopy(event["item"])
            if kind.endswith(".added"):
                self._open.add(index)
            else:
                self._open.discard(index)
        else:
            self._note_part(index, event)

    def _note_part(self, index: int, event: Mapping[str, Any]) -> None:
        for holder, name in _PART_EVENTS.items():
            place = event.get(f"{holder}_index")
            if not event["type"].startswith(name) or type(place) is not int:
                continue
            if event["type"].endswith(".done"):
                self._ended_parts.add((index, holder, place))
            item = self._items.get(index)
            if item is not None and isinstance(event.get("part"), dict):
                parts = item[holder] = item.get(holder) or []  # null where there is none yet
                parts[place : place + 1] = [dict(event["part"])]

    # --- how it ends early -----------------------------------------------------------------

    def closing(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        head = self._head
        if head is None:  # the match was in the first event
            head = incomplete(self._model, [])
            begun = {**head, "status": "in_progress", "incomplete_details": None}
            events.append({"type": "response.created", "response": begun})
        for index in sorted(self._open):
            events += self._item_end(index, self._items[index])
        output = [self._items[index] for index in sorted(self._items)]
        told = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
        answer = {**head, **told, "output": output}
        events.append({"type": "response.incomplete", "response": answer})
        first = self._number_sent + 1
        return [{**event, "sequence_number": first + n} for n, event in enumerate(events)]

    def _item_end(self, index: int, item: dict[str, Any]) -> list[dict[str, Any]]:
        """The events that end an open item, which gets the text that has been sent."""
        here = {"item_id": item.get("id"), "output_index": index}
        events: list[dict[str, Any]] = []
        for holder, name in _PART_EVENTS.items():
            for place, part in enumerate(item.get(holder) or ()):
                delta = _PART_DELTAS.get(part.get("type"), "")
                if (index, holder, place) in self._ended_parts or not delta:
                    continue
                field = _DELTAS[delta].field
                part[field] = self._text(index, holder, place, field)
                at = {**here, f"{holder}_index": place}
                repeated = {"type": _DELTAS[delta].done(delta), **at, field: part[field]}
                if delta == "response.output_text.delta":
                    repeated["logprobs"] = []
                events += [repeated, {"type": f"{name}.done", **at, "part": part}]
        delta = _ITEM_DELTAS.get(item.get("type", ""), "")
        if delta:
            field = _DELTAS[delta].field
            item[field] = self._text(index, None, 0, field)
            done = {"type": _DELTAS[delta].done(delta), **here, field: item[field]}
            events.append({**done, "name": item["name"]} if "name" in item else done)
        if "status" in item:
            item["status"] = "incomplete"
        return [*events, {"type": "response.output_item.done", "output_index": index, "item": item}]

    def _text(self, index: int, holder: str | None, place: int, field: str) -> str:
        return "".join(self._texts.get((index, holder, place, field), ()))

    def error_events(self, error: GuardError) -> bytes:
        return named(error_event(error, self._number_sent + 1))

    # --- whole answers ---------------------------------------------------------------------

    def is_answer(self, answer: Mapping[str, Any]) -> bool:
        items = answer.get("output")
        return isinstance(items, list) and all(isinstance(item, dict) for item in items)

    def empty_answer(self) -> dict[str, Any]:
        return incomplete(self._model, [])

    def cut_answer(
        self,
        answer: dict[str, Any],
        path: tuple[Any, ...] | None,
        keep: Mapping[Hashable, int],
    ) -> dict[str, Any]:
        told = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
        output = answer["output"]
        if path is not None:
            output = output[: path[1]] + _shortened(output[path[1]], path, keep)
        return {**answer, **told, "output": output}


def _shortened(
    item: dict[str, Any], path: tuple[Any, ...], keep: Mapping[Hashable, int]
) -> list[dict[str, Any]]:
    """The item up to the text at `path`; none when that is not a part's text (a call whose
    arguments are cut is none), or when the item has fields of its own that were not read."""
    if len(path) != 5 or path[4] not in ("text", "refusal"):
        return []
    if any(isinstance(slot, tuple) and slot[:2] == path[:2] and len(slot) == 3 for slot in keep):
        return []
    holder, place, field = path[2:]
    part = item[holder][place]
    if not isinstance(part.get("type"), str):
        return []
    short = {"type": part.get("type"), field: part[field][: keep[path]]}
    if "annotations" in part:
        short["annotations"] = []
    item = {**item, holder: [*item[holder][:place], short]}
    if holder == "summary" and item.get("content"):
        item["content"] = []
    return [{**item, "status": "incomplete"} if item.get("status") else item]
