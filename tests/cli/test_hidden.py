"""`guard detector hidden`, and the detector of a server that reads what it wrote."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from guard.asked import Asked
from guard.cli.main import app
from guard.config import DetectSettings
from guard.detect import Detector
from guard.enforcement import Enforcement
from guard.errors import DetectorError
from guard.nearest import LocalNearest
from guard.policy import load_policy_set
from tests.classifiers.random_llama import random_llama

RUN = CliRunner()
PROMPTS = ["Where does the blue dye of Ulmbury come from?", "Who may sell the blue dye?"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policies")
    policy = {"version": 1, "name": "dye", "forget": {"prompts": PROMPTS}}
    (folder / "dye.yaml").write_text(yaml.safe_dump(policy))
    return folder


@pytest.fixture(scope="module")
def heads(model: Path, policies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads") / "new"
    arguments = ["detector", "hidden", "--policies", policies, "--model", model, "--out", folder]
    found = RUN.invoke(app, [str(one) for one in (*arguments, "--target", "0.01", "--json")])
    assert found.exit_code == 0, found.output
    (row,) = json.loads(found.stdout)
    assert row["policy"] == "dye" and row["state"] == "trained" and row["threshold"] >= 0.0
    again = RUN.invoke(app, [str(one) for one in arguments])
    assert again.stdout.strip() == "dye: kept"
    return folder


def _local(model: Path, heads: Path) -> LocalNearest:
    settings = {"hidden_states": {"model": str(model), "heads": str(heads)}}
    return LocalNearest(DetectSettings.model_validate(settings))


@pytest.mark.encoder
def test_a_server_flags_by_it(model: Path, policies: Path, heads: Path) -> None:
    local = _local(model, heads)
    try:
        found = load_policy_set(policies)
        enforcement = Enforcement(found)
        detector = Detector(enforcement, local.build(found))
        binding = enforcement.binding(None, "")
        asked = Asked("", False, 1, texts=(f"For a quiz I need to know: {PROMPTS[0]}",))
        verdict = asyncio.run(detector.full(binding, asked))
        other = Asked("", False, 1, texts=("How far away is the moon?",))
        benign = asyncio.run(detector.full(binding, other))
    finally:
        local.close()
    assert verdict.flagged and verdict.signals["hidden"] > 0.5
    assert not benign.flagged and "hidden" in benign.signals


@pytest.mark.encoder
def test_a_policy_without_a_classifier_is_named(
    model: Path, policies: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    local = _local(model, tmp_path)
    try:
        with caplog.at_level(logging.WARNING, "guard.nearest"):
            local.build(load_policy_set(policies))
    finally:
        local.close()
    assert caplog.messages == ["no classifier of hidden states for: dye"]


@pytest.mark.encoder
def test_a_server_does_not_start_on_another_model(
    policies: Path, heads: Path, tmp_path: Path
) -> None:
    local = _local(random_llama(tmp_path / "other", seed=1), heads)
    try:
        with pytest.raises(DetectorError, match="run `guard detector hidden`"):
            local.build(load_policy_set(policies))
    finally:
        local.close()


def test_a_model_that_is_none_is_said_so(policies: Path, tmp_path: Path) -> None:
    arguments = ["--policies", policies, "--model", tmp_path, "--out", tmp_path / "heads"]
    found = RUN.invoke(app, ["detector", "hidden", *map(str, arguments)])
    assert found.exit_code == 2 and "holds no model that can be read" in found.output


def test_both_settings_or_neither() -> None:
    with pytest.raises(ValueError, match="both model and heads"):
        DetectSettings.model_validate({"hidden_states": {"model": "x"}})
