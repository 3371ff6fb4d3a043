"""The checks, in the order in which they are made and told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from guard.doctor import (
    adapters,
    arguments,
    channels,
    chat,
    logprobs,
    mixing,
    plugin,
    rewinding,
    server,
    weights,
)
from guard.doctor.finding import Finding
from guard.doctor.patient import Patient
from guard.errors import EngineError, UpstreamError

Check = Callable[[Patient], Awaitable[list[Finding]]]

CHECKS: Mapping[str, Check] = {
    "server": server.check,
    "adapters": adapters.check,
    "mixing": mixing.check,
    "weights": weights.check,
    "plugin": plugin.check,
    "arguments": arguments.check,
    "logprobs": logprobs.check,
    "channels": channels.check,
    "chat": chat.check,
    "rewinding": rewinding.check,
}


async def examine(
    patient: Patient, progress: Callable[[str, int, int], None] | None = None
) -> list[Finding]:
    """Make every check; one that gets no answer is a problem of its own."""
    found: list[Finding] = []
    for number, (name, check) in enumerate(CHECKS.items(), start=1):
        try:
            found += await check(patient)
        except UpstreamError as error:
            found.append(Finding(name, "problem", f"no answer: {error.message}"))
        except EngineError as error:
            found.append(Finding(name, "problem", str(error)))
        if progress is not None:
            progress("examining", number, len(CHECKS))
    return found
