"""From settings to a plan: arms are made, guards are started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from guard.errors import EvaluateError
from guard.evaluate.arms import (
    AlwaysRefuse,
    Arm,
    Endpoint,
    Guarded,
    Local,
    OracleRouter,
    PromptOnly,
    Turns,
)
from guard.evaluate.arms.base import Sampling
from guard.evaluate.attacks import ATTACKS, WEIGHT_ATTACKS
from guard.evaluate.compare import Plan
from guard.evaluate.fictional import Corpus, fictional_suite
from guard.evaluate.fictional.outside import list_rows, unseen_rows
from guard.evaluate.meaning import Meaning
from guard.evaluate.rows import Row, Suite
from guard.evaluate.settings import (
    ArmEntry,
    Blur,
    CompareSettings,
    ControlArm,
    EndpointArm,
    Fictional,
    GuardArm,
    LocalArm,
    PolicyTests,
    SuiteEntry,
    Tofu,
)
from guard.evaluate.suites import blur_suite, policy_suite, shaped_suite, tofu_suite


@contextmanager
def plan_of(settings: CompareSettings, base: Path) -> Iterator[Plan]:
    """The plan while the block runs; guards that it needs are ended after it.

    Paths are relative to `base`. Raises EvaluateError and what starting a guard raises.
    """
    suites = [_suite(entry, base) for entry in settings.suites]
    corpora = [Corpus(e.people, e.seed) for e in settings.suites if isinstance(e, Fictional)]
    lists = [list_rows(corpus) for corpus in corpora]
    unseen: list[Row] = [row for corpus in corpora for row in unseen_rows(corpus)]
    with ExitStack() as running:
        arms = _arms(settings, suites, base, running)
        yield Plan(
            arms=arms,
            suites=suites,
            attacks=[ATTACKS[name] for name in settings.attacks],
            weight_attacks=[a for a in WEIGHT_ATTACKS if a.name in settings.weight_attacks],
            undefended=settings.undefended,
            retained=settings.retained,
            listed=[row for listed, _ in lists for row in listed],
            invented=[row for _, invented in lists for row in invented],
            unseen=unseen,
            sampling=Sampling(settings.max_tokens, 0.0, settings.seed),
            attack_rows=settings.attack_rows,
            encode=Meaning() if settings.meaning else None,
        )


def _suite(entry: SuiteEntry, base: Path) -> Suite:
    if isinstance(entry, Fictional):
        return fictional_suite(Corpus(entry.people, entry.seed))
    if isinstance(entry, Tofu):
        return tofu_suite(base / entry.path, entry.forget)
    if isinstance(entry, Blur):
        return blur_suite(base / entry.path)
    if isinstance(entry, PolicyTests):
        return policy_suite(base / entry.path)
    return shaped_suite(entry.kind, base / entry.path, entry.goal)


def _arms(
    settings: CompareSettings, suites: Sequence[Suite], base: Path, running: ExitStack
) -> list[Arm]:
    made: dict[str, Arm] = {}
    turns = Turns()
    running.callback(turns.end)
    # Controls and prompts stand on the undefended arm, so that one is made first.
    order = sorted(settings.arms, key=lambda entry: entry.name != settings.undefended)
    if order[0].name != settings.undefended:
        raise EvaluateError(f"undefended: no arm has the name {settings.undefended!r}")
    for entry in order:
        arm = _arm(entry, made.get(settings.undefended), suites, base, running, turns)
        if arm.name in made:
            raise EvaluateError(f"two arms have the name {arm.name!r}")
        made[arm.name] = arm
    for wanted in (settings.retained, *(arm.weights for arm in made.values())):
        if wanted is not None and wanted not in made:
            raise EvaluateError(f"no arm has the name {wanted!r}")
    return list(made.values())


def _arm(
    entry: ArmEntry,
    bare: Arm | None,
    suites: Sequence[Suite],
    base: Path,
    running: ExitStack,
    turns: Turns,
) -> Arm:
    if isinstance(entry, LocalArm):
        adapter = None if entry.adapter is None else base / entry.adapter
        what = entry.what or "a model of this process"
        return Local(entry.name, base / entry.model, what=what, adapter=adapter)
    if isinstance(entry, EndpointArm):
        return running.enter_context(_closing(_endpoint(entry)))
    if isinstance(entry, GuardArm):
        return running.enter_context(_closing(_guarded(entry, base, turns)))
    if bare is None:
        raise EvaluateError(f"the undefended arm cannot be a control ({entry.kind})")
    if isinstance(entry, ControlArm):
        if entry.kind == "refuse":
            return AlwaysRefuse(entry.name or "always refuse", weights=bare.name)
        return OracleRouter(bare, entry.name or "oracle router")
    return PromptOnly(bare, forgotten_subjects(suites), entry.name)


def forgotten_subjects(suites: Sequence[Suite]) -> list[str]:
    """Everybody whom a suite wants forgotten, each once."""
    rows = (row for suite in suites for row in suite.rows if row.goal == "forget")
    return list(dict.fromkeys(row.subject for row in rows))


def _guarded(entry: GuardArm, base: Path, turns: Turns) -> Guarded:
    return Guarded(
        entry.name,
        entry.upstream,
        entry.model,
        policies=base / entry.policies,
        turns=turns,
        what=entry.what or "guard",
        revision=entry.revision,
        weights=entry.weights,
        shelf=None if entry.shelf is None else base / entry.shelf,
        config=None if entry.config is None else base / entry.config,
        connections=entry.connections,
    )


def _endpoint(entry: EndpointArm) -> Endpoint:
    return Endpoint(
        entry.name,
        entry.url,
        entry.model,
        what=entry.what or "an endpoint",
        revision=entry.revision,
        weights=entry.weights,
        connections=entry.connections,
    )


@contextmanager
def _closing(arm: Endpoint) -> Iterator[Endpoint]:
    try:
        yield arm
    finally:
        arm.close()
