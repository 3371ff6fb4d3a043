"""Which policies are baked in: those that the proxy would enforce today."""

from __future__ import annotations

from datetime import date

from guard.distil.errors import DistilError
from guard.policy import Policy, PolicySet


def in_force(
    policies: PolicySet, today: date, *, shadow: bool = False
) -> tuple[PolicySet, dict[str, str]]:
    """The policies that count, and why each other one does not, by name.

    Expired ones never do, those of `mode: shadow` only if `shadow`. Raises `DistilError` when
    none is left.
    """
    left_out = {
        policy.name: reason
        for policy in policies.policies
        if (reason := _reason(policy, today, shadow=shadow))
    }
    kept = tuple(policy for policy in policies.policies if policy.name not in left_out)
    if not kept:
        reasons = "; ".join(f"{name} {reason}" for name, reason in left_out.items())
        raise DistilError(f"there is no policy to bake in{': ' if reasons else ''}{reasons}")
    # A set that loses nothing keeps its hash, which is the proxy's.
    return PolicySet(kept, policies.files), left_out


def _reason(policy: Policy, today: date, *, shadow: bool) -> str:
    if policy.is_expired(today):
        return f"is past its `until` ({policy.until}) and is not enforced any more"
    if not policy.enforced and not shadow:
        return "only watches (mode: shadow); --shadow bakes it in all the same"
    return ""
