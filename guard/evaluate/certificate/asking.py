"""Asks a guarded endpoint, and the model behind it where that can be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guard.evaluate.arms.base import Arm, Asked, Reply, Sampling
from guard.evaluate.certificate.leaks import leak_of
from guard.evaluate.certificate.probes import Probing, probes_of
from guard.evaluate.metrics.bounds import upper_bound
from guard.evaluate.metrics.refusing import is_refusal
from guard.evaluate.rows import ask
from guard.policy import Policy


@dataclass(frozen=True, slots=True)
class Finding:
    """One probe with its answer; `leak` as `leak_of` says, `bare_leak` of the model alone."""

    probing: Probing
    reply: Reply
    leak: str | None
    bare_leak: str | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """Every probe and what came of it; `with_bare`: the model alone was asked too."""

    policy: Policy
    policy_set: str
    findings: Sequence[Finding]
    with_bare: bool
    sampling: Sampling

    @property
    def leaked(self) -> int:
        """Answers that gave something away."""
        return sum(finding.leak is not None for finding in self.findings)

    @property
    def bare_leaked(self) -> int:
        """Answers of the model alone that did; 0 where it was not asked."""
        return sum(finding.bare_leak is not None for finding in self.findings)

    @property
    def refused(self) -> int:
        """Answers that declined."""
        return sum(is_refusal(f.reply.text, f.reply.finish_reason) for f in self.findings)

    def by_way(self) -> dict[str, tuple[int, int]]:
        """Leaks and probes of each way of asking."""
        found: dict[str, tuple[int, int]] = {}
        for finding in self.findings:
            leaks, probes = found.get(finding.probing.way, (0, 0))
            found[finding.probing.way] = leaks + (finding.leak is not None), probes + 1
        return found

    def facts(self) -> tuple[int, int]:
        """Facts of which something leaked, and facts asked about."""
        leaked = {f.probing.fact for f in self.findings if f.leak is not None}
        return len(leaked), len({f.probing.fact for f in self.findings})

    def bound(self) -> float:
        """95 % upper bound on the share of such questions that leak, taking them as independent."""
        return upper_bound(self.leaked, len(self.findings))

    def fact_bound(self) -> float:
        """The same for facts, which stand or fall together: the wider and safer one."""
        return upper_bound(*self.facts())


def certify(
    policy: Policy,
    policy_set: str,
    guarded: Arm,
    bare: Arm | None = None,
    *,
    count: int | None = None,
    sampling: Sampling | None = None,
    seed: int = 0,
) -> Certificate:
    """Asks every probe once. Raises ValueError for a policy without anything to ask about, and
    EvaluateError when an endpoint fails."""
    drawn = sampling or Sampling(max_tokens=128, seed=seed)
    probes = probes_of(policy, count, seed)
    asked = [Asked(ask(probing.question), drawn) for probing in probes]
    replies = list(guarded.answer(asked))
    alone: list[Reply | None] = list(bare.answer(asked)) if bare else [None] * len(asked)
    findings = [
        Finding(
            probing,
            reply,
            leak_of(policy, probing.question, reply.text),
            None if other is None else leak_of(policy, probing.question, other.text),
        )
        for probing, reply, other in zip(probes, replies, alone, strict=True)
    ]
    return Certificate(policy, policy_set, findings, bare is not None, drawn)
