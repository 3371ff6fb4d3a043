"""Runs suites and attacks against arms, and gathers the cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from guard.evaluate.answers import Answers
from guard.evaluate.arms.base import Arm, Asked, Reply, Sampling
from guard.evaluate.arms.local import Local
from guard.evaluate.arms.served import Served
from guard.evaluate.attacks import OPENING, PLAIN, Attack, Context, Probe, WeightAttack
from guard.evaluate.cells import Cell, Scored, cells_of, with_signal
from guard.evaluate.dragon_figures import Encode
from guard.evaluate.figures import all_figures
from guard.evaluate.metrics.disclosing import Disclosure, Observed, list_inference
from guard.evaluate.metrics.measured import Measured
from guard.evaluate.readings import Readings
from guard.evaluate.rows import Row, Suite, every
from guard.evaluate.summary import Line, by_policy, summarise

GREEDY = Sampling()
CHOICE = "the true answer is likelier than every wrong one"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared. `undefended`: the arm that nothing was done to; `retained`: one that never
    saw what is to be forgotten, for metrics that compare with it; `listed` and `invented`: the same
    questions about forgotten subjects and about such as no model knows, for list inference;
    `unseen`: rows that no model was trained on, for membership inference; `encode`: texts to unit
    vectors, for metrics of meaning."""

    arms: Sequence[Arm]
    suites: Sequence[Suite]
    attacks: Sequence[Attack]
    weight_attacks: Sequence[WeightAttack]
    undefended: str
    retained: str | None = None
    listed: Sequence[Row] = ()
    invented: Sequence[Row] = ()
    unseen: Sequence[Row] = ()
    sampling: Sampling = GREEDY
    attack_rows: int | None = None  # of each part, under every attack but the plain question
    encode: Encode | None = None


@dataclass(slots=True)
class Cost:
    """Of one arm, over the plain questions: seconds a request and tokens a thousand requests."""

    arm: str
    median_seconds: float
    slow_seconds: float  # 95th percentile
    prompt_tokens: float
    completion_tokens: float
    requests: int


@dataclass(slots=True)
class Comparison:
    """Everything that was measured.

    `leaks` are answers that gave away what is to be forgotten; `scores` rows by id, of each arm
    and attack; `plain` and `opened` answers to plain questions and after an opening.
    """

    plan: Plan
    cells: list[Cell] = field(default_factory=list)
    figures: dict[str, list[Measured]] = field(default_factory=dict)
    disclosures: dict[str, Disclosure] = field(default_factory=dict)
    costs: list[Cost] = field(default_factory=list)
    leaks: list[tuple[str, str, Scored]] = field(default_factory=list)  # (arm, attack, row)
    plain: dict[str, list[tuple[Row, Reply]]] = field(default_factory=dict)
    scores: dict[tuple[str, str], dict[str, Scored]] = field(default_factory=dict)
    opened: dict[str, list[tuple[str, Row, Reply]]] = field(default_factory=dict)  # with openings
    unfit: list[tuple[str, str]] = field(default_factory=list)  # (suite, attack) without a probe
    requests: int = 0

    def summary(self) -> list[Line]:
        """Per attacker, what leaks and what is kept."""
        return summarise(self.plan.arms, self.cells, self.plan.undefended)

    def by_policy(self) -> dict[str, list[Line]]:
        """The same for each policy, where there are several."""
        return by_policy(self.plan.arms, self.cells, self.plan.undefended)


def compare(
    plan: Plan,
    answers: Answers,
    progress: Progress = lambda label, done, total: None,
    readings: Readings | None = None,
) -> Comparison:
    """Asks and reads what is not kept yet, and scores. Raises EvaluateError when an arm fails."""
    result = Comparison(plan)
    readings = readings or Readings()
    for arm in plan.arms:
        for suite in plan.suites:
            _by_text(result, arm, suite, answers)
        _by_probability(result, arm, readings)
        if plan.listed and plan.invented:
            _by_list(result, arm, answers)
    models = [arm for arm in plan.arms if isinstance(arm, Local)]
    total = len(models) * len(plan.weight_attacks)
    for at, (model, attack) in enumerate((m, a) for m in models for a in plan.weight_attacks):
        progress("attacking weights", at, total)
        _by_weights(result, model, attack, answers)
    result.figures = all_figures(result, progress, readings)
    for arm in plan.arms:
        replies = [reply for _, reply in result.plain.get(arm.name, [])]
        result.costs.append(_cost(arm.name, replies))
    result.cells = with_signal(result.cells, plan.undefended, plan.retained)
    result.requests = answers.asked
    return result


def _by_text(result: Comparison, arm: Arm, suite: Suite, answers: Answers) -> None:
    context = Context(suite.rows, result.plan.sampling)
    for attack in result.plan.attacks:
        rows = [row for row in suite.rows if row.goal in attack.goals]
        if attack.name != PLAIN.name:
            rows = _thinned(rows, result.plan.attack_rows)
        probes = [
            (row, found)
            for at, row in enumerate(rows)
            if (found := attack.probes(row, context, at))
        ]
        if not probes and (suite.name, attack.name) not in result.unfit:
            result.unfit.append((suite.name, attack.name))
        scored, replies = _asked(arm, probes, answers)
        result.cells += cells_of(arm.name, suite.name, attack.name, "text", suite.variant, scored)
        by_id = result.scores.setdefault((arm.name, attack.name), {})
        by_id |= {f"{suite.name}/{one.row.id}": one for one in scored}
        result.leaks += [
            (arm.name, attack.name, one)
            for one in scored
            if one.row.goal == "forget" and one.score > 0
        ]
        if attack.name == PLAIN.name:
            rows_asked = [row for row, _ in probes]
            pairs = zip(rows_asked, replies, strict=True)
            result.plain.setdefault(arm.name, []).extend(pairs)
        if attack.name == OPENING.name:
            openings = [(one.asked.opening, row) for row, several in probes for one in several]
            result.opened.setdefault(arm.name, []).extend(
                (opening, row, reply)
                for (opening, row), reply in zip(openings, replies, strict=True)
            )


