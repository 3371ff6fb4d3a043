"""A guardrail inside the model: features of what must go are turned down where they fire a lot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from guard.distil.blocks import blocks, changed_output
from guard.distil.errors import DistilError
from guard.distil.sae import SAE, load_sae, save_sae

SETTINGS = "guardrail.json"
WEIGHTS = "sae.safetensors"


@dataclass(frozen=True, slots=True)
class Guardrail:
    """`layer` counts from 1; rows are treated whose share of firing tokens is above `tau`."""

    sae: SAE
    layer: int
    features: tuple[int, ...]
    tau: float
    clamp: float


def firing(latents: Tensor, features: Tensor, mask: Tensor) -> Tensor:
    """Which tokens any of the features fires on, [rows, width]; latents [rows, width, all]."""
    return (latents[..., features] > 0).any(-1) & mask


def counted(mask: Tensor) -> Tensor:
    """Real tokens but the first of each row, which fires on anything; [rows, width]."""
    return mask.bool() & (mask.cumsum(1) > 1)


class _Turned:
    """The hook of one sequence of passes: the prompt first, then token by token."""

    def __init__(self, rail: Guardrail, mask: Tensor) -> None:
        self._rail = rail
        self._mask: Tensor | None = counted(mask)
        self._features = torch.tensor(rail.features, device=mask.device)
        self._fired = torch.zeros(len(mask), device=mask.device)
        self._seen = torch.zeros(len(mask), device=mask.device)

    def __call__(self, states: Tensor) -> Tensor:
        rail = self._rail
        first, self._mask = self._mask, None
        mask = torch.ones_like(states[..., 0], dtype=torch.bool) if first is None else first
        latents = rail.sae.encode(states.float())
        self._fired += firing(latents, self._features, mask).sum(1)
        self._seen += mask.sum(1)
        flagged = self._fired / self._seen.clamp(min=1) > rail.tau
        chosen = latents[..., self._features]
        turned = torch.where(
            (chosen > 0) & mask.unsqueeze(-1) & flagged[:, None, None],
            torch.full_like(chosen, -rail.clamp),
            chosen,
        )
        # Decoding is linear: what the autoencoder fails to explain stays as it is.
        change = (turned - chosen) @ rail.sae.decoder.to(chosen)[self._features]
        return states + change.to(states)


class Guarded:
    """The model with its guardrail: `model(**inputs).logits` and `model.generate(...)`."""

    def __init__(self, base: Any, rail: Guardrail) -> None:
        self.base = base
        self.rail = rail
        self.config = base.config
        self.generation_config = base.generation_config
        self.training = False

    def __call__(self, **inputs: Tensor) -> Any:
        """One pass over whole rows; needs `attention_mask`."""
        with self._watched(inputs["attention_mask"]):
            return self.base(**inputs)

    def generate(self, *, input_ids: Tensor, attention_mask: Tensor, **options: Any) -> Tensor:
        """As transformers' own; greedy and sampled, no beams."""
        with self._watched(attention_mask):
            out: Tensor = self.base.generate(
                input_ids=input_ids, attention_mask=attention_mask, **options
            )
        return out

    def parameters(self) -> Any:
        """The base's; they tell the device."""
        return self.base.parameters()

    def eval(self) -> Guarded:
        """In evaluation mode."""
        self.base.eval()
        return self

    def train(self, mode: bool = True) -> Guarded:
        """Nothing here is trained; `mode` must be False. Raises `RuntimeError` otherwise."""
        if mode:
            raise RuntimeError("a guarded model is for decoding")
        return self.eval()

    @contextmanager
    def _watched(self, mask: Tensor) -> Iterator[None]:
        block = blocks(self.base)[self.rail.layer - 1]
        with changed_output(block, _Turned(self.rail, mask)):
            yield


def save_guardrail(rail: Guardrail, folder: Path) -> None:
    """The autoencoder and the settings."""
    save_sae(rail.sae, folder / WEIGHTS)
    settings = {
        "layer": rail.layer,
        "features": list(rail.features),
        "tau": rail.tau,
        "clamp": rail.clamp,
    }
    (folder / SETTINGS).write_text(json.dumps(settings), "utf-8")


def load_guarded(base: Any, folder: Path) -> Guarded:
    """The base with the guardrail of `guard distil`'s result. Raises `DistilError`."""
    try:
        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        rail = Guardrail(
            load_sae(folder / WEIGHTS, base.get_input_embeddings().weight.shape[1]),
            int(settings["layer"]),
            tuple(int(feature) for feature in settings["features"]),
            float(settings["tau"]),
            float(settings["clamp"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DistilError(f"{folder} holds no guardrail: {error}") from error
    return Guarded(base, rail)
