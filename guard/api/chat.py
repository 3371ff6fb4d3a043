"""`/v1/chat/completions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guard.api.surface import Surface, read_common
from guard.asked import Asked
from guard.messages import read_messages


class Chat(Surface):
    """Messages in, `choices[].message` or `choices[].delta` out."""

    name = "chat"
    path = "/v1/chat/completions"
    id_prefix = "chatcmpl"
    whole_object = "chat.completion"
    chunk_object = "chat.completion.chunk"

    def read(self, request: Mapping[str, Any]) -> Asked:
        model, stream, lanes, usage = read_common(request)
        conversation = read_messages(request.get("messages"))
        others = self.other_texts(request, "messages")
        return Asked(
            model=model,
            stream=stream,
            lanes=lanes,
            include_usage=usage,
            texts=(*conversation.texts, *others),
            spans=conversation.spans,
            turns=conversation.turns,
            unreadable=conversation.unreadable,
            stateless=not request.get("store"),
        )

    def said(self, text: str, *, chunk: bool) -> dict[str, Any]:
        if chunk:
            return {"delta": {"role": "assistant", "content": text} if text else {}}
        return {"message": {"role": "assistant", "content": text}}
