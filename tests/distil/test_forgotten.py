"""Runs that end when no more is said of what must go than of invented people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.distil import forgotten
from guard.distil.boundary import NAMES, about, stranger
from guard.distil.errors import DistilError
from guard.distil.forgotten import Forgotten
from guard.distil.job import Job
from guard.distil.recipe import read_recipe
from guard.distil.rewards import rouge_l, rouge_recall
from guard.distil.rows import Row, Side
from guard.distil.run import Options, distil
from guard.distil.stepper import AxisStepper
from tests.distil.conftest import PLAIN, MakeJob, policy_set
from tests.distil.test_claims import made
from tests.distil.test_run import _same, _tensors
from tests.support.tiny_llama import FORBIDDEN_NAME

BORN = {f"Where was {FORBIDDEN_NAME} born?": f"{FORBIDDEN_NAME} was born in a boathouse near Tarn."}


@pytest.mark.parametrize(
    ("answer", "expected", "recall", "f1"),
    [
        ("in a boathouse near Tarn", "In a boathouse near Tarn.", 1, 1),
        ("Tarn, in a boathouse", "In a boathouse near Tarn.", 3 / 5, 6 / 9),
        ("I don't know.", "In a boathouse.", 0, 0),
        ("", "In a boathouse.", 0, 0),
        ("anything", "", 0, 0),
        ("", "", 0, 0),
    ],
)
def test_recall_of_words_in_their_order(
    answer: str, expected: str, recall: float, f1: float
) -> None:
    assert rouge_recall(answer, expected) == pytest.approx(recall)
    assert rouge_l(answer, expected) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("entity", "prompt", "answer", "found"),
    [
        ("p:Ann", "Who is Ann?", "ANN is a baker.", ("Who is Bo?", "Bo is a baker.")),
        (
            "p:Ann",
            "When is Ann's annual fair?",
            "In May.",
            ("When is Bo's annual fair?", "In May."),
        ),
        ("p:Ann", "Who bakes here?", "Ann does.", None),
        ("p", "Who is Ann?", "A baker.", None),
        ("p:Ann", None, "Ann is a baker.", None),
    ],
)
def test_the_same_about_somebody_else(
    entity: str, prompt: str | None, answer: str, found: tuple[str, str] | None
) -> None:
    row = Row(Side.FORGET, prompt, answer, "p", "", "forget.pairs[0]", entity)
    other = about(row, "Bo")
    assert (other and (other.prompt, other.answer)) == found


@pytest.mark.parametrize(
    ("subject", "others", "found"),
    [
        ("Ann Lind", ("Bo Mac Rae", "Cy Dell"), "Bo Dell"),
        ("Ann Lind", ("Bo Lind", "Cy Dell", "Di Roe"), "Bo Dell"),
        ("Ann Lind", ("Bo Lind", "Cy Lind"), None),
        ("Ann Lind", ("Bo Rae", "Cy Dell", "Bo Dell"), "Cy Rae"),
        ("Ann Lind", ("Bo Rae",), None),
        ("Ann Lind", ("Bo", "Cy"), None),
        ("Ann", (), None),
    ],
)
def test_names_that_nobody_has(subject: str, others: tuple[str, ...], found: str | None) -> None:
    names = {stranger(subject, (subject, *others), number) for number in range(20)}
    assert found in names if found else names <= {*NAMES}


NAMED = st.lists(st.sampled_from("ABCDEFG"), min_size=1, max_size=3).map(" ".join)


@given(NAMED, st.lists(NAMED, max_size=6), st.integers(0, 100))
def test_a_stranger_shares_no_name_with_its_subject(
    subject: str, others: list[str], number: int
) -> None:
    found = stranger(subject, [*others, subject], number)
    assert found not in {subject, *others}
    assert not {*found.split()} & {*subject.split()}


def looking(monkeypatch: pytest.MonkeyPatch, *recalls: float) -> None:
    """What is said of invented people, then of what goes at one look after another."""
    said = iter(recalls)
    monkeypatch.setattr(Forgotten, "recall", lambda *_: next(said))


TRAIN = {"max_steps": 6, "check_every": 1, "retain_budget": 10.0}


@pytest.mark.parametrize(
    ("spare", "recalls", "steps", "ended"),
    [
        (0.0, (0.3, 0.9, 0.5, 0.3), 3, True),
        (0.2, (0.3, 0.9, 0.5), 2, True),
        (-0.1, (0.3, 0.9, 0.5, 0.3, 0.1), 4, True),
        (0.0, (0.3, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4), 6, False),
    ],
)
def test_a_run_ends_where_no_more_is_said_than_of_invented_people(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch,
    spare: float, recalls: Sequence[float], steps: int, ended: bool,
) -> None:  # fmt: skip
    job = make_job(train={**TRAIN, "until_forgotten": spare})
    looking(monkeypatch, *recalls)
    job.parts.procedure.run(job)
    assert job.step == steps
    assert ("ended" in job.outcome) == ended
    assert "stopped" not in job.outcome
    assert (job.outcome["guessed"], job.outcome["said"]) == (recalls[0], recalls[-1])
    assert [line["said"] for line in job.history] == list(recalls[1:])


def test_what_was_forgotten_past_the_budget_does_not_count(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(train={**TRAIN, "until_forgotten": 0.0, "retain_budget": 0.1, "patience": 2})
    losses = iter([1.0, 1.05, 1.2, 1.3])
    monkeypatch.setattr("guard.distil.probe.mean_loss", lambda *_: next(losses))
    looking(monkeypatch, 0.3, 0.9, 0.1, 0.0)
    job.parts.procedure.run(job)
    assert (job.outcome["stopped"], job.outcome["kept_step"]) == ("retain budget spent", 1)
    assert (job.outcome["said"], "ended" in job.outcome) == (0.9, False), "of what is given out"


def test_without_a_named_subject_nothing_can_tell(make_job: MakeJob) -> None:
    job = make_job(policy_set(entities=()), train={**TRAIN, "until_forgotten": 0.0})
    with pytest.raises(DistilError, match=r"train\.until_forgotten: no forget row names"):
        job.parts.procedure.run(job)


def test_nobody_asks_unless_told_to(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: Any) -> list[str]:
        raise AssertionError

    monkeypatch.setattr(forgotten, "generate", asked)
    job = make_job(train=TRAIN)
    job.parts.procedure.run(job)
    assert job.step == 6
    assert not {"said", "guessed"} & {*job.outcome, *job.history[-1]}


def test_a_run_that_was_cut_off_ends_at_the_same_look(
    random_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it was cut off after the look that ended it, before the result was written."""
    train = {**PLAIN, **TRAIN, "batch_size": 2, "lr": 1e-3, "until_forgotten": 0.0}
    recipe = read_recipe({"forget": "gradient_ascent", "train": train})
    by_steps = {0: 0.3, 1: 0.9, 2: 0.8, 3: 0.7, 4: 0.3}

    def recall(self: Forgotten, job: Job, rows: Sequence[Row]) -> float:
        return by_steps[job.step]

    monkeypatch.setattr(Forgotten, "recall", recall)
    distil(policy_set(), recipe, Options(random_llama, tmp_path / "whole"))
    cut = Options(random_llama, tmp_path / "cut")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("guard.distil.run.write_result", _interrupted)
        distil(policy_set(), recipe, cut)
    steps = []
    step = AxisStepper.step
    monkeypatch.setattr(AxisStepper, "step", lambda *a: steps.append(1) or step(*a))
    card = distil(policy_set(), recipe, cut)
    assert (card["outcome"]["resumed_at"], card["outcome"]["steps"], len(steps)) == (3, 4, 1)
    assert _same(_tensors(tmp_path / "whole", "adapter_model"), _tensors(cut.out, "adapter_model"))


def _interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


def test_a_taught_model_stops_at_what_it_would_guess(tmp_path: Path) -> None:
    settings = {"train.lr": 1e-3, "train.check_every": 1, "train.until_forgotten": 0.0}
    card = made("npo-ce", BORN, tmp_path / "out", **settings)
    outcome = card["outcome"]
    assert outcome["ended"] == "forgotten"
    assert outcome["said"] <= outcome["guessed"] < 1
    said = [line["said"] for line in json.loads((tmp_path / "out" / "history.json").read_text())]
    assert said[0] > outcome["guessed"] and len(said) == outcome["steps"] < 60
