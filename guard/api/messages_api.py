"""`/v1/messages`, Anthropic's shape: messages in; `content[]` blocks or typed events out.

A cut answer ends with `stop_reason: "refusal"`: of the protocol's reasons it is the one that says
that a filter, not the model, ended the answer. Errors have this protocol's envelope, by which its
official client tells them apart; inside they have the fields of the other endpoints' errors too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from guard.api.endpoint import Shape
from guard.api.errors import describe
from guard.api.messages_events import error_body, told, told_events
from guard.api.messages_input import read_conversation, read_tools
from guard.api.messages_shape import MessagesShape
from guard.api.surface import read_common
from guard.api.typed import named
from guard.api.typed_endpoint import TypedEndpoint
from guard.asked import Asked
from guard.errors import GuardError
from guard.treatments import Told


class Messages(TypedEndpoint):
    """Anthropic's Messages."""

    name = "messages"
    path = "/v1/messages"

    def read(self, request: Mapping[str, Any]) -> Asked:
        model, stream, _, _ = read_common(request)
        conversation, lead = read_conversation(request.get("messages"), request.get("system"))
        others = self.other_texts({**request, "system": None}, "messages")
        return Asked(
            model=model,
            stream=stream,
            lanes=1,
            texts=(*conversation.texts, *others),
            spans=conversation.spans,
            turns=conversation.turns,
            leads={0: lead} if lead else {},
            unreadable=conversation.unreadable or read_tools(request.get("tools")),
        )

    def shape(self, asked: Asked) -> Shape:
        return MessagesShape(self.fields, asked.model)

    def error(self, error: GuardError) -> tuple[int, bytes]:
        status, body = describe(error)
        told = body["error"]
        return status, orjson.dumps(error_body(status=status, **told))

    def shaped_error(self, message: str, kind: Any, code: Any, param: Any) -> bytes:
        return orjson.dumps(error_body(message=message, type=kind, code=code, param=param))

    def error_events(self, error: GuardError) -> bytes:
        status, body = describe(error)
        return named(error_body(status=status, **body["error"]))

    def said_whole(self, model: str, said: Told, tokens: int) -> dict[str, Any]:
        return told(model, said, tokens)

    def said_in_events(self, model: str, said: Told, tokens: int) -> list[dict[str, Any]]:
        return told_events(model, said, tokens)
