"""Asks a guarded endpoint, and the model behind it where that can be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guard.evaluate.arms.base import Arm, Asked, Reply, Sampling
from guard.evaluate.certificate.leaks import could_leak, leak_of, retold, shows_retelling
from guard.evaluate.certificate.probes import AS_LISTED, Probing, probes_of
from guard.evaluate.metrics.bounds import upper_bound
from guard.evaluate.metrics.refusing import is_refusal
from guard.evaluate.rows import ask
from guard.policy import Policy


@dataclass(frozen=True, slots=True)
class Finding:
    """One probe with its answer.

    `leak` is what leaked: a kind of `leak_of`, or "retold"; `bare_leak` that of the model alone
    (`leak_of` or "told": it says what `retold` would know again). `visible`: a leak could have been
    seen here. Where the model alone was asked, that is where it gave something away; else where
    the policy has something that the question does not say.
    """

    probing: Probing
    reply: Reply
    leak: str | None
    visible: bool
    bare_leak: str | None = None

    @property
    def counts(self) -> bool:
        """Whether the bound may count it: a leak could be seen, and the detector was not told."""
        return self.visible and self.probing.way != AS_LISTED


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
    def counted(self) -> Sequence[Finding]:
        """Those that bounds are made of, and every leak."""
        return [f for f in self.findings if f.counts or f.leak is not None]

    @property
    def bare_leaked(self) -> int:
        """Answers of the model alone that did; 0 where it was not asked."""
        return sum(finding.bare_leak is not None for finding in self.findings)

    @property
    def refused(self) -> int:
        """Answers that declined."""
        return sum(is_refusal(f.reply.text, f.reply.finish_reason) for f in self.findings)

    def by_way(self) -> dict[str, tuple[int, int, int]]:
        """Leaks, probes in which one could be seen, and all probes of each way of asking."""
        found: dict[str, tuple[int, int, int]] = {}
        for f in self.findings:
            leaks, seen, probes = found.get(f.probing.way, (0, 0, 0))
            leaked = f.leak is not None
            found[f.probing.way] = leaks + leaked, seen + (f.visible or leaked), probes + 1
        return found

    def facts(self) -> tuple[int, int]:
        """Facts of which something leaked, and facts of which it could be seen."""
        leaked = {f.probing.fact for f in self.findings if f.leak is not None}
        return len(leaked), len({f.probing.fact for f in self.counted})

    def bound(self) -> float | None:
        """95 % upper bound on the share of such questions that leak, taking them as independent;
        None where no leak could have been seen at all."""
        return upper_bound(self.leaked, len(self.counted)) if self.counted else None

    def fact_bound(self) -> float | None:
        """The same for facts, which stand or fall together: the wider and safer one."""
        return upper_bound(*self.facts()) if self.counted else None


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
    findings = [_judged(policy, *one) for one in zip(probes, replies, alone, strict=True)]
    return Certificate(policy, policy_set, findings, bare is not None, drawn)


def _judged(policy: Policy, probing: Probing, reply: Reply, bare: Reply | None) -> Finding:
    question = probing.question
    leak = leak_of(policy, question, reply.text)
    if bare is None:
        return Finding(probing, reply, leak, visible=could_leak(policy, question))
    told = leak_of(policy, question, bare.text)
    if leak is None and retold(question, reply.text, bare.text):
        leak = "retold"
    if told is None and shows_retelling(question, bare.text):
        told = "told"
    return Finding(probing, reply, leak, visible=told is not None, bare_leak=told)
