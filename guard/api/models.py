"""`/v1/models`: the upstream's answer, untouched."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.types import Receive, Scope, Send

from guard.api.errors import error_bytes
from guard.api.generate import send_answer, send_error
from guard.call import JSON, Answer
from guard.errors import GuardError, UnknownRoute, UpstreamError, WrongMethod

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
                self._state.limits.leave()
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
        if reply.status >= 500:
            status, body = error_bytes(UpstreamError("The model server failed."))
            return Answer(status, body)
        return Answer(reply.status, body, reply.headers.get("content-type", JSON))
