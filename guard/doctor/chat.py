"""Whether there is a chat template, and whether answers come with reasoning apart."""

from __future__ import annotations

from guard.doctor.finding import Finding
from guard.doctor.patient import PROMPT, Patient

NAME = "chat"
_TOKENS = 8


async def check(patient: Patient) -> list[Finding]:
    """One short chat."""
    messages = [{"role": "user", "content": PROMPT}]
    fields = {"messages": messages, "max_tokens": _TOKENS, "temperature": 0}
    status, answer = await patient.post("/v1/chat/completions", **fields)
    if status != 200:
        seen = f"chat is answered with HTTP status {status}: no chat template?"
        return [Finding(NAME, "note", seen, "--chat-template FILE")]
    found = [Finding(NAME, "ok", "a chat template is there")]
    try:
        message = answer["choices"][0]["message"]
        reasons = bool(message.get("reasoning") or message.get("reasoning_content"))
    except (KeyError, IndexError, TypeError, AttributeError):
        return [Finding(NAME, "problem", "a chat's answer holds no message")]
    if reasons:
        seen = "a reasoning parser is at work: reasoning is filtered, but cannot be rewound"
        found.append(Finding(NAME, "note", seen))
    return found
