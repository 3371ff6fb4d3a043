"""A sparse autoencoder on one layer's states: trained here on the run's own rows, or loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from guard.distil.errors import DistilError

_NAMES = ("encoder", "encoder_bias", "decoder", "decoder_bias")


@dataclass(frozen=True, slots=True)
class SAE:
    """f = top-k of relu((x - b_dec) W_enc + b_enc), x ~ f W_dec + b_dec. Weights are constant."""

    k: int  # latents that fire on a token; 0 for no bound
    encoder: Tensor  # [size, latents]
    encoder_bias: Tensor  # [latents]
    decoder: Tensor  # [latents, size]
    decoder_bias: Tensor  # [size]

    def encode(self, states: Tensor) -> Tensor:
        """Latents [..., latents] of states [..., size], differentiable."""
        raw = (states - self.decoder_bias.to(states)) @ self.encoder.to(states)
        raw = (raw + self.encoder_bias.to(states)).clamp(min=0)
        if not self.k or self.k >= raw.shape[-1]:
            return raw
        least = raw.topk(self.k, dim=-1).values[..., -1:]
        return raw * (raw >= least)

    def decode(self, latents: Tensor) -> Tensor:
        """States [..., size]."""
        return latents @ self.decoder.to(latents) + self.decoder_bias.to(latents)


def train_sae(
    states: Tensor, latents: int, k: int, *, steps: int = 400, lr: float = 1e-3, seed: int = 0
) -> SAE:
    """Fits a top-k autoencoder to states [tokens, size] by squared error, in float32."""
    draw = torch.Generator().manual_seed(seed)
    states = states.detach().float()
    size = states.shape[1]
    start = torch.randn(latents, size, generator=draw)
    start = (start / start.norm(dim=1, keepdim=True)).to(states.device)
    weights = [
        nn.Parameter(start.T.clone()),
        nn.Parameter(states.new_zeros(latents)),
        nn.Parameter(start.clone()),
        nn.Parameter(states.mean(0)),
    ]
    optimiser = torch.optim.Adam(weights, lr=lr)
    scale = states.var(0).sum().clamp(min=1e-12)
    with torch.enable_grad():
        for _ in range(steps):
            picks = torch.randint(len(states), (min(256, len(states)),), generator=draw)
            batch = states[picks.to(states.device)]
            sae = SAE(k, *weights)
            loss = (sae.decode(sae.encode(batch)) - batch).square().sum(-1).mean() / scale
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return SAE(k, *(weight.detach() for weight in weights))


def explained(sae: SAE, states: Tensor) -> float:
    """Share of the states' variance that the autoencoder gives back; 1 is all of it."""
    left = (sae.decode(sae.encode(states)) - states).square().sum()
    return float(1 - left / (states - states.mean(0)).square().sum())


def save_sae(sae: SAE, path: Path) -> None:
    """Writes it as safetensors."""
    from safetensors.torch import save_file

    tensors = {name: getattr(sae, name).contiguous().cpu() for name in _NAMES}
    save_file(tensors, path, metadata={"k": str(sae.k)})


def load_sae(path: Path, size: int) -> SAE:
    """Reads one for states of `size`. Raises `DistilError` when it is none, or another size."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            tensors = [file.get_tensor(name) for name in _NAMES]
            k = int((file.metadata() or {}).get("k", "0"))
    except (OSError, SafetensorError, ValueError) as error:
        raise DistilError(f"{path}: no sparse autoencoder can be read: {error}") from error
    if tensors[0].shape[0] != size:
        raise DistilError(f"{path}: is for states of {tensors[0].shape[0]}, not {size}")
    return SAE(k, *tensors)
