"""Whether the base answers as itself beside its adapters."""

from __future__ import annotations

from typing import Any

import pytest

from guard.doctor import CHECKS, Finding, Patient
from guard.upstream import Upstream, UpstreamOptions
from tests.support.answers import error, text_completion
from tests.support.upstream import RecordedRequest, Reply, ScriptedUpstream

BASE = {" Paris": -0.1, " Lyon": -2.4}
ADAPTER = {" Lyon": -0.3, " Paris": -1.9}
HALF = {" Paris": -0.4, " Lyon": -1.6}
NOISE = {" Paris": -0.101, " Lyon": -2.39, " Nice": -3.0}
MODELS: tuple[dict[str, Any], ...] = (
    {"id": "m", "parent": None},
    {"id": "one", "parent": "m"},
    {"id": "two", "parent": "m"},
)


class Server:
    """Lists `beside` for the base once an adapter writes, and `theirs` for adapters."""

    def __init__(
        self, beside: dict[str, float] | None, theirs: dict[str, float] | None = ADAPTER
    ) -> None:
        self.beside, self.theirs = beside, theirs
        self.writes = True
        self.wrote: list[str] = []

    def __call__(self, request: RecordedRequest) -> Reply:
        asked = request.json()
        if "logprobs" not in asked:
            self.wrote.append(asked["model"])
            if not self.writes:
                return Reply.json(error("no", type="BadRequestError", code=400), status=400)
            return Reply.json(text_completion("and so on"))
        listed: dict[str, float] | None = BASE
        if asked["model"] != "m":
            listed = self.theirs
        elif self.wrote:
            listed = self.beside
        logprobs = None if listed is None else {"top_logprobs": [listed]}
        return Reply.json(text_completion(" Paris", logprobs=logprobs))


async def examined(
    upstream: ScriptedUpstream, server: Server, models: tuple[dict[str, Any], ...] = MODELS
) -> Finding:
    upstream.handle(server)
    async with Upstream(UpstreamOptions(upstream.url)) as client:
        (found,) = await CHECKS["mixing"](Patient(client, "m", models))
    return found


@pytest.mark.parametrize(
    ("beside", "level", "seen"),
    [
        (BASE, "ok", "as itself"),
        (NOISE, "ok", "as itself"),
        (HALF, "problem", "otherwise while an adapter answers"),
        (ADAPTER, "problem", "otherwise while an adapter answers"),
        ({" Nice": -0.1}, "problem", "otherwise while an adapter answers"),
    ],
)
async def test_the_base_beside_its_adapters(
    upstream: ScriptedUpstream, beside: dict[str, float], level: str, seen: str
) -> None:
    server = Server(beside)
    found = await examined(upstream, server)
    assert (found.level, seen in found.seen) == (level, True)
    assert (found.mend is not None and "--max-loras" in found.mend) == (level == "problem")
    assert sorted(server.wrote) == ["one", "two"], "each writes meanwhile"


@pytest.mark.parametrize(
    ("theirs", "seen"), [(NOISE, "as the base does"), (None, "log-probabilities are not given")]
)
async def test_what_cannot_be_seen_is_said(
    upstream: ScriptedUpstream, theirs: dict[str, float] | None, seen: str
) -> None:
    found = await examined(upstream, Server(HALF, theirs))
    assert (found.level, seen in found.seen) == ("note", True)


@pytest.mark.parametrize("silent", ["base", "adapters"])
async def test_no_answer_is_no_proof(upstream: ScriptedUpstream, silent: str) -> None:
    server = Server(None if silent == "base" else BASE)
    server.writes = silent == "base"
    found = await examined(upstream, server)
    assert (found.level, "gave no answer" in found.seen) == ("note", True)


async def test_without_adapters_there_is_nothing_to_mix(upstream: ScriptedUpstream) -> None:
    found = await examined(upstream, Server(HALF), MODELS[:1])
    assert (found.level, found.seen) == ("ok", "no adapter is served")
