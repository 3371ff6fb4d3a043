"""`guard distil` as one types it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from guard.cli.main import app
from guard.distil.part import Axis
from tests.distil.conftest import FORGET, RETAIN

QUICK = ["--set", "train.batch_size=4", "--set", "train.check_every=1", "--json",
         "--set", "train.least_steps=0"]  # fmt: skip


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    for name, pairs in (("forget", FORGET), ("retain", RETAIN)):
        rows = [{"prompt": pair.prompt, "answer": pair.answer} for pair in pairs]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows), "utf-8")
    content = {
        "version": 1, "name": "invented", "forget": {"pairs": {"file": "forget.json"}},
        "retain": {"pairs": {"file": "retain.json"}}, "distil": {"retain_budget": 0.5},
    }  # fmt: skip
    path = tmp_path / "invented.yaml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    return path


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["distil", *map(str, arguments)])
    return result.exit_code, result.output


def test_list() -> None:
    code, out = run("--list", "--json")
    assert code == 0
    found = json.loads(out)
    assert list(found["axes"]) == [str(axis) for axis in Axis]
    code, out = run("--list")
    assert code == 0
    assert all(recipe["name"] in out for recipe in found["recipes"])


def test_a_run_prints_its_card(random_llama: Path, policies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["--policies", policies, "--model", random_llama, "--out", out, *QUICK]
    code, said = run(*arguments, "--set", "train.epochs=1", "--seed", "3")
    assert code == 0
    card = json.loads(said)
    assert (card["seed"], card["retain_budget"]) == (3, 0.5)
    assert json.loads((out / "guard.json").read_text("utf-8")) == card
    code, said = run(*arguments)
    assert (code, "exists" in said) == (2, True)


def test_what_is_left_out_is_said_beside_the_card(
    random_llama: Path, policies: Path, tmp_path: Path
) -> None:
    """On stderr, so that stdout stays JSON; `--shadow` takes along what only watches."""
    content = yaml.safe_load(policies.read_text("utf-8"))
    for name, change in (("past", {"until": date(2020, 1, 1)}), ("watches", {"mode": "shadow"})):
        path = policies.with_name(f"{name}.yaml")
        path.write_text(yaml.safe_dump({**content, "name": name, **change}), "utf-8")
    arguments = [
        "distil", "--policies", policies.parent, "--model", random_llama, *QUICK,
        "--out", tmp_path / "out", "--set", "train.max_steps=1", "--shadow",
    ]  # fmt: skip
    result = CliRunner().invoke(app, [*map(str, arguments)])
    card = json.loads(result.stdout)
    assert list(card["policies"]) == ["invented", "watches"]
    assert card["warnings"] == [result.stderr.removeprefix("warning: ").rstrip()]
    assert "past is past its `until`" in result.stderr


@pytest.mark.parametrize(("rank", "speaks"), [("0", True), ("1", False)])
def test_one_process_of_several_prints(
    tmp_path: Path, policies: Path, monkeypatch: pytest.MonkeyPatch, rank: str, speaks: bool
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr("guard.distil.run.distil", lambda *_: {"outcome": {"stopped": "early"}})
    arguments = ["--policies", policies, "--model", tmp_path, "--out", tmp_path / "o", "--json"]
    code, said = run(*arguments)
    assert (code, bool(said)) == (1, speaks)


def test_a_run_that_spends_its_budget_says_so(
    random_llama: Path, policies: Path, tmp_path: Path
) -> None:
    code, said = run(
        "--policies", policies, "--model", random_llama, "--out", tmp_path / "out", *QUICK,
        "--recipe", "grad-ascent", "--set", "parameters=full", "--set", "train.lr=1e-2",
        "--set", "train.retain_budget=0.01", "--set", "train.warmup=0.5",
    )  # fmt: skip
    assert code == 1
    assert json.loads(said)["outcome"]["stopped"] == "retain budget spent"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--policies"),
        (["--recipe", "nothing"], "there is no recipe"),
        (["--set", "train.lr"], "KEY=VALUE"),
        (["--set", "train.lr=[1"], "not YAML"),
        (["--set", "train.lr=fast"], "train.lr"),
        (["--model", "nowhere"], "holds no weights"),
    ],
)
def test_wrong_use(
    random_llama: Path, policies: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    whole = ["--policies", policies, "--out", tmp_path / "out", "--model", random_llama]
    code, said = run(*(whole if arguments else []), *arguments)
    assert code == 2
    assert message in said
