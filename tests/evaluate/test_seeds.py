"""Several seeds of the tiny comparison: a report each, and one page with mean and spread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from guard.cli.main import app
from guard.evaluate.arms import Local
from guard.evaluate.arms.base import Sampling
from guard.evaluate.attacks import PLAIN
from guard.evaluate.compare import Plan
from guard.evaluate.fictional import Corpus
from guard.evaluate.report import PAGE
from guard.evaluate.report.seeds import SEEDS_PAGE, across_seeds, write_seeds
from guard.evaluate.rows import Suite


def report(seed: int, worst: float | None, kept: float) -> dict[str, object]:
    found = worst if worst is None else {"value": worst, "low": 0, "high": 1}
    summary = {"attacker": "text", "arm": "refuse", "control": False, "plain": 0.0, "kept": kept}
    return {"summary": [summary | {"worst": found, "rank": 1 if seed else 2}]}


def test_seeds_give_means_and_spreads(tmp_path: Path) -> None:
    runs = {0: report(0, 0.2, 1.0), 1: report(1, None, 0.5), 2: report(2, 0.6, 0.9)}
    (row,) = write_seeds(tmp_path, runs, command="guard compare <x>")
    assert row["worst"] == {"mean": pytest.approx(0.4), "low": 0.2, "high": 0.6, "runs": 2}
    assert row["kept"]["mean"] == pytest.approx(0.8)
    assert (row["seeds"], row["best in"]) == (3, 2)
    text = (tmp_path / SEEDS_PAGE).read_text("utf-8")
    assert "2 of 3" in text and "20% to 60%" in text and "guard compare &lt;x&gt;" in text
    (none,) = across_seeds({0: report(0, None, 1.0)})
    assert none["worst"] is None


def test_every_seed_has_its_report_and_all_have_one_page(
    bare: Local, small_suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    plan = Plan([bare], [small_suite], [PLAIN], [], "bare", sampling=Sampling(40))

    @contextmanager
    def planned(folder: Path, corpus: Corpus, subject: object, **_: object) -> Iterator[Plan]:
        drawn.append(corpus.seed)
        yield plan

    monkeypatch.setattr("guard.evaluate.subjects.tiny_subject", lambda corpus, step: None)
    monkeypatch.setattr("guard.evaluate.corpus_plan.corpus_plan", planned)
    out = tmp_path / "out"
    arguments = ["--tiny", "--seed", "4", "--seeds", "2", "--out", str(out), "--json"]
    ended = CliRunner().invoke(app, ["compare", *arguments])
    assert ended.exit_code == 0, ended.output
    assert drawn == [4, 5]
    assert all((out / f"seed-{seed}" / PAGE).is_file() for seed in drawn)
    printed = orjson.loads(ended.stdout)
    assert Path(printed["report"]) == out / "seeds.html"
    bare = next(row for row in printed["summary"] if row["arm"] == "bare")
    assert bare["worst"] == {"mean": 1.0, "low": 1.0, "high": 1.0, "runs": 2}
