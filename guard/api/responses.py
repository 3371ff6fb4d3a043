"""`/v1/responses`: an input, or items, in; `output[]` items or typed events out.

A cut answer is `incomplete` because of `content_filter`, the protocol's own words for it. Nothing
is kept for later: answers cannot be fetched, continued or run in the background through the guard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guard.api.endpoint import Shape
from guard.api.responses_events import error_event, told, told_events
from guard.api.responses_input import read_input, read_tools
from guard.api.responses_shape import ResponsesShape
from guard.api.surface import read_common
from guard.api.typed import named
from guard.api.typed_endpoint import TypedEndpoint
from guard.asked import Asked
from guard.errors import GuardError
from guard.treatments import Told


class Responses(TypedEndpoint):
    """OpenAI's Responses."""

    name = "responses"
    path = "/v1/responses"

    def read(self, request: Mapping[str, Any]) -> Asked:
        model, stream, _, _ = read_common(request)
        conversation, lead = read_input(request.get("input"))
        others = self.other_texts(request, "input")
        return Asked(
            model=model,
            stream=stream,
            lanes=1,
            texts=(*conversation.texts, *others),
            spans=conversation.spans,
            turns=conversation.turns,
            leads={0: lead} if lead else {},
            unreadable=conversation.unreadable or read_tools(request.get("tools")),
            stateless=request.get("store") is False,  # by default the server keeps a copy
        )

    def shape(self, asked: Asked) -> Shape:
        return ResponsesShape(self.fields, asked.model)

    def error_events(self, error: GuardError) -> bytes:
        return named(error_event(error, 0))

    def said_whole(self, model: str, said: Told, tokens: int) -> dict[str, Any]:
        return told(model, said, tokens)

    def said_in_events(self, model: str, said: Told, tokens: int) -> list[dict[str, Any]]:
        return told_events(model, said, tokens)
