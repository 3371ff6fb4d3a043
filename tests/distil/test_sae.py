"""The sparse autoencoder: what it gives back, how sparse it is, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from guard.distil.errors import DistilError
from guard.distil.sae import explained, load_sae, save_sae, train_sae


@pytest.fixture(scope="module")
def states() -> torch.Tensor:
    """Tokens that are sums of two of eight directions."""
    draw = torch.Generator().manual_seed(0)
    directions = torch.randn(8, 16, generator=draw)
    codes = torch.zeros(400, 8).scatter_(1, torch.randint(8, (400, 2), generator=draw), 1.0)
    return codes @ directions


def test_training_explains_the_states_with_few_latents(states: torch.Tensor) -> None:
    sae = train_sae(states, 32, 4, steps=300, lr=1e-2)
    assert explained(sae, states) > 0.8
    assert int((sae.encode(states) > 0).sum(-1).max()) <= 4
    assert explained(train_sae(states, 32, 4, steps=1), states) < explained(sae, states)


def test_written_and_read_is_the_same(states: torch.Tensor, tmp_path: Path) -> None:
    sae = train_sae(states, 8, 2, steps=2)
    save_sae(sae, tmp_path / "sae.safetensors")
    read = load_sae(tmp_path / "sae.safetensors", 16)
    assert read.k == 2
    for name in ("encoder", "encoder_bias", "decoder", "decoder_bias"):
        assert torch.equal(getattr(read, name), getattr(sae, name)), name


def test_files_that_do_not_fit_are_named(states: torch.Tensor, tmp_path: Path) -> None:
    path = tmp_path / "sae.safetensors"
    save_sae(train_sae(states, 8, 2, steps=1), path)
    with pytest.raises(DistilError, match="states of 16, not 32"):
        load_sae(path, 32)
    path.write_bytes(b"not one")
    with pytest.raises(DistilError, match="no sparse autoencoder"):
        load_sae(path, 16)
    with pytest.raises(DistilError, match="no sparse autoencoder"):
        load_sae(tmp_path / "nowhere", 16)
