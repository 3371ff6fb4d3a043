"""The application: every route that is served, and an error for everything else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from guard import __version__
from guard.api.chat import Chat
from guard.api.completions import Completions
from guard.api.embeddings import Embeddings
from guard.api.endpoint import Endpoint
from guard.api.errors import describe
from guard.api.generate import Generate
from guard.api.messages_api import Messages
from guard.api.models import Models
from guard.api.openapi import openapi_document
from guard.api.operators import router
from guard.api.responses import Responses
from guard.errors import GuardError, UnknownRoute, WrongMethod
from guard.serving import Worker

ENDPOINTS: tuple[type[Endpoint], ...] = (Chat, Completions, Responses, Messages, Embeddings)


class Application:
    """Sends the generating endpoints straight to their ASGI classes, all else to FastAPI.

    The endpoints neither need nor pay for routing, request models and response wrapping.
    """

    def __init__(self, worker: Worker) -> None:
        endpoints = [kind() for kind in ENDPOINTS]
        self._endpoints = {each.path: Generate(each, worker.state) for each in endpoints}
        self._others = _others(worker, endpoints)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" else None
        await (endpoint or self._others)(scope, receive, send)


def create_app(worker: Worker) -> ASGIApp:
    """The ASGI application of one worker. What nobody foresaw becomes a plain 500."""
    return ServerErrorMiddleware(Application(worker), handler=_unforeseen)


def _others(worker: Worker, endpoints: Sequence[Endpoint]) -> FastAPI:
    """The operators' routes and the list of models; every other path is refused."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with worker.running():
            yield

    app = FastAPI(
        title="guard",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.router.routes.append(Route("/v1/models", Models(worker.state)))
    app.router.routes.append(Route("/v1/models/{model:path}", Models(worker.state)))
    app.include_router(router(worker.state))
    keys = bool(worker.state.settings.keys)
    document = openapi_document(app.openapi(), endpoints, keys=keys)
    app.openapi = lambda: document  # type: ignore[method-assign]
    app.add_exception_handler(GuardError, _guard_error)
    app.add_exception_handler(HTTPException, _http_error)
    return app


def _unforeseen(request: Request, error: Exception) -> Response:
    return _shaped(GuardError())


async def _guard_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GuardError)
    return _shaped(error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return _shaped(WrongMethod((error.headers or {}).get("Allow", "GET")))
    return _shaped(UnknownRoute("This path is not served.", code="unknown_path"))


def _shaped(error: GuardError) -> Response:
    status, body = describe(error)
    headers = {"allow": error.allow} if isinstance(error, WrongMethod) else None
    return Response(orjson.dumps(body), status, headers, media_type="application/json")
