"""What the prompt detectors of a policy set rest on, and how often they cry wolf."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from classifiers.head import Head
from classifiers.training.bounds import upper_bound
from classifiers.training.corpus import corpus
from guard.asked import Asked
from guard.detect import BuildNearest, Detector, Verdict
from guard.enforcement import Enforcement
from guard.nearest import LocalNearest
from guard.policy import Policy, PolicySet, Progress

_AT_ONCE = 32
_PEOPLE = 60  # invented people who are asked about


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """One policy: what its detectors look for, their thresholds, and its false alarms.

    `shard`: the policy's content hash, which the figures belong to; `names`, `prompts`, `facts`:
    how many there are; `similarity`: its own threshold; `false_alarms`: probes it was flagged for.
    """

    policy: str
    shard: str
    names: int
    prompts: int
    facts: int
    similarity: float
    false_alarms: int


@dataclass(frozen=True, slots=True)
class Report:
    """A set's detectors. `probes`: prompts about invented people and about nobody, none of which
    the set can mean; `high`: the upper 95 % bound of the share that is flagged (one-sided)."""

    set: str
    probes: int
    false_alarms: int
    high: float
    head: dict[str, object]
    policies: tuple[PolicyReport, ...]

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return asdict(self)


def detector_report(
    policies: PolicySet, local: LocalNearest, *, progress: Progress | None = None
) -> Report:
    """Asks every policy's detectors about the probes of the calibration corpus.

    Raises DetectorError when they cannot be asked.
    """
    made = corpus("calibrate", subjects=_PEOPLE)
    texts = list(dict.fromkeys(probe.text for probe in made.probes))
    verdicts = asyncio.run(_verdicts(policies, local.build, texts, progress))
    flagged: dict[str, int] = {}
    for verdict in verdicts:
        named = [verdict.policy] if verdict.policy else []
        for policy in (*named, *verdict.shadows):
            flagged[policy.name] = flagged.get(policy.name, 0) + 1
    alarms = sum(verdict.flagged or bool(verdict.shadows) for verdict in verdicts)
    return Report(
        policies.hash,
        len(texts),
        alarms,
        upper_bound(alarms, len(texts)),
        _head(local.head),
        tuple(_policy(policy, flagged.get(policy.name, 0)) for policy in policies.policies),
    )


async def _verdicts(
    policies: PolicySet,
    build_nearest: BuildNearest,
    texts: Sequence[str],
    progress: Progress | None,
) -> list[Verdict]:
    enforcement = Enforcement(policies)
    detector = Detector(enforcement, build_nearest(policies), timeout=60.0)
    binding = enforcement.binding(None, "")
    found: list[Verdict] = []
    for first in range(0, len(texts), _AT_ONCE):
        asked = [Asked("", False, 1, texts=(text,)) for text in texts[first : first + _AT_ONCE]]
        found += await asyncio.gather(*(detector.full(binding, one) for one in asked))
        if progress is not None:
            progress("asking", len(found), len(texts))
    return found


def _policy(policy: Policy, false_alarms: int) -> PolicyReport:
    return PolicyReport(
        policy.name,
        policy.hash,
        len(policy.names),
        len(policy.prompts),
        len(policy.pairs),
        policy.match.similarity,
        false_alarms,
    )


def _head(head: Head) -> dict[str, object]:
    return {
        "threshold": head.threshold,
        "target": head.target,
        "corpora": dict(head.corpora),
        "encoder": head.encoder,
    }
