"""Whether log-probabilities show what was banned while decoding."""

from __future__ import annotations

from guard.doctor.finding import Finding
from guard.doctor.listed import first_listed
from guard.doctor.patient import Patient
from guard.engine.mends import PROCESSED

NAME = "logprobs"
_BIAS = -100.0
_SHOWN = _BIAS / 2  # of a banned token whose own probability is listed all the same


async def check(patient: Patient) -> list[Finding]:
    """Ban the likeliest token and ask for log-probabilities: is its own one listed still?"""
    status, plain = await patient.complete(logprobs=1, return_token_ids=True)
    ids, listed = plain.get("token_ids"), first_listed(plain)
    if status != 200 or not listed or not ids:
        seen = "log-probabilities are not given, so nothing can be seen of them"
        return [Finding(NAME, "note", seen)]
    (token,) = sorted(listed, key=listed.__getitem__, reverse=True)[:1]
    status, banned = await patient.complete(logprobs=5, logit_bias={str(ids[0]): _BIAS})
    if status != 200:
        return [Finding(NAME, "note", "a ban cannot be tried: logit_bias is refused")]
    after = first_listed(banned).get(token)
    if after is not None and after > _SHOWN:
        seen = "a banned token is listed with its own probability"
        return [Finding(NAME, "warning", seen, PROCESSED)]
    return [Finding(NAME, "ok", "log-probabilities are those after bans")]
