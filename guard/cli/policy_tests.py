"""Runs the `tests:` of policies against the detectors and the output filter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from guard.config import DetectSettings
from guard.policy import AppliesTo, Expectation, Policy, PolicySet, PolicyTest, Progress

if TYPE_CHECKING:
    from guard.check import Checker, CheckResult


@dataclass(frozen=True, slots=True)
class TestRow:
    """One test and what came of it. `index` counts from 0, as in `tests[0]`."""

    __test__ = False  # pytest would collect a class whose name begins with Test

    policy: str
    index: int
    text: str
    expect: Expectation
    got: Expectation
    score: float
    signals: dict[str, float]

    @property
    def passed(self) -> bool:
        return self.expect == self.got

    def summary(self) -> str:
        """What went wrong, without the text."""
        signals = ", ".join(f"{name} {value:.2f}" for name, value in self.signals.items())
        return (
            f"tests[{self.index}]: expected {self.expect}, got {self.got} "
            f"(score {self.score:.2f}{'; ' + signals if signals else ''})"
        )

    def as_json(self, *, show: bool) -> dict[str, Any]:
        """The row as plain JSON values; its text only with `show`."""
        row: dict[str, Any] = {
            "policy": self.policy,
            "test": self.index,
            "expect": self.expect,
            "got": self.got,
            "passed": self.passed,
            "score": self.score,
            "signals": self.signals,
        }
        return {**row, "text": self.text} if show else row


def run_tests(
    policies: PolicySet, progress: Progress, detect: DetectSettings | None = None
) -> Iterator[TestRow]:
    """Each policy alone, as if enforced today on everybody, whatever its mode, dates and keys.

    Alone, since a test says what its own policy must catch and leave, not what others do.
    """
    # Imported here: it loads the encoder, which the other commands do without.
    from guard.check import Checker

    total = sum(len(policy.tests) for policy in policies.policies)
    done = 0
    for policy in policies.policies:
        if not policy.tests:
            continue
        # The checker asks for no model and no key, so nobody may be left out.
        acting = replace(policy, mode="enforce", until=None, applies_to=AppliesTo())
        with Checker.build(PolicySet((acting,)), detect=detect, progress=progress) as checker:
            for index, test in enumerate(policy.tests):
                yield _run(checker, policy, index, test)
                done += 1
                progress("tests", done, total)


def _run(checker: Checker, policy: Policy, index: int, test: PolicyTest) -> TestRow:
    result: CheckResult
    got: Expectation
    if test.output is not None:
        text = test.output
        result = checker.check_output(text)
        got = "filtered" if result.flagged else "untouched"
    else:
        if test.messages is not None:
            text = "\n".join(f"{role}: {content}" for role, content in test.messages)
            messages = [{"role": role, "content": content} for role, content in test.messages]
            result = checker.check_prompt(messages)
        else:
            text = test.prompt or ""
            result = checker.check_prompt(text)
        got = "flagged" if result.flagged else "benign"
    return TestRow(policy.name, index, text, test.expect, got, result.score, dict(result.signals))
