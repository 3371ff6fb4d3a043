"""`guard detector guard-model` as one types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from guard.cli.main import app
from guard.reasoning.training.run import Options
from guard.reasoning.training.settings import DataSettings, SftSettings
from tests.reasoning.training.conftest import tiny

__all__ = ["tiny"]  # a fixture

SMALL = [
    "data.synthetic=8", "data.reworded=2", "data.held_out=2", "data.people=20", "train.batch=4",
    "train.max_steps=1", "train.answer_tokens=16",
]  # fmt: skip


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["detector", "guard-model", *map(str, arguments)])
    return result.exit_code, result.output


def test_it_writes_an_adapter_and_prints_its_card(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    settings = [word for pair in SMALL for word in ("--set", pair)]
    arguments = ["--model", tiny, "--out", out, "--device", "cpu", *settings]
    code, said = run(*arguments, "--seed", "2", "--json")
    assert code == 0, said
    card = json.loads(said)
    assert json.loads((out / "guard.json").read_text("utf-8")) == card
    assert (card["seed"], card["form"], card["steps"]) == (2, "adapter", 1)
    assert card["data"]["writer"] == "rules"
    assert set(card["held_out"]) == {"before", "after"}
    code, said = run(*arguments)
    assert (code, "exists" in said) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--writer", "http://127.0.0.1:9"], "belong together"),
        (["--writer-model", "m"], "belong together"),
        (["--set", "train.bath=3"], "batch"),
        (["--set", "data.people=3"], "data.people"),
        (["--set", "train.batch"], "KEY=VALUE"),
        (["--writer", "http://127.0.0.1:9", "--writer-model", "m"], "model server"),
    ],
)
def test_wrong_use(tiny: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    code, output = run("--model", tiny, "--out", tmp_path / "out", *arguments)
    assert (code, said in output) == (2, True), output


def test_settings_and_writer_reach_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def make(data: DataSettings, sft: SftSettings, options: Options) -> dict[str, object]:
        seen.append((data, sft, options))
        figures = {"screened": 1.0}
        return {"form": "weights", "held_out": {"before": figures, "after": figures}}

    monkeypatch.setattr("guard.reasoning.training.run.guard_model", make)
    code, said = run(
        "--model", tmp_path, "--out", tmp_path / "out", "--full", "--set", "train.lr=3e-5",
        "--set", "train.full=false", "--writer", "http://127.0.0.1:9", "--writer-model", "big",
    )  # fmt: skip
    assert (code, "screened: 1.0 before, 1.0 after" in said) == (0, True)
    ((data, sft, options),) = seen
    assert data == DataSettings()
    assert (sft.full, sft.rate) == (True, 3e-5)
    assert options.writer is not None and options.writer_name == "big"
