"""Whether the base model answers as itself while an adapter answers beside it.

On a CPU vLLM 0.32 gives rows of the base that share a batch with an adapter's the adapter in the
last of its places (vLLM's own pull requests 48421 and 49656): so `reroute` would change answers to
those whose prompts nobody flagged. A place that stays empty changes nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping

from guard.doctor.finding import Finding
from guard.doctor.listed import first_listed
from guard.doctor.patient import Patient

NAME = "mixing"
_ASKED = 8  # adapters, at most
_TOKENS = 64  # that an adapter writes meanwhile
_TIMES, _BETWEEN = 8, 0.02  # that the base is asked meanwhile; seconds
_SAME = 0.1  # nats: what another batch may change
_MEND = "serve with --max-loras one higher than the number of adapters"

Listed = Mapping[str, float]


async def check(patient: Patient) -> list[Finding]:
    """The base's first token, with the likeliest others, alone and beside every adapter."""
    adapters = [str(model["id"]) for model in patient.models if model.get("parent")][:_ASKED]
    if not adapters:
        return [Finding(NAME, "ok", "no adapter is served")]
    alone = await _listed(patient, patient.model)
    theirs = [await _listed(patient, name) for name in adapters]  # loads each
    if not alone or not all(theirs):
        seen = "log-probabilities are not given, so nothing can be seen of them"
        return [Finding(NAME, "note", seen)]
    if all(_apart(alone, listed) <= _SAME for listed in theirs):
        seen = "the adapters answer the prompt that is tried as the base does: nothing can be seen"
        return [Finding(NAME, "note", seen)]
    writing = asyncio.gather(*(_write(patient, name) for name in adapters))
    try:
        beside = await _meanwhile(patient)
    finally:
        wrote = await writing
    if not beside or not all(wrote):
        return [Finding(NAME, "note", "adapter or base gave no answer beside the other")]
    if any(_apart(alone, listed) > _SAME for listed in beside):
        seen = "the base answers otherwise while an adapter answers beside it"
        return [Finding(NAME, "problem", seen, _MEND)]
    return [Finding(NAME, "ok", "the base answers as itself beside its adapters")]


async def _listed(patient: Patient, model: str) -> Listed:
    """Log-probabilities of the likeliest first tokens."""
    _, choice = await patient.complete(model=model, logprobs=5)
    return first_listed(choice)


async def _meanwhile(patient: Patient) -> list[Listed]:
    """The same of the base, again and again from when the adapters have begun."""
    found = []
    for _ in range(_TIMES):
        await asyncio.sleep(_BETWEEN)
        found.append(await _listed(patient, patient.model))
    return [listed for listed in found if listed]


async def _write(patient: Patient, name: str) -> bool:
    status, _ = await patient.complete(model=name, max_tokens=_TOKENS, ignore_eos=True)
    return status == 200


def _apart(one: Listed, other: Listed) -> float:
    """The greatest difference of a token that both list, infinite where the first ones differ."""
    shared = one.keys() & other.keys()
    if not one or max(one, key=one.__getitem__) not in shared:
        return math.inf
    return max(abs(one[token] - other[token]) for token in shared)
