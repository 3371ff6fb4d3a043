"""Whether requests can carry arguments for the plugin."""

from __future__ import annotations

from guard.doctor.finding import Finding
from guard.doctor.patient import Patient
from guard.restrict.vllm_plugin.arguments import LEAD, SETS

NAME = "arguments"


async def check(patient: Patient) -> list[Finding]:
    """One request with arguments that mean nothing, one with arguments that a plugin refuses."""
    status, _ = await patient.complete(vllm_xargs={LEAD: 0})
    if status != 200:
        seen = f"vllm_xargs is refused with HTTP status {status}"
        return [Finding(NAME, "warning", seen, "a vLLM that takes vllm_xargs (0.32 does)")]
    found = [Finding(NAME, "ok", "vllm_xargs is accepted")]
    status, _ = await patient.complete(vllm_xargs={SETS: "not a list"})
    if status == 400:
        found.append(Finding(NAME, "ok", "the server's frontend knows the plugin"))
    else:
        found.append(
            Finding(
                NAME,
                "note" if patient.shelf is None else "warning",
                "the server's frontend does not know the plugin",
                "--logits-processors guard.restrict.vllm_plugin:GuardLogitsProcessor",
            )
        )
    return found