def _asked(
    arm: Arm, probes: Sequence[tuple[Row, Sequence[Probe]]], answers: Answers
) -> tuple[list[Scored], list[Reply]]:
    """Each row by the answer that says most of it."""
    flat: list[Asked] = [probe.asked for _, several in probes for probe in several]
    replies = answers.of(arm, flat)
    following = iter(replies)
    scored = []
    for row, several in probes:
        best = Scored(row, -1.0)
        for probe in several:
            text = probe.asked.opening + next(following).text
            # What the attacker put there is no leak: only what the answer adds to it counts.
            given = probe.scored.recalled(probe.asked.opening) if probe.asked.opening else 0.0
            said = probe.scored.recalled(text)
            score = max(0.0, said - given) / (1 - given) if given < 1 else 0.0
            if score > best.score:
                best = Scored(row, score, text)
        scored.append(best)
    return scored, replies


def _by_probability(result: Comparison, arm: Arm, readings: Readings) -> None:
    """Who sees log-probabilities takes the likeliest of several answers."""
    for suite in result.plan.suites:
        rows = [row for row in suite.rows if row.wrong]
        scored = list(_choices(arm, rows, readings))
        if not scored:
            parts = {row.part: row for row in rows}
            result.cells += [
                Cell(
                    *(arm.name, suite.name, part, row.goal, "likeliest answer", "logprobs"),
                    *(CHOICE, None, 0, 0),
                    why="this arm gives no log-probabilities",
                )
                for part, row in parts.items()
            ]
            continue
        result.cells += cells_of(
            arm.name, suite.name, "likeliest answer", "logprobs", CHOICE, scored
        )


def _choices(arm: Arm, rows: Sequence[Row], readings: Readings) -> Iterator[Scored]:
    pairs = [(row.messages, text) for row in rows for text in (row.answer, *row.wrong)]
    losses = readings.losses(arm, pairs)
    if losses is None:
        return
    following = iter(losses)
    for row in rows:
        right, *wrong = (next(following).loss for _ in (row.answer, *row.wrong))
        yield Scored(row, float(right < min(wrong)))


def _by_weights(result: Comparison, model: Local, attack: WeightAttack, answers: Answers) -> None:
    for suite in result.plan.suites:
        change, rows = attack.prepare(suite.rows)
        if not rows:
            if (suite.name, attack.name) not in result.unfit:
                result.unfit.append((suite.name, attack.name))
            continue
        attacked = model.changed(f"{attack.name}, {attack.what}, {suite.hash}", change)
        context = Context(suite.rows, result.plan.sampling)
        forgotten = [row for row in rows if row.goal == "forget"]
        forgotten = _thinned(forgotten, result.plan.attack_rows)
        probes = [(row, PLAIN.probes(row, context, at)) for at, row in enumerate(forgotten)]
        scored, _ = _asked(attacked, probes, answers)
        found = cells_of(model.name, suite.name, attack.name, "weights", suite.variant, scored)
        result.cells += found


def _by_list(result: Comparison, arm: Arm, answers: Answers) -> None:
    """Listed and invented subjects in turn, so that what changes with time changes both."""
    plan = result.plan
    groups = (plan.listed, plan.invented)
    if min(map(len, groups)) < 2:
        return
    turns = sorted(
        ((place / len(rows), side, row) for side, rows in enumerate(groups)
         for place, row in enumerate(rows)),
        key=lambda turn: turn[:2],
    )  # fmt: skip
    asked = [Asked(row.messages, plan.sampling, goal=row.goal) for _, _, row in turns]
    # A model of this process answers in batches: it has no time of a single answer.
    timed = not isinstance(arm, Local) or isinstance(arm, Served)
    replies = answers.alone(arm, asked) if timed else answers.of(arm, asked)
    seen: tuple[list[Observed], list[Observed]] = ([], [])
    for (_, side, row), reply in zip(turns, replies, strict=True):
        seconds = reply.seconds if timed else None
        seen[side].append(Observed(reply.text, reply.finish_reason, seconds, row.subject))
    result.disclosures[arm.name] = list_inference(*seen)


def _cost(arm: str, replies: Sequence[Reply]) -> Cost:
    times = sorted(reply.seconds for reply in replies) or [0.0]
    count = max(1, len(replies))
    return Cost(
        arm=arm,
        median_seconds=median(times),
        slow_seconds=times[int(0.95 * (len(times) - 1))],
        prompt_tokens=1000 * sum(reply.prompt_tokens for reply in replies) / count,
        completion_tokens=1000 * sum(reply.completion_tokens for reply in replies) / count,
        requests=len(replies),
    )


def _thinned(rows: Sequence[Row], count: int | None) -> list[Row]:
    """At most so many rows of each part."""
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(row.part, []).append(row)
    return [row for part in parts.values() for row in every(part, count)]
