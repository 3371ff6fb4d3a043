"""What uvicorn imports and calls in each worker process."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time

import orjson
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from guard.api.app import create_app
from guard.errors import GuardError
from guard.serving import Worker
from guard.workers.place import Place
from guard.workers.services import HubServices

log = logging.getLogger("guard.workers")

_AGAIN_SECONDS = 2.0
_GRACE_SECONDS = 5.0


def app() -> ASGIApp:
    """The application of this worker.

    Where the policies cannot be used any more, the process ends and its parent starts another:
    the other workers go on with what they have.
    """
    place = Place.of_environment()
    start = place.start()
    logging.basicConfig(
        level=start.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    try:
        services = HubServices(start.settings, place)
        worker = Worker(start.settings, start.policies, services=services)
    except GuardError as error:
        log.error("this worker cannot start: %s", error)
        time.sleep(_AGAIN_SECONDS)
        raise SystemExit(1) from None
    return HubReadiness(create_app(worker), services)


class HubReadiness:
    """Answers `/readyz` with 503 while the hub is away, whatever else is in order."""

    def __init__(self, app: ASGIApp, services: HubServices) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["path"] == "/readyz"
        if asked and not self._services.ready:
            body = orjson.dumps({"ready": False, "hub": "not ready"})
            answer = Response(body, 503, media_type="application/json")
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _end_with_parent() -> None:
    """End when the parent is killed, gracefully if that does not take long."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)
