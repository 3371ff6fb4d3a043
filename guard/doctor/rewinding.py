"""Whether an answer that was stopped can be continued exactly: rewinding needs that.

Raw completions continue from token ids. A chat continues from its own rendered prompt and the text
so far, which is faithful only where the template puts that text there unchanged.
"""

from __future__ import annotations

from typing import Any

from guard.doctor.finding import Finding
from guard.doctor.patient import PROMPT, Patient

NAME = "rewinding"
_QUESTION = {"role": "user", "content": "Name a colour, please."}
# Text so far; a template that trims loses the space that the second ends with.
WHOLE, SPACED = "A fine colour is", "A fine colour is "
_ELSEWHERE = "elsewhere answers end with content_filter"


async def check(patient: Patient) -> list[Finding]:
    """Tokens there and back, completions of token ids, then the chat template."""
    ids = await tokenized(patient, prompt=PROMPT)
    if ids is None or await detokenized(patient, ids) is None:
        seen = "/tokenize and /detokenize are not served: answers cannot be rewound by token ids"
        return [Finding(NAME, "note", seen, _ELSEWHERE)]
    found = [Finding(NAME, "ok", "/tokenize and /detokenize are served")]
    status, choice = await patient.complete(prompt=ids)
    if status == 200 and choice:
        found.append(Finding(NAME, "ok", "completions continue from token ids"))
    else:
        found.append(Finding(NAME, "note", "completions take no token ids", _ELSEWHERE))
    return [*found, await _template(patient)]


async def _template(patient: Patient) -> Finding:
    if not await _goes_round(patient):
        seen = "a rendered chat does not come back from its own text: chats cannot be rewound"
        return Finding(NAME, "note", seen, _ELSEWHERE)
    faithful = {text: await _continues(patient, text) for text in (WHOLE, SPACED)}
    if all(faithful.values()):
        return Finding(NAME, "ok", "the chat template continues an answer unchanged")
    if faithful[WHOLE]:
        seen = "the chat template trims an answer that ends with a space"
        return Finding(NAME, "note", seen, "chats are rewound by their rendered text")
    return Finding(NAME, "note", "the chat template changes an answer's beginning", _ELSEWHERE)


async def _goes_round(patient: Patient) -> bool:
    """Whether a rendered conversation's tokens make a text that makes the same tokens."""
    ids = await tokenized(patient, messages=[_QUESTION])
    text = None if ids is None else await detokenized(patient, ids)
    if text is None:
        return False
    return await tokenized(patient, prompt=text, add_special_tokens=False) == ids


async def _continues(patient: Patient, text: str) -> bool:
    """Whether an answer's beginning stands behind the rendered question as it is."""
    question = await tokenized(patient, messages=[_QUESTION])
    answer = {"role": "assistant", "content": text}
    both = await tokenized(
        patient,
        messages=[_QUESTION, answer],
        add_generation_prompt=False,
        continue_final_message=True,
    )
    if question is None or both is None:
        return False
    before, after = await detokenized(patient, question), await detokenized(patient, both)
    return before is not None and after == before + text


async def tokenized(patient: Patient, **fields: Any) -> list[int] | None:
    """Token ids of a text or of a conversation; None where that is not served."""
    status, answer = await patient.post("/tokenize", **fields)
    ids = answer.get("tokens") if status == 200 and isinstance(answer, dict) else None
    return ids if isinstance(ids, list) else None


async def detokenized(patient: Patient, ids: list[int]) -> str | None:
    """The text of token ids, special ones included; None where that is not served."""
    status, answer = await patient.post("/detokenize", tokens=ids)
    text = answer.get("prompt") if status == 200 and isinstance(answer, dict) else None
    return text if isinstance(text, str) else None
