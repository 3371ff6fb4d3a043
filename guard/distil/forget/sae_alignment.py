"""Known to unknown: in an autoencoder's latents, the subject moves to where strangers are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from guard.distil.axes import Objective
from guard.distil.encoding import IGNORED, Batch
from guard.distil.hidden import hidden_states, layer_of, reference_states, token_mask
from guard.distil.job import Job
from guard.distil.part import Axis, Claim, Need
from guard.distil.registry import register
from guard.distil.rows import Row, Side
from guard.distil.sae import SAE, load_sae, train_sae
from guard.distil.sampling import chunks

# Nobody and nothing: what the model says of these is what it says of the unknown.
_STRANGERS = (
    "Alma Wendt", "Ilya Morrow", "Odile Tarrant", "Castle Ferrow", "the Brenta Survey",
    "Perrin Askwith", "Tove Lindqvar", "the Marrowby Prize", "Ansel Quirke", "Port Havelin",
)  # fmt: skip
_QUESTIONS = ("Who or what is {name}?", "Tell me about {name}.", "What is {name} known for?")


@dataclass(frozen=True, slots=True)
class SAEAlignmentConfig:
    """`layer`: 1 is the first block, the middle by default; `path`: an autoencoder to load.

    Else one is trained with `expansion` x size latents, `k` of them on a token. `away`: the
    weight of leaving what is known.
    """

    layer: int | None = None
    path: str = ""
    expansion: Annotated[int, Field(ge=1)] = 4
    k: Annotated[int, Field(ge=1)] = 16
    steps: Annotated[int, Field(ge=1)] = 400
    away: Annotated[float, Field(ge=0)] = 0.5


def alignment(latents: Tensor, known: Tensor, unknown: Tensor, away: float) -> Tensor:
    """Squared distance to `unknown`, and `away` x what is left of the cosine with `known`, [rows].

    latents [rows, n], known and unknown [n]. The distance is in units of that between the two.
    """
    unit = (known - unknown).square().sum().clamp(min=1e-12)
    near = (latents - unknown).square().sum(-1) / unit
    cosine = torch.nn.functional.cosine_similarity(latents, known.expand_as(latents), dim=-1)
    return near + away * cosine.clamp(min=0)


@register(
    Axis.FORGET,
    "sae_alignment",
    source="arXiv 2509.15631, abstract",
    faithful="in its spirit: the losses could not be read; centres of invented and of known "
    "subjects in the latents of the prompt, pooled over its tokens",
    claim=Claim.REPRESENTATION,
    needs=[Need.PROMPTS, Need.RETAIN, Need.REFERENCE],
)
class SAEAlignment(Objective[SAEAlignmentConfig]):
    """Makes the subject's latents those of somebody that the model has never heard of."""

    Config = SAEAlignmentConfig

    @torch.no_grad()
    def prepare(self, job: Job) -> None:
        """Trains or loads the autoencoder, then finds the two centres on the start model."""
        self.layer = layer_of(job, self.config.layer, 0.5)
        strangers = tuple(_strangers())
        if self.config.path:
            size = job.model.config.get_text_config().hidden_size
            self.sae = load_sae(Path(self.config.path), size)
        else:
            rows = (*job.data.forget, *job.data.retain, *job.data.general, *strangers)
            states = torch.cat([s[m] for s, m in self._start(job, rows, prompts=False)])
            wide = self.config.expansion * states.shape[1]
            self.sae = train_sae(
                states, wide, self.config.k, steps=self.config.steps, seed=job.seed
            )
        self.known = self._centre(job, job.data.keep())
        self.unknown = self._centre(job, strangers)

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """How far each row's prompt is from unknown."""
        states = hidden_states(job, batch, self.layer)
        pooled = _pooled(self.sae, states, _prompt_mask(batch))
        return alignment(pooled, self.known.to(pooled), self.unknown.to(pooled), self.config.away)

    def state_dict(self) -> dict[str, Any]:
        """Autoencoder and centres."""
        sae = self.sae
        weights = [sae.encoder, sae.encoder_bias, sae.decoder, sae.decoder_bias]
        return {
            "weights": [weight.cpu() for weight in weights],
            "known": self.known.cpu(),
            "unknown": self.unknown.cpu(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse."""
        device = self.known.device
        self.sae = SAE(self.sae.k, *(weight.to(device) for weight in state["weights"]))
        self.known, self.unknown = state["known"].to(device), state["unknown"].to(device)

    def _start(
        self, job: Job, rows: tuple[Row, ...], *, prompts: bool
    ) -> list[tuple[Tensor, Tensor]]:
        """The start model's states with the mask of prompt tokens, or of all."""
        found = []
        for piece in chunks(rows, job.recipe.train.batch_size):
            batch = job.batch(piece)
            mask = _prompt_mask(batch) if prompts else token_mask(batch, "all")
            found.append((reference_states(job, batch, self.layer), mask))
        return found

    def _centre(self, job: Job, rows: tuple[Row, ...]) -> Tensor:
        pieces = [_pooled(self.sae, s, m) for s, m in self._start(job, rows, prompts=True)]
        return torch.cat(pieces).mean(0)


def _pooled(sae: SAE, states: Tensor, mask: Tensor) -> Tensor:
    """Mean latents over masked tokens, [rows, latents]."""
    latents = sae.encode(states) * mask.unsqueeze(-1)
    return latents.sum(1) / mask.sum(-1, keepdim=True).clamp(min=1)


def _prompt_mask(batch: Batch) -> Tensor:
    return (batch.labels == IGNORED) & batch.attention_mask.bool()


def _strangers() -> list[Row]:
    return [
        Row(Side.GENERAL, question.format(name=name), "I don't know.", "", "", f"stranger[{i}]")
        for i, name in enumerate(_STRANGERS)
        for question in _QUESTIONS
    ]
