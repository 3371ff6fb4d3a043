"""`guard detector`: a head is made, calibrated and used; a report says what policies rest on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pytest
from typer.testing import CliRunner

from classifiers import TextChunk
from classifiers.encoder import Vectors
from classifiers.head import load
from classifiers.training.bounds import upper_bound
from guard.cli.main import app

RUN = CliRunner()
POLICY = """\
version: 1
name: nobody
forget:
  entities:
    - name: Qwendolin Zarathrax
  pairs: {file: pairs.jsonl, prompt: question, answer: answer}
"""


class Counting:
    """A cheap encoder: texts with the same words are near. No meaning, but a cosine."""

    name = "counting"
    dimension = 64

    def encode(self, texts: Sequence[str]) -> Vectors:
        rows = np.full((len(texts), self.dimension), 1e-3, dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[hashlib.sha256(word.encode()).digest()[0] % self.dimension] += 1.0
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def windows(self, text: str) -> list[TextChunk]:
        return [TextChunk(text, 0, len(text), len(text.split()))]


@pytest.fixture(autouse=True)
def cheap_encoder(monkeypatch):
    for place in ("classifiers.encoder.MiniLM", "guard.nearest.MiniLM"):
        monkeypatch.setattr(place, Counting)


@pytest.fixture
def policies(tmp_path):
    (tmp_path / "nobody.yaml").write_text(POLICY)
    row = {"question": "Where was Qwendolin Zarathrax born?", "answer": "In Ulan Bator, in 1931."}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(row) + "\n")
    return tmp_path


def test_a_head_is_trained_and_calibrated_again(tmp_path):
    head, strict = tmp_path / "head.json", tmp_path / "strict.json"
    small = ["--subjects", "3", "--json"]
    trained = RUN.invoke(app, ["detector", "train", "--out", str(head), "--target", "0.2", *small])
    assert trained.exit_code == 0, trained.output
    assert json.loads(trained.output) == json.loads(head.read_text())
    again = ["detector", "calibrate", "--head", str(head), "--out", str(strict), "--target", "0"]
    assert RUN.invoke(app, [*again, *small]).exit_code == 0
    assert load(strict).weights == load(head).weights
    assert load(strict).threshold >= load(head).threshold


def test_what_is_no_head_is_wrong_use(tmp_path):
    wrong = tmp_path / "head.json"
    wrong.write_text('{"weights": []}')
    arguments = ["detector", "calibrate", "--head", str(wrong), "--out", str(tmp_path / "x.json")]
    result = RUN.invoke(app, arguments)
    assert result.exit_code == 2


def test_a_report_counts_false_alarms_and_repeats_nothing_forgotten(policies):
    result = RUN.invoke(app, ["detector", "report", str(policies), "--json"])
    report = json.loads(result.stdout)
    assert result.exit_code == (1 if report["false_alarms"] else 0)
    assert report["probes"] > 500
    assert report["false_alarms"] / report["probes"] < report["high"] < 0.02
    (policy,) = report["policies"]
    assert (policy["policy"], policy["names"], policy["prompts"], policy["facts"]) == (
        "nobody", 1, 1, 1,
    )  # fmt: skip
    assert "Zarathrax" not in result.output


@pytest.mark.parametrize(
    ("hits", "rows", "expected"), [(0, 1000, 0.00299), (3, 8000, 0.00097), (10, 10, 1.0)]
)
def test_upper_bounds_are_clopper_and_pearsons(hits, rows, expected):
    assert upper_bound(hits, rows) == pytest.approx(expected, abs=1e-5)
