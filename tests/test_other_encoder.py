"""Another encoder in the proxy: with a head of its own it serves, and nothing of another's does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from classifiers.head import load
from classifiers.sentence_model import read
from guard.cli.main import app
from guard.config import DetectSettings
from guard.errors import DetectorError
from guard.nearest import LocalNearest
from guard.policy import load_policy_set
from guard.settings_file import load_settings
from tests.classifiers.tiny_models import TEXTS, small_folder

pytestmark = pytest.mark.encoder

RUN = CliRunner()
ASKED = TEXTS[1]
POLICY = f"version: 1\nname: nobody\nforget:\n  prompts: ['{ASKED}']\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models") / "tiny"
    small_folder(made, "xlm-roberta", prompts={"query": "query: "})
    return made


@pytest.fixture(scope="module")
def head(folder: Path) -> Path:
    file = folder.with_name("head.json")
    options = ["--encoder", str(folder), "--subjects", "2", "--target", "0.2"]
    trained = RUN.invoke(app, ["detector", "train", "--out", str(file), *options])
    assert trained.exit_code == 0, trained.output
    return file


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    (tmp_path / "nobody.yaml").write_text(POLICY)
    return tmp_path


def test_a_head_says_whose_it_is(folder: Path, head: Path) -> None:
    made = load(head)
    assert made.encoder == read(folder).name
    assert made.scale.to_shared(1.0) == pytest.approx(1.0, abs=1e-3)
    assert len(made.scale.own) > 2


def test_with_its_head_it_judges(folder: Path, head: Path, policies: Path, tmp_path: Path) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "verdicts.jsonl"
    rows.write_text(json.dumps({"id": 1, "prompt": ASKED}) + "\n")
    arguments = ["check", "--policies", str(policies), "--in", str(rows), "--out", str(out)]
    checked = RUN.invoke(app, [*arguments, "--encoder", str(folder), "--head", str(head)])
    assert checked.exit_code == 1, checked.output
    verdict = json.loads(out.read_text())
    assert verdict["policy"] == "nobody"
    assert verdict["signals"]["nearest_prompt"] == pytest.approx(1.0, abs=1e-3)
    refused = RUN.invoke(app, [*arguments, "--encoder", str(folder)])
    assert refused.exit_code == 2
    assert f"guard detector train --encoder {folder} --out head.json" in refused.output


def test_the_settings_file_names_both(folder: Path, head: Path, tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text(f"detect: {{encoder: {folder}, head: {head}}}\n")
    local = LocalNearest(load_settings(file).detect)
    assert local.head.encoder == read(folder).name
    local.close()


def test_what_belongs_to_another_encoder_is_refused_at_start(
    folder: Path, head: Path, tmp_path: Path
) -> None:
    for settings, says in (
        (DetectSettings(encoder=folder), "the head that ships was made with the encoder all-Min"),
        (DetectSettings(head=head), "not with all-MiniLM-L6-v2"),
        (DetectSettings(encoder=folder, head=head, first_stage=True), "leave out detect.first_st"),
        (DetectSettings(encoder=tmp_path), "modules.json is missing"),
        (DetectSettings(head=tmp_path / "none.json"), "FileNotFoundError"),
    ):
        with pytest.raises(DetectorError, match=says):
            LocalNearest(settings)


def test_calibrating_a_head_with_another_encoder_is_wrong_use(head: Path, tmp_path: Path) -> None:
    arguments = ["detector", "calibrate", "--head", str(head), "--out", str(tmp_path / "x.json")]
    result = RUN.invoke(app, arguments)
    assert result.exit_code == 2
    assert "was made with the encoder tiny@" in result.output


def test_embeddings_of_one_encoder_do_not_serve_another(
    folder: Path, head: Path, policies: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "asked.txt", policies / "asked.embeddings"
    source.write_text(ASKED + "\n")
    made = RUN.invoke(app, ["embed", str(source), "--out", str(out), "--encoder", str(folder)])
    assert made.exit_code == 0, made.output
    assert json.loads(out.read_text())["model"] == read(folder).name
    policy = POLICY.replace(f"prompts: ['{ASKED}']", f"embeddings: {out.name}")
    (policies / "nobody.yaml").write_text(policy)
    found = load_policy_set(policies)
    local = LocalNearest(DetectSettings(encoder=folder, head=head))
    assert local.build(found) is not None
    local.close()
    shipped = LocalNearest()
    with pytest.raises(DetectorError, match="embeddings of tiny@"):
        shipped.build(found)
    shipped.close()
