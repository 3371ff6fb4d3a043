"""What the endpoints of typed events share: one lane, said whole or event by event."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import orjson

from guard.api.chat import Chat
from guard.api.endpoint import Endpoint
from guard.api.typed import named
from guard.asked import Asked
from guard.treatments import Told

_CHAT = Chat()


class TypedEndpoint(Endpoint):
    """Answers of our own, in the shape of the endpoint; the model is asked by chat for them."""

    @abstractmethod
    def said_whole(self, model: str, said: Told, tokens: int) -> dict[str, Any]:
        """An answer as one object."""

    @abstractmethod
    def said_in_events(self, model: str, said: Told, tokens: int) -> list[dict[str, Any]]:
        """The same as the events of a stream."""

    @property
    def asks(self) -> Endpoint:
        return _CHAT

    def told(self, asked: Asked, said: Sequence[Told], tokens: int) -> bytes:
        if asked.stream:
            return b"".join(map(named, self.said_in_events(asked.model, said[0], tokens)))
        return orjson.dumps(self.said_whole(asked.model, said[0], tokens))

    def refusal(self, asked: Asked, message: str) -> bytes:
        return orjson.dumps(self.said_whole(asked.model, Told(message), 0))

    def refusal_stream(self, asked: Asked, message: str) -> list[bytes]:
        return [named(event) for event in self.said_in_events(asked.model, Told(message), 0)]
