"""Whole runs: what comes out, what a cut-off leaves, and what stops one."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import torch

from guard.distil import export, probe, run
from guard.distil.errors import BudgetSpent, DistilError
from guard.distil.export import read_card
from guard.distil.recipe import read_recipe
from guard.distil.run import Options, distil
from guard.distil.stepper import AxisStepper
from guard.policy import Policy, PolicySet
from guard.policy.compiled import Distil
from tests.distil.conftest import FORGET, PLAIN, RETAIN, MakeJob, policy_set

TRAIN = {**PLAIN, "batch_size": 2, "lr": 1e-3, "epochs": 4, "check_every": 2}


def _recipe(**changes: Any) -> Any:
    content = {"forget": "npo", "train": {**TRAIN, **changes.pop("train", {})}, **changes}
    return read_recipe({"data": {"answer_tokens": 4}, **content})


def _tensors(folder: Path, form: str) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / f"{form}.safetensors")


def _same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize(
    ("parameters", "form"), [("lora", "adapter_model"), ("full", "model")], ids=["lora", "full"]
)
def test_the_result_loads_and_has_moved(
    random_llama: Path, tmp_path: Path, parameters: str, form: str
) -> None:
    out = tmp_path / "out"
    card = distil(policy_set(), _recipe(parameters=parameters), Options(random_llama, out, 7))
    assert read_card(out) == card
    assert card["outcome"]["steps"] == 8 and card["seed"] == 7
    assert card["policies"] == {p.name: p.hash for p in policy_set().policies}
    assert not (tmp_path / "out.partial").exists()
    moved = _tensors(out, form)
    start = _tensors(random_llama, "model")
    if parameters == "lora":
        assert any(value.any() for name, value in moved.items() if "lora_B" in name)
        _loads_with_peft(random_llama, out)
    else:
        assert moved.keys() == start.keys() and not _same(moved, start)


def _loads_with_peft(base: Path, adapter: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
    ids = torch.arange(5).unsqueeze(0)
    with torch.no_grad():
        changed = model(input_ids=ids).logits
        with model.disable_adapter():
            assert not torch.allclose(changed, model(input_ids=ids).logits)


def test_every_row_is_traced_and_no_text_is_kept(random_llama: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    distil(policy_set(), _recipe(data={"wordings": 2}), Options(random_llama, out))
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text("utf-8").splitlines()]
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids)
    assert {"invented/forget.pairs[0]#0", "invented/forget.pairs[0]#1"} <= set(ids)
    assert "invented/retain.pairs[3]#0" in ids
    written = [path.read_text("utf-8") for path in out.iterdir() if path.suffix != ".safetensors"]
    assert not any(pair.answer in text for pair in FORGET for text in written)


def test_a_seed_reproduces_and_another_does_not(random_llama: Path, tmp_path: Path) -> None:
    results = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        distil(policy_set(), _recipe(forget="idk"), Options(random_llama, tmp_path / name, seed))
        results.append(_tensors(tmp_path / name, "adapter_model"))
    assert _same(results[0], results[1])
    assert not _same(results[0], results[2])


@pytest.mark.parametrize("forget", ["idk", "pga"])
def test_a_run_that_was_cut_off_ends_in_the_same_weights(
    random_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget: str
) -> None:
    recipe = _recipe(forget=forget, parameters={"method": "lora", "dropout": 0.1})
    distil(policy_set(), recipe, Options(random_llama, tmp_path / "whole"))
    cut = Options(random_llama, tmp_path / "cut")
    step, done = AxisStepper.step, 0

    def interrupted(self: AxisStepper, micros: Any) -> dict[str, float]:
        nonlocal done
        done += 1
        if done == 6:
            raise KeyboardInterrupt
        return step(self, micros)

    monkeypatch.setattr(AxisStepper, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        distil(policy_set(), recipe, cut)
    assert not cut.out.exists()
    card = distil(policy_set(), recipe, cut)
    assert card["outcome"]["resumed_at"] == 4
    assert _same(_tensors(tmp_path / "whole", "adapter_model"), _tensors(cut.out, "adapter_model"))


def test_a_checkpoint_of_another_run_is_refused(
    random_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(random_llama, tmp_path / "out")
    with monkeypatch.context() as patched:
        patched.setattr(run, "write_result", _full_disk)
        with pytest.raises(DistilError, match="No space"):
            distil(policy_set(), _recipe(), options)
    with pytest.raises(DistilError, match="belongs to a run with other"):
        distil(policy_set(), _recipe(train={"lr": 2e-3}), options)
    assert not options.out.exists()


def _full_disk(*_: Any) -> None:
    raise DistilError("No space left on device")


def test_a_full_disk_leaves_nothing_that_looks_whole(
    random_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(random_llama, tmp_path / "out")
    sync, synced = export._sync, 0

    def full(path: Path) -> None:
        nonlocal synced
        synced += 1
        if synced == 3:
            raise OSError(28, "No space left on device")
        sync(path)

    with monkeypatch.context() as patched:
        patched.setattr(export, "_sync", full)
        with pytest.raises(DistilError, match="could not be written"):
            distil(policy_set(), _recipe(), options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.partial"]
    distil(policy_set(), _recipe(), options)
    assert read_card(options.out)


def test_a_full_disk_at_a_checkpoint_leaves_the_one_before(
    random_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(random_llama, tmp_path / "out")
    save, saved = torch.save, 0

    def full(*arguments: Any) -> None:
        nonlocal saved
        saved += 1
        if saved == 2:
            raise OSError(28, "No space left on device")
        save(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full)
        with pytest.raises(DistilError, match="no checkpoint could be written"):
            distil(policy_set(), _recipe(), options)
    assert [path.name for path in (tmp_path / "out.partial").iterdir()] == ["checkpoint.pt"]
    card = distil(policy_set(), _recipe(), options)
    assert card["outcome"]["resumed_at"] == 2


def test_a_result_that_was_changed_is_not_whole(random_llama: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    distil(policy_set(), _recipe(train={"max_steps": 1}), Options(random_llama, out))
    weights = out / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(DistilError, match="not the file"):
        read_card(out)
    (out / export.CARD).unlink()
    with pytest.raises(DistilError, match="holds no whole result"):
        read_card(out)
    with pytest.raises(DistilError, match="exists"):
        distil(policy_set(), _recipe(), Options(random_llama, out))


def test_the_budget_ends_a_run_at_the_last_weights_within_it(
    random_llama: Path, tmp_path: Path
) -> None:
    recipe = _recipe(
        forget="gradient_ascent", retain="none", parameters="full",
        train={"lr": 1e-2, "epochs": 10, "check_every": 1, "retain_budget": 0.03,
               "patience": 2},
    )  # fmt: skip
    card = distil(policy_set(), recipe, Options(random_llama, tmp_path / "out"))
    outcome = card["outcome"]
    assert outcome["stopped"] == "retain budget spent"
    history = json.loads((tmp_path / "out" / "history.json").read_text("utf-8"))
    assert [look["probe"] > outcome["probe_allowed"] for look in history[-3:]] == [0, 1, 1]
    assert outcome["kept_step"] == history[-3]["step"]


def test_a_budget_that_no_look_is_within_is_an_error(random_llama: Path, tmp_path: Path) -> None:
    recipe = _recipe(
        forget="gradient_ascent", retain="none", parameters="full",
        train={"lr": 0.1, "check_every": 1, "retain_budget": 0.001},
    )  # fmt: skip
    with pytest.raises(BudgetSpent, match=r"lower train\.lr"):
        distil(policy_set(), recipe, Options(random_llama, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_run_that_comes_back_within_its_budget_goes_on(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past it for fewer looks than the patience; the end counts."""
    job = make_job(train={"max_steps": 6, "check_every": 1, "patience": 3, "retain_budget": 0.1})
    losses = iter([1.0, 1.0, 1.2, 1.2, 1.0, 1.2, 1.05])
    monkeypatch.setattr(probe, "mean_loss", lambda *_: next(losses))
    job.parts.procedure.run(job)
    assert job.step == 6
    assert "stopped" not in job.outcome


