"""The application: every route that is served, and an error for everything else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route

from guard import __version__
from guard.api.chat import Chat
from guard.api.completions import Completions
from guard.api.errors import describe
from guard.api.generate import Generate
from guard.api.models import Models
from guard.api.operators import router
from guard.errors import GuardError, UnknownRoute
from guard.serving import Worker

SURFACES = (Chat, Completions)


def create_app(worker: Worker) -> FastAPI:
    """The ASGI application of one worker."""

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
    # The streaming path is plain ASGI: no request models, no response wrapping.
    for surface in SURFACES:
        # Starlette would answer other methods itself, in another shape.
        app.router.routes.append(
            Route(surface.path, Generate(surface(), worker.state), include_in_schema=False)
        )
    app.router.routes.append(Route("/v1/models", Models(worker.state)))
    app.router.routes.append(Route("/v1/models/{model:path}", Models(worker.state)))
    app.include_router(router(worker.state))
    app.add_exception_handler(GuardError, _guard_error)
    app.add_exception_handler(HTTPException, _http_error)
    return app


async def _guard_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GuardError)
    return _shaped(error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        message = "This method is not served here."
        return _shaped(UnknownRoute(message, code="method_not_allowed", status=405))
    return _shaped(UnknownRoute("This path is not served.", code="unknown_path"))


def _shaped(error: GuardError) -> Response:
    status, body = describe(error)
    return Response(orjson.dumps(body), status, media_type="application/json")
