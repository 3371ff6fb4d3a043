"""Writers of instructions: rules, or a model at any OpenAI-compatible address."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from guard.reasoning.candidates import candidates
from guard.reasoning.prompts import guide_prompt
from guard.reasoning.training.asking import Request
from guard.reasoning.training.instructing import by_rules, told
from guard.upstream import UpstreamOptions

CANDIDATES = 4  # for one request, of which the first good one is kept
_TOKENS = 220
_SECONDS = 120.0

Writer = Callable[[Request], Sequence[str]]
"""Candidates for one request, best first."""


def rules(seed: int) -> Writer:
    """Composes candidates from what is known of the request; the same seed, the same ones."""
    draw = random.Random(f"{seed}/instructions")
    return lambda request: [by_rules(request, draw) for _ in range(CANDIDATES)]


def model_writer(url: str, model: str, api_key: str | None) -> Writer:
    """A model at an address without `/v1`, which sees the guard model's prompt and what is known
    of the request besides. What it returns raises UpstreamError when the server fails."""
    options = UpstreamOptions(url=url, api_key=api_key, first_byte=_SECONDS)

    async def asked(request: Request) -> Sequence[str]:
        text = f"{_prompt(request)}\n\nKnown of it: {told(request)}"
        return await candidates(options, model, text, count=CANDIDATES, tokens=_TOKENS)

    return lambda request: asyncio.run(asked(request))


def remembered(writer: Writer, path: Path) -> Writer:
    """A writer whose candidates are kept in a file of JSON lines, by a digest of what was asked.

    A run that goes on must learn the same rows, and a model seldom writes the same twice.
    """
    known = _read(path)

    def written(request: Request) -> Sequence[str]:
        key = hashlib.sha256(f"{_prompt(request)}\n{told(request)}".encode()).hexdigest()
        if key not in known:
            known[key] = list(writer(request))
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(orjson.dumps([key, known[key]]) + b"\n")
        return known[key]

    return written


def _read(path: Path) -> dict[str, list[str]]:
    """What stands in whole lines; the last one may have been cut off."""
    found: dict[str, list[str]] = {}
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        with contextlib.suppress(orjson.JSONDecodeError):
            key, candidates = orjson.loads(line)
            found[key] = candidates
    return found


def _prompt(request: Request) -> str:
    return guide_prompt(request.case.policy.reasoning.context, request.turns)
