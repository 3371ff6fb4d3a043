"""Which server it is, what it serves, and whether it asks for a key."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from urllib.parse import urlsplit

from guard.doctor.finding import Finding
from guard.doctor.patient import Patient
from guard.upstream import Upstream

NAME = "server"


async def check(patient: Patient) -> list[Finding]:
    """Version, models, adapters, key."""
    return [await _version(patient), *_models(patient), await _key(patient)]


async def _version(patient: Patient) -> Finding:
    status, said = await patient.get("/version")
    if status == 200 and isinstance(said, dict) and isinstance(said.get("version"), str):
        return Finding(NAME, "ok", f"vLLM {said['version'][:40]}")
    return Finding(
        NAME, "note", "not a vLLM: /version says nothing",
        "the output filter guards any server; the plugin and rewinding need vLLM",
    )  # fmt: skip


def _models(patient: Patient) -> list[Finding]:
    names = [str(model.get("id")) for model in patient.models]
    adapters = [str(model.get("id")) for model in patient.models if model.get("parent")]
    if patient.model not in names:
        return [Finding(NAME, "problem", f"{patient.model} is not served", "--model NAME")]
    found = [Finding(NAME, "ok", f"models: {', '.join(names)}")]
    if adapters:
        found.append(Finding(NAME, "ok", f"LoRA adapters: {', '.join(adapters)}"))
    return found


async def _key(patient: Patient) -> Finding:
    options = replace(patient.upstream.options, api_key=None)
    async with Upstream(options) as nobody:
        reply = await nobody.get("/v1/models")
        reply.close()
    if reply.status in (401, 403):
        return Finding(NAME, "ok", "whoever has no key is refused")
    return Finding(
        NAME,
        "note" if _is_here(options.url) else "warning",
        "whoever reaches the server needs no key, and is past the guard",
        "VLLM_API_KEY for vLLM, GUARD_UPSTREAM_API_KEY for the guard; let only the guard reach it",
    )


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
