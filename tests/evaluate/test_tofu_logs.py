"""TOFU's published logs give the figures that their authors' code gives."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from guard.cli.main import app
from guard.errors import EvaluateError
from guard.evaluate.metrics import rouge_l
from guard.evaluate.tofu_logs import SECTIONS, TofuLog
from tests.support.reference_data import reference

SUFFIX = "wd0.01_eval_log_aggregated.json"


def log(name: str) -> Path:
    return reference("tofu", "reference_logs", f"llama2-7b_{name}_{SUFFIX}")


@pytest.mark.parametrize(
    ("name", "split", "probability", "rouge", "ratio"),
    [
        ("full", "retain", 0.9895, 0.9857, 0.4747),
        ("full", "authors", 0.4555, 0.933, 0.5962),
        ("full", "facts", 0.4186, 0.8825, 0.539),
        ("full", "forget", 0.9909, 0.9854, 0.516),
        ("retain90", "retain", 0.9889, 0.9758, 0.471),
        ("retain90", "authors", 0.4341, 0.923, 0.5707),
        ("retain90", "facts", 0.4143, 0.8974, 0.5442),
        ("retain90", "forget", 0.1476, 0.4082, 0.674),
    ],
)
def test_parts(name: str, split: str, probability: float, rouge: float, ratio: float) -> None:
    found = TofuLog(log(name)).parts(split)
    assert (found.probability, found.rouge, found.truth_ratio) == pytest.approx(
        (probability, rouge, ratio), abs=5.1e-5
    )


def test_forget_quality_and_utility_by_the_command() -> None:
    arguments = ["--model-log", str(log("full")), "--retain-log", str(log("retain90")), "--json"]
    result = CliRunner().invoke(app, ["evaluate", "tofu-logs", *arguments])
    assert result.exit_code == 0
    assert orjson.loads(result.stdout) == {
        "forget_quality": pytest.approx(1.834066410994743e-21, rel=1e-9),
        "ks_statistic": pytest.approx(0.39667, abs=5e-6),
        "model_utility": pytest.approx(0.6227, abs=5e-5),
        "retain_model_utility": pytest.approx(0.6137, abs=5e-5),
    }


@pytest.mark.parametrize("name", ["full", "retain90"])
def test_rouge_of_every_recorded_answer_is_the_recorded_one(name: str) -> None:
    rows = 0
    for section in orjson.loads(log(name).read_bytes()).values():
        for item, (_, answer, wanted) in section["generated_text"].items():
            assert rouge_l(wanted, answer).recall == pytest.approx(section["rougeL_recall"][item])
            rows += 1
    assert rows == 817


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        orjson.dumps({key: {"avg_gt_loss": {}} for key in SECTIONS.values()}),
        orjson.dumps({key: {"avg_gt_loss": {"0": 1.0}} for key in SECTIONS.values()}),
    ],
)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_bytes(content)
    with pytest.raises(EvaluateError, match="not an evaluation log"):
        TofuLog(path)


def test_a_missing_file_is_wrong_use(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.json")
    result = CliRunner().invoke(
        app, ["evaluate", "tofu-logs", "--model-log", missing, "--retain-log", missing]
    )
    assert result.exit_code == 2
    assert "none.json" in result.output
