"""`/v1/models`: the upstream's answer, without fields that the contract does not name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
from starlette.types import Receive, Scope, Send

from guard import metrics
from guard.api.answer_fields import answer_tables
from guard.api.endpoint import json_object
from guard.api.generate import send_answer, send_error
from guard.call import Answer
from guard.errors import GuardError, UnknownRoute, UpstreamError, UpstreamGarbage, WrongMethod

if TYPE_CHECKING:
    from guard.api.state import State


class Models:
    """GET, for the list and for one model."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] != "GET":
                raise WrongMethod("GET")
            caller = self._state.keyring.caller(scope)
            self._state.limits.enter(caller.key)
            try:
                answer = await self._answer(scope)
            finally:
                self._state.limits.leave(caller.key)
            await send_answer(send, answer, None)
        except GuardError as error:
            await send_error(send, error)

    async def _answer(self, scope: Scope) -> Answer:
        path = "/v1/models"
        if name := scope["path_params"].get("model"):
            parts = name.split("/")
            if any(part in ("", ".", "..") for part in parts):
                raise UnknownRoute("This path is not served.", code="unknown_path")
            path += "/" + "/".join(quote(part, safe="") for part in parts)
        reply = await self._state.upstream.get(path)
        try:
            body = await reply.read()
        finally:
            reply.close()
        if reply.status == 404 and name:
            raise UnknownRoute("This model is not known.", code="model_not_found", param="model")
        if reply.status != 200:  # whatever it says of it
            raise UpstreamError("The model server failed.")
        return Answer(200, _served(body))


def _served(body: bytes) -> bytes:
    """The answer as it came, or without what is not served. Raises UpstreamGarbage."""
    table = answer_tables()["models"]
    answer = json_object(body)
    texts: list[Any] = []
    clean = table.read(answer, table.answer, (), texts)
    if texts:
        raise UpstreamGarbage("the model server's list has texts where cards belong")
    if clean:
        return body
    metrics.STRIPPED.labels("models").inc()
    return orjson.dumps(table.stripped(answer, table.answer))
