"""What is kept of decisions: metrics, and records of the audit log without forbidden text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from guard import metrics
from guard.audit import AuditLog
from guard.detect import Verdict
from guard.endpoint import Endpoint, Findings
from guard.enforcement import Binding
from guard.errors import DetectorError


class Noted(Protocol):
    """The request: a `Call`."""

    @property
    def id(self) -> str: ...
    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def key(self) -> str | None: ...


class Evidence:
    """Notes decisions made under one policy set, named by its hash."""

    def __init__(self, audit: AuditLog, policy_set: str) -> None:
        self._audit = audit
        self._set = policy_set

    async def shadows(self, call: Noted, verdict: Verdict, binding: Binding) -> None:
        """Count and record the shadow policies that a prompt fell under."""
        for policy in verdict.shadows:
            metrics.FLAGGED.labels(policy.name, policy.action, policy.mode, "any").inc()
            extra = {"decision": "would_flag", "policy": policy.name, "policy_hash": policy.hash}
            must = bool(binding.enforced)
            await self.record(call, {**extra, "signals": verdict.signals}, must=must)

    async def findings(self, call: Noted, findings: Findings, binding: Binding) -> None:
        """Count and record what the filter found; once for each policy."""
        if not findings.cut and not findings.shadowed and not findings.stripped:
            return
        cut, shadowed = list(dict.fromkeys(findings.cut)), sorted(findings.shadowed)
        stripped, meaning = findings.stripped, findings.meaning
        findings.cut, findings.shadowed, findings.stripped, findings.meaning = [], set(), 0, {}
        if stripped:
            metrics.STRIPPED.labels(call.endpoint.name).inc(stripped)
        for name in cut:
            metrics.FILTERED.labels(name, "enforce").inc()
            record: dict[str, Any] = {"decision": "filtered", "policy": name}
            if name in meaning:
                record["signals"] = {"meaning": meaning[name]}
            await self.record(call, record)
        must = bool(binding.enforced)
        for name in shadowed:
            metrics.FILTERED.labels(name, "shadow").inc()
            would = {"decision": "would_filter", "policy": name}
            await self.record(call, would, must=must)

    async def record(self, call: Noted, what: Mapping[str, Any], *, must: bool = True) -> None:
        """Audit a decision. Raises DetectorError when that fails, unless only shadow policies bind
        the caller (`must` False): those never change an answer."""
        record = {
            "request": call.id,
            "endpoint": call.endpoint.name,
            "key": call.key,
            "set": self._set,
            **what,
        }
        try:
            await self._audit.write(record)
        except OSError as error:
            metrics.AUDIT_FAILURES.inc()
            if must:
                raise DetectorError("the audit log refused a record") from error