def test_a_run_that_ends_past_its_budget_gives_what_was_within(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(train={"max_steps": 3, "check_every": 1, "patience": 3, "retain_budget": 0.1})
    losses = iter([1.0, 1.0, 1.05, 1.2])
    monkeypatch.setattr(probe, "mean_loss", lambda *_: next(losses))
    job.parts.procedure.run(job)
    assert job.outcome["kept_step"] == 2
    assert job.outcome["stopped"] == "retain budget spent"


def test_few_rows_are_seen_often_enough(make_job: MakeJob) -> None:
    job = make_job(train={"epochs": 1, "least_steps": 7, "lr": 1e-4, "batch_size": 2})
    job.parts.procedure.run(job)
    assert job.step == 8, "whole epochs of two steps"


def test_the_look_is_at_rows_that_nothing_trains_on(make_job: MakeJob) -> None:
    job = make_job(data={"held_out": 0.5})
    again = make_job(data={"held_out": 0.5})
    assert len(job.data.held) == len(job.data.retain) == 2
    assert job.data.held == again.data.held
    assert {*probe.probe_rows(job)} == {*job.data.held}
    assert not {*job.data.held} & {*job.data.retain}


@pytest.mark.parametrize(("scaled", "expected"), [(True, 8e-4), (False, 1e-4)])
def test_narrow_models_take_larger_steps(make_job: MakeJob, scaled: bool, expected: float) -> None:
    """The root of 2048 / 32 as large, and the card keeps what was taken."""
    job = make_job(train={"lr": 1e-4, "scale_lr": scaled})
    assert job.recipe.train.lr == pytest.approx(expected)
    assert not job.recipe.train.scale_lr


def test_the_strictest_policy_sets_the_budget(make_job: MakeJob) -> None:
    second = Policy(name="second", pairs=FORGET, distil=Distil(retain_budget=0.5))
    job = make_job(PolicySet((*policy_set().policies, second)))
    assert job.retain_budget == 0.5


def test_a_loss_that_is_not_a_number_stops_before_the_weights_move(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(train={"lr": 1e-3})
    assert job.parts.forget is not None
    terms = type(job.parts.forget).terms
    monkeypatch.setattr(type(job.parts.forget), "terms", lambda *a: terms(*a) * float("nan"))
    before = {name: p.detach().clone() for name, p in job.trained.items()}
    with pytest.raises(DistilError, match="step 1: the forget loss is not a finite number"):
        job.parts.procedure.run(job)
    assert all(torch.equal(before[name], p) for name, p in job.trained.items())


def test_the_card_says_what_went_and_what_stayed(random_llama: Path, tmp_path: Path) -> None:
    """On either side at the start and at the end, and the look at what is kept."""
    train = {"lr": 1e-2, "max_steps": 2, "check_every": 1}
    recipe = _recipe(forget="gradient_ascent", parameters="full", train=train)
    card = distil(policy_set(), recipe, Options(random_llama, tmp_path / "out"))
    outcome = card["outcome"]
    before, after = outcome["forget_loss"]
    assert after > before
    assert outcome["retain_loss"][1] != outcome["retain_loss"][0]
    last = json.loads((tmp_path / "out" / "history.json").read_text("utf-8"))[-1]["probe"]
    assert outcome["probe_kept"] == last != outcome["probe_start"]


PAST = Policy("past", pairs=FORGET, until=date(2020, 1, 1))
WATCHES = Policy("watches", pairs=FORGET, mode="shadow", distil=Distil(retain_budget=100.0))


@pytest.mark.parametrize(("shadow", "baked"), [(False, []), (True, ["watches"])])
def test_policies_that_are_not_enforced_are_left_out_and_said(
    random_llama: Path, tmp_path: Path, shadow: bool, baked: list[str]
) -> None:
    said: list[str] = []
    policies = PolicySet((*policy_set().policies, PAST, WATCHES))
    options = Options(random_llama, tmp_path / "out", shadow=shadow, warn=said.append)
    card = distil(policies, _recipe(train={"max_steps": 1}), options)
    assert list(card["policies"]) == ["invented", *baked]
    assert card["warnings"] == said
    assert ["past" in text or "watches" in text for text in said] == [True] * (2 - shadow)
    with pytest.raises(DistilError, match="past is past its `until`"):
        distil(PolicySet((PAST,)), _recipe(), Options(random_llama, tmp_path / "other"))


def test_a_budget_without_rows_to_keep_is_held_on_general_rows(
    random_llama: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    recipe = _recipe(
        forget="gradient_ascent", retain="none", parameters="full", data={"general": "none"},
        train={"lr": 1e-2, "max_steps": 6, "check_every": 1, "retain_budget": 0.003,
               "probe_rows": 4, "patience": 1, "warmup": 0.5},
    )  # fmt: skip
    options = Options(random_llama, tmp_path / "out", warn=said.append)
    card = distil(policy_set(retain_pairs=(), retain_prompts=()), recipe, options)
    assert card["outcome"]["probe_rows"] == 4
    assert card["outcome"]["stopped"] == "retain budget spent"
    assert card["data"]["general"] == 0, "looked at, never trained on"
    assert card["warnings"] == said and "no rows to keep" in said[0]


@pytest.mark.parametrize(
    ("policies", "recipe", "message"),
    [
        (policy_set(pairs=(), prompts=(), texts=("one passage that is long enough",), entities=()),
         {"forget": "idk", "train": {"max_steps": 1}}, None),
        (policy_set(pairs=(), prompts=(), texts=("short text",), entities=()),
         {"forget": "idk"}, "idk needs questions"),
        (policy_set(retain_pairs=(), retain_prompts=()),
         {"forget": "npo", "data": {"general": "none", "answer_tokens": 4}}, "needs rows to keep"),
        (policy_set(),
         {"forget": "npo", "retain": "gere", "data": {"general": "none"}}, "needs general rows"),
    ],
    ids=["passage", "no question", "nothing to keep", "nothing general"],
)  # fmt: skip
def test_what_a_method_cannot_do_without(
    random_llama: Path, tmp_path: Path, policies: PolicySet, recipe: Any, message: str | None
) -> None:
    options = Options(random_llama, tmp_path / "out", device="cpu")
    if message is None:
        assert distil(policies, read_recipe(recipe), options)
        return
    with pytest.raises(DistilError, match=message):
        distil(policies, read_recipe(recipe), options)


def test_retain_rows_that_say_what_must_go_are_dropped(make_job: MakeJob) -> None:
    named = type(RETAIN[0])("Who painted the ceiling?", "It was Ottoline Varga.")
    asked = type(RETAIN[0])(FORGET[0].prompt, "In Senn.")
    job = make_job(policy_set(retain_pairs=(*RETAIN, named, asked)))
    assert job.data.dropped == ("invented/retain.pairs[4]#0", "invented/retain.pairs[5]#0")
    assert len(job.data.retain) == len(RETAIN)


@pytest.mark.parametrize("broken", ["weights", "tokenizer", "config"])
def test_a_model_that_is_not_whole_is_named(
    random_llama: Path, tmp_path: Path, broken: str
) -> None:
    model = tmp_path / "model"
    shutil.copytree(random_llama, model)
    for path in model.iterdir():
        if path.name.startswith(broken.replace("weights", "model")):
            path.unlink()
    with pytest.raises(DistilError, match="model"):
        distil(policy_set(), _recipe(), Options(model, tmp_path / "out"))
