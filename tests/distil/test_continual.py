"""Requests one after another: what each costs, what it undoes, and going on after a cut-off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from guard.distil.errors import DistilError
from guard.distil.probe import Probe
from guard.distil.recipe import read_recipe
from guard.distil.run import Options, distil
from guard.distil.stepper import AxisStepper
from guard.policy import Policy, PolicySet
from guard.policy.compiled import Distil
from tests.distil.conftest import FORGET, PLAIN, RETAIN
from tests.distil.test_run import _same, _tensors

BUDGET = Distil(retain_budget=100.0)
REQUESTS = PolicySet(
    (
        Policy("first", pairs=FORGET[:1], retain_pairs=RETAIN, distil=BUDGET),
        Policy("second", pairs=FORGET[1:], distil=BUDGET),
    )
)


def _recipe(**changes: Any) -> Any:
    train = {**PLAIN, "batch_size": 2, "lr": 1e-2, "epochs": 3}
    content = {"forget": "gradient_ascent", "procedure": "continual", "train": train}
    return read_recipe({**content, **changes})


@contextmanager
def cut_off_at(last: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The run inside the block is interrupted in this step, counted over all requests."""
    step, done = AxisStepper.step, 0

    def interrupted(self: AxisStepper, micros: Any) -> dict[str, float]:
        nonlocal done
        done += 1
        if done == last:
            raise KeyboardInterrupt
        return step(self, micros)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(AxisStepper, "step", interrupted)
        yield


def test_each_request_records_what_it_costs_and_undoes(random_llama: Path, tmp_path: Path) -> None:
    card = distil(REQUESTS, _recipe(), Options(random_llama, tmp_path / "out"))
    first, second = card["outcome"]["requests"]
    assert [first["request"], second["request"]] == ["first", "second"]
    assert list(first["forgotten"]) == ["first"]
    assert list(second["forgotten"]) == ["first", "second"]
    assert first["worst_retained"] >= first["retained"] - 1e-4
    assert card["outcome"]["steps"] == first["steps"] + second["steps"] == 6


def test_the_order_can_be_given(random_llama: Path, tmp_path: Path) -> None:
    recipe = _recipe(procedure={"method": "continual", "order": ["second", "first"]})
    card = distil(REQUESTS, recipe, Options(random_llama, tmp_path / "out"))
    assert [r["request"] for r in card["outcome"]["requests"]] == ["second", "first"]
    recipe = _recipe(procedure={"method": "continual", "order": ["third"]})
    with pytest.raises(DistilError, match="third is not among first, second"):
        distil(REQUESTS, recipe, Options(random_llama, tmp_path / "other"))


def test_a_sequence_that_was_cut_off_goes_on(
    random_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distil(REQUESTS, _recipe(), Options(random_llama, tmp_path / "whole"))
    cut = Options(random_llama, tmp_path / "cut")
    with cut_off_at(6, monkeypatch):  # in the second request
        distil(REQUESTS, _recipe(), cut)
    step, again = AxisStepper.step, 0

    def counted(self: AxisStepper, micros: Any) -> dict[str, float]:
        nonlocal again
        again += 1
        return step(self, micros)

    monkeypatch.setattr(AxisStepper, "step", counted)
    card = distil(REQUESTS, _recipe(), cut)
    assert again == 1
    assert len(card["outcome"]["requests"]) == 2
    assert _same(_tensors(tmp_path / "whole", "adapter_model"), _tensors(cut.out, "adapter_model"))


@pytest.mark.parametrize(
    "changes",
    [
        {"forget": "idk", "parameters": {"method": "lora", "dropout": 0.3}},
        {"combine": "gu"},
        {"combine": {"method": "primal_dual", "start": 1.0, "warmup": 0.0, "bound": 0.5}},
    ],
    ids=["drawn refusals and dropout", "remembered gradients", "price"],
)
def test_a_request_that_was_cut_off_at_once_goes_on_with_what_was_remembered(
    random_llama: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:
    distil(REQUESTS, _recipe(**changes), Options(random_llama, tmp_path / "whole"))
    cut = Options(random_llama, tmp_path / "cut")
    with cut_off_at(4, monkeypatch):  # the first of the second request
        distil(REQUESTS, _recipe(**changes), cut)
    distil(REQUESTS, _recipe(**changes), cut)
    assert _same(_tensors(tmp_path / "whole", "adapter_model"), _tensors(cut.out, "adapter_model"))


def test_a_request_that_costs_too_much_leaves_those_before_it(
    random_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = PolicySet(REQUESTS.policies[:1])
    distil(alone, _recipe(), Options(random_llama, tmp_path / "alone"))
    allowed = Probe.allowed.fget
    assert allowed is not None
    looks = 0

    def dwindling(self: Probe) -> float:
        nonlocal looks
        looks += 1
        return allowed(self) if looks <= 3 else 0.0  # the first request has three steps

    monkeypatch.setattr(Probe, "allowed", property(dwindling))
    card = distil(REQUESTS, _recipe(), Options(random_llama, tmp_path / "out"))
    assert card["outcome"]["stopped"] == "retain budget spent at request 2"
    assert [r["request"] for r in card["outcome"]["requests"]] == ["first"]
    assert _same(
        _tensors(tmp_path / "alone", "adapter_model"),
        _tensors(tmp_path / "out", "adapter_model"),
    )
