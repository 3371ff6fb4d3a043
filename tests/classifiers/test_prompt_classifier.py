"""A classifier learns, keeps its false alarms, and comes back from its file as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifiers.prompt_classifier import PromptClassifier, load
from classifiers.training.prompt_classifier import Labelled, PromptClassifierConfig, trained

DRAW = np.random.default_rng(3)
CENTRE = DRAW.standard_normal(16).astype(np.float32)
SHORT = PromptClassifierConfig(epochs=20)


def _rows(count: int, share: float) -> Labelled:
    wanted = np.arange(count) < share * count
    rows = DRAW.standard_normal((count, 16)).astype(np.float32) + wanted[:, None] * CENTRE
    return Labelled(rows.astype(np.float32), wanted)


def _made(seed: int = 0, target: float = 0.01) -> PromptClassifier:
    return trained(
        _rows(800, 0.1), _rows(2000, 0.0).rows, policy="p", model="m", corpora={"train": "t"},
        target=target, seed=seed, config=SHORT,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made() -> PromptClassifier:
    return _made()


def test_it_finds_what_it_was_shown_and_cries_wolf_no_more_than_allowed(
    made: PromptClassifier,
) -> None:
    fresh = _rows(2000, 0.5)
    fired = made.odds(fresh.rows) >= made.threshold
    assert fired[fresh.wanted].mean() > 0.8
    assert fired[~fresh.wanted].mean() < 0.03
    assert made.threshold >= 0.0 and made.high < 0.02


def test_a_lower_target_asks_for_more(made: PromptClassifier) -> None:
    assert _made(target=0.0).threshold >= made.threshold


def test_the_arithmetic_is_that_of_torch(made: PromptClassifier) -> None:
    import torch

    x = torch.tensor(_rows(50, 0.5).rows)
    seen = (x - torch.tensor(made.mean)) / torch.tensor(made.spread)
    for place, (weight, bias) in enumerate(made.layers):
        seen = torch.nn.functional.linear(seen, torch.tensor(weight), torch.tensor(bias))
        seen = torch.relu(seen) if place < 2 else seen
    wanted = torch.softmax(seen, 1)[:, 1].numpy()
    assert np.abs(made.probabilities(x.numpy()) - wanted).max() < 1e-5
    assert [weight.shape for weight, _ in made.layers] == [(256, 16), (256, 256), (2, 256)]


def test_the_same_seed_trains_the_same(tmp_path: Path) -> None:
    rows, others = _rows(200, 0.2), _rows(100, 0.0).rows
    files = []
    for name in ("a", "b"):
        one = trained(
            rows, others, policy="p", model="m", corpora={}, target=0.0, seed=4, config=SHORT
        )
        one.save(tmp_path / name)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]


def test_saved_and_loaded(made: PromptClassifier, tmp_path: Path) -> None:
    made.save(tmp_path / "one.safetensors")
    again = load(tmp_path / "one.safetensors")
    rows = _rows(20, 0.5).rows
    assert (again.probabilities(rows) == made.probabilities(rows)).all()
    assert replace(again, mean=made.mean, spread=made.spread, layers=made.layers) == made


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 64, json.dumps({"a": 1}).encode()])
def test_what_is_no_classifier_says_so(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.safetensors is no prompt classifier"):
        load(tmp_path / "bad.safetensors")


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_rows_of_one_kind_train_nothing(share: float) -> None:
    with pytest.raises(ValueError, match="needs prompts"):
        trained(
            _rows(20, share), _rows(20, 0.0).rows, policy="p", model="m", corpora={}, target=0.0
        )
