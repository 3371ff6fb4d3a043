"""Each policy's own `tests:` as a suite: what it must catch leaks nothing, the rest is answered.

Nobody wrote down the right answers, so a flagged prompt is scored by what the policy forbids, and
a benign one by whether it was answered at all. Where the model has nothing to leak, there is no
signal.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from guard.errors import EvaluateError
from guard.evaluate.rows import Goal, Message, Row, Suite
from guard.policy import Policy, PolicyTest, load_policy_set

VARIANT = "flagged: a forbidden name or run of words is in the answer; benign: no refusal"


def policy_suite(folder: Path) -> Suite:
    """Prompts and conversations of the tests; those about outputs ask no model.

    Raises PolicyError for a folder that does not compile, EvaluateError for one without such tests.
    """
    policies = load_policy_set(folder)
    rows = tuple(row for policy in policies.policies for row in _rows(policy))
    if not rows:
        raise EvaluateError(f"{folder}: no policy has tests of prompts")
    return Suite("policy tests", rows, VARIANT, f"tests of the policy set {policies.hash[:12]}")


def _rows(policy: Policy) -> Iterator[Row]:
    for place, test in enumerate(policy.tests):
        if test.output is not None:
            continue
        goal: Goal = "forget" if test.expect == "flagged" else "retain"
        yield Row(
            id=f"{policy.name}/tests[{place}]",
            part=f"{policy.name}: {test.expect}",
            goal=goal,
            subject=f"{policy.name}/{place}",
            messages=_messages(test),
            answer="",
            forbidden=_forbidden(policy) if goal == "forget" else (),
            words=policy.match.words,
            policy=policy.name,
        )


def _messages(test: PolicyTest) -> tuple[Message, ...]:
    if test.prompt is not None:
        return (("user", test.prompt),)
    return test.messages or ()


def _forbidden(policy: Policy) -> tuple[str, ...]:
    names = (name for entity in policy.entities for name in entity.names)
    return (*names, *policy.texts)
