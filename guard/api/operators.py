"""What operators use: health, readiness, metrics, and `POST /v1/guard/check`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from guard.api.auth import Caller
from guard.api.body import ClientGone, parse_object, read_body
from guard.api.openapi import FOR_ANYBODY, ROW_BODY, error_responses
from guard.check import check_row
from guard.enforcement import utc_today
from guard.errors import AuthenticationError, UpstreamError

if TYPE_CHECKING:
    from guard.api.state import State


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def router(state: State) -> APIRouter:
    """The operators' routes of one worker."""
    routes = APIRouter(tags=["operators"])

    def authorise(request: Request) -> Caller:
        caller = state.keyring.caller(request.scope)
        if not caller.operator:
            raise AuthenticationError("This key may not do that.", status=403, code="forbidden")
        return caller

    @routes.get("/healthz", summary="The process is alive", openapi_extra=FOR_ANYBODY)
    async def healthz() -> Response:
        return _json({"status": "ok"})

    @routes.get(
        "/readyz",
        summary="Policies, model server and its plugin are ready",
        responses={503: {"description": "Something is not, and what"}},
        openapi_extra=FOR_ANYBODY,
    )
    async def readyz() -> Response:
        ready, details = await readiness(state)
        return _json(details, 200 if ready else 503)

    @routes.get(
        "/metrics",
        summary="Prometheus metrics",
        response_class=PlainTextResponse,
        responses=error_responses(401, 403),
    )
    async def metrics(request: Request) -> Response:
        authorise(request)
        return Response(generate_latest(_registry()), media_type=CONTENT_TYPE_LATEST)

    @routes.post(
        "/v1/guard/check",
        summary="Judge one row without calling the model",
        responses=error_responses(400, 401, 403, 408, 413, 429, 503),
        openapi_extra={"requestBody": ROW_BODY},
    )
    async def check(request: Request) -> Response:
        caller = authorise(request)
        state.limits.enter(caller.key)
        try:
            most = state.settings.limits
            body = await read_body(request.receive, most.max_body_bytes, most.body_timeout)
            row = parse_object(body)
            result = await check_row(state.current(), row)
        except ClientGone:
            return Response(status_code=499)
        finally:
            state.limits.leave(caller.key)
        return _json(result.as_row(row.get("id")))

    return routes


async def readiness(state: State) -> tuple[bool, dict[str, Any]]:
    """Whether to send traffic here, and why not."""
    status = state.store.status
    details: dict[str, Any] = {
        "policies": len(state.store.current),
        "policy_set": state.current().enforcement.hash,
        "policies_loaded_at": status.loaded_at.isoformat(),
        "policies_last_error": status.last_error is not None,
        # Anybody may ask: how many, since a policy's name may say whom it is about.
        "policies_overdue": sum(p.is_overdue(utc_today()) for p in state.store.current.policies),
    }
    if state.engine is not None:
        sets, held = state.engine.manifests, state.engine.held
        details["engine"] = {"sets": len(sets), "held": len(sets & held)}
        if state.canary is not None:
            details["engine"] |= state.canary.report()
    try:
        reply = await state.upstream.get("/v1/models")
        reply.close()
        details["upstream"] = "ok" if reply.status == 200 else f"HTTP {reply.status}"
    except UpstreamError as error:
        details["upstream"] = error.message
        if state.canary is not None:
            state.canary.lost()
    proved = state.canary is None or state.canary.why is None
    ready = details["upstream"] == "ok" and proved
    return ready, {"ready": ready, **details}


def _registry() -> CollectorRegistry:
    """All workers' metrics where they share a directory, this process's otherwise."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
