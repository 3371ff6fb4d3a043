"""Switches of the server through which text leaves or bans are lifted.

The guard refuses all of them to callers whom an enforced policy binds. Whoever reaches the server
itself may use them, and the plugin never hears of it.
"""

from __future__ import annotations

from typing import Any

from guard.doctor.finding import Finding
from guard.doctor.patient import Patient

NAME = "channels"
SWITCHES: tuple[dict[str, Any], ...] = (
    {"prompt_logprobs": 1},
    {"echo": True},
    {"return_token_ids": True},
    {"logit_bias": {"0": -1.0}},
    {"allowed_token_ids": [0]},
    {"use_beam_search": True, "n": 2},
)


async def check(patient: Patient) -> list[Finding]:
    """Which of them are open to whoever reaches the server."""
    opened = []
    for fields in SWITCHES:
        status, _ = await patient.complete(**fields)
        if status == 200:
            opened.append(next(iter(fields)))
    if not opened:
        return [Finding(NAME, "ok", "none of the switches that undo bans is open")]
    seen = f"open to whoever reaches the server: {', '.join(opened)}"
    mend = "the guard refuses them under a policy; let only the guard reach the server"
    return [Finding(NAME, "note", seen, mend)]
