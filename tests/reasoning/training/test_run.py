"""A tiny model is fine-tuned for real: better than before, resumable, whole on disk or absent."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from guard.distil.errors import DistilError
from guard.distil.export import file_hash
from guard.errors import GuardModelError
from guard.reasoning.training.data import Example, made
from guard.reasoning.training.run import Options, guard_model
from guard.reasoning.training.settings import DataSettings, SftSettings, read_settings
from tests.reasoning.training.conftest import FEW, one_wording

LEARN = SftSettings(
    lr=5e-3, full=True, batch=8, at_once=8, epochs=6, check_every=1000, looked_at=4,
    answer_tokens=80, precision="fp32",
)  # fmt: skip
SHORT = replace(
    LEARN, full=False, lr=None, epochs=1, max_steps=4, batch=4, at_once=2, check_every=2,
    answer_tokens=16,
)  # fmt: skip
SMALL = DataSettings(synthetic=12, reworded=4, held_out=4, people=20)


def run(tiny: Path, out: Path, data: DataSettings = SMALL, sft: SftSettings = SHORT):
    return guard_model(data, sft, Options(tiny, out, device="cpu", writer=one_wording))


def test_instructions_get_better(tiny: Path, tmp_path: Path) -> None:
    card = run(tiny, tmp_path / "out", FEW, LEARN)
    before, after = card["held_out"]["before"], card["held_out"]["after"]
    assert (before["screened"], before["formed"]) == (0, 0)  # an untrained model says nothing
    assert after["screened"] >= 0.9
    assert after["formed"] >= 0.9
    assert after["leaked"] <= 0.1
    assert after["loss"] < before["loss"] / 3
    assert (tmp_path / "out" / "model.safetensors").exists()
    assert (tmp_path / "out" / "tokenizer.json").exists()
    assert card["form"] == "weights"


def test_an_adapter_leaves_the_base_alone_and_has_a_card(tiny: Path, tmp_path: Path) -> None:
    before = file_hash(tiny / "model.safetensors")
    card = run(tiny, tmp_path / "out")
    assert file_hash(tiny / "model.safetensors") == before
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text("utf-8"))
    assert (config["peft_type"], config["r"]) == ("LORA", 16)
    weights = load_file(tmp_path / "out" / "adapter_model.safetensors")
    assert any(float(value.abs().max()) > 0 for name, value in weights.items() if "lora_B" in name)
    rows = made("train", SMALL, one_wording)
    assert card["data"]["train"] == {"hash": rows.hash, "rows": 16, "rejected": rows.rejected}
    assert card["data"]["held_out"]["hash"] == made("calibrate", SMALL, one_wording).hash
    assert card["settings"]["sft"]["lr"] == 2e-4
    assert len(card["base"]["hash"]) == 64
    assert "adapter_model.safetensors" in card["files"]
    readme = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "| screened |" in readme
    assert not (tmp_path / "out.partial").exists()


class Cut(Exception):
    """Ends a run in its third step."""


def cut(report) -> None:
    if report.step == 3:
        raise Cut


def test_a_run_that_was_cut_off_ends_in_the_same_weights(tiny: Path, tmp_path: Path) -> None:
    run(tiny, tmp_path / "whole")

    options = Options(tiny, tmp_path / "cut", device="cpu", writer=one_wording)
    with pytest.raises(Cut):
        guard_model(SMALL, SHORT, replace(options, report=cut))
    assert (tmp_path / "cut.partial").exists()
    assert not (tmp_path / "cut").exists()
    steps: list[int] = []
    guard_model(SMALL, SHORT, replace(options, report=lambda report: steps.append(report.step)))
    assert steps == [3, 4]
    found = [load_file(tmp_path / name / "adapter_model.safetensors") for name in ("whole", "cut")]
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_a_checkpoint_of_another_run_is_not_gone_on_from(tiny: Path, tmp_path: Path) -> None:
    options = Options(tiny, tmp_path / "out", device="cpu", writer=one_wording)
    with pytest.raises(Cut):
        guard_model(SMALL, SHORT, replace(options, report=cut))
    with pytest.raises(DistilError, match="another --out"):
        guard_model(SMALL, replace(SHORT, lr=1e-3), options)


def test_what_stands_against_a_run(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(GuardModelError, match="exists"):
        run(tiny, tmp_path / "there")
    bare = tmp_path / "bare"
    shutil.copytree(tiny, bare)
    (bare / "chat_template.jinja").unlink(missing_ok=True)
    told = json.loads((bare / "tokenizer_config.json").read_text("utf-8"))
    told.pop("chat_template", None)
    (bare / "tokenizer_config.json").write_text(json.dumps(told), "utf-8")
    with pytest.raises(GuardModelError, match="chat template"):
        run(bare, tmp_path / "out")
    with pytest.raises(DistilError, match=r"train\.max_length"):
        run(tiny, tmp_path / "out", sft=replace(SHORT, max_length=64))
    with pytest.raises(DistilError, match=r"weights|tokenizer"):
        run(tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_chat_template_may_come_from_a_file(tiny: Path, tmp_path: Path) -> None:
    template = tmp_path / "own.jinja"
    template.write_text(
        "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}<end>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    options = Options(tiny, tmp_path / "out", "cpu", template, writer=one_wording)
    assert guard_model(SMALL, replace(SHORT, max_steps=1), options)["steps"] == 1
    missing = replace(options, out=tmp_path / "other", chat_template=tmp_path / "none")
    with pytest.raises(GuardModelError, match="cannot be read"):
        guard_model(SMALL, SHORT, missing)


def test_nothing_that_is_learned_is_logged(
    tiny: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    run(tiny, tmp_path / "out")
    rows: tuple[Example, ...] = made("train", SMALL, one_wording).examples
    secrets = {fact for one in rows for fact in one.request.case.secrets if len(fact) > 6}
    written = (tmp_path / "out" / "guard.json").read_text("utf-8") + caplog.text
    assert not [fact for fact in secrets if fact in written]


def test_settings_are_the_papers() -> None:
    data, sft = read_settings({})
    assert (data, sft) == (DataSettings(), SftSettings())
    assert (sft.epochs, sft.batch, sft.weight_decay, sft.max_length) == (3, 64, 0.01, 2048)
    assert (SftSettings(full=True).rate, SftSettings().rate) == (2e-5, 2e-4)
    assert read_settings({"train.lr": "1e-5"})[1].rate == 1e-5


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train.bath", 3, "batch"),
        ("batch", 3, "begins with"),
        ("train.batch", 0, "greater"),
        ("train.lr", float("nan"), "train.lr"),
        ("data.people", 4, "data.people"),
        ("data.people", 4000, "data.people"),
        ("train.precision", "int8", "train.precision"),
    ],
)
def test_settings_that_are_none(key: str, value: object, said: str) -> None:
    with pytest.raises(DistilError, match=said):
        read_settings({key: value})
