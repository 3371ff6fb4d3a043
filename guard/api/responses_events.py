"""Answers and events of `/v1/responses` in our own words: refusals, errors, early ends."""

from __future__ import annotations

import time
import uuid
from typing import Any

from guard.api.errors import describe
from guard.errors import GuardError
from guard.treatments import Finish, Told


def error_event(error: GuardError, number: int) -> dict[str, Any]:
    """The event by which a stream tells of an error."""
    told = describe(error)[1]["error"]
    words = {key: told[key] for key in ("code", "message", "param")}
    return {"type": "error", **words, "sequence_number": number}


def incomplete(
    model: str, output: list[dict[str, Any]], finish: Finish = "content_filter"
) -> dict[str, Any]:
    """An answer of our own; it ended because of a filter unless `finish` says otherwise."""
    reason = "max_output_tokens" if finish == "length" else finish
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed" if finish == "stop" else "incomplete",
        "incomplete_details": None if finish == "stop" else {"reason": reason},
        "error": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "background": False,
        "max_output_tokens": None,
        "previous_response_id": None,
        "reasoning": None,
        "text": None,
        "truncation": "disabled",
        "usage": None,
        "user": None,
    }


def told(model: str, said: Told, tokens: int) -> dict[str, Any]:
    """A whole answer of our own, of so many tokens."""
    part: dict[str, Any] = {"type": "output_text", "text": said.text}
    part |= {"annotations": [], "logprobs": None}
    item = {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
    usage = {
        "input_tokens": 0,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens,
    }
    return {**incomplete(model, [item], said.finish), "usage": usage}


def told_events(model: str, said: Told, tokens: int) -> list[dict[str, Any]]:
    """The same as a stream of events."""
    answer = told(model, said, tokens)
    message = said.text
    begun = {**answer, "status": "in_progress", "incomplete_details": None, "output": []}
    begun["usage"] = None
    (item,) = answer["output"]
    (part,) = item["content"]
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    started = {**item, "status": "in_progress", "content": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": started},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **place, "delta": message, "logprobs": []},
        {"type": "response.output_text.done", **place, "text": message, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": f"response.{answer['status']}", "response": answer},
    ]
    return [{**event, "sequence_number": n} for n, event in enumerate(events)]
