"""Low-rank adapters beside frozen weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from guard.distil.axes import Parameters
from guard.distil.job import Job
from guard.distil.part import Axis
from guard.distil.registry import register

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class LoRAConfig:
    """As peft's. `targets`: the linear layers of attention, of the MLP, or of both."""

    r: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[float, Field(gt=0)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: Literal["all", "attention", "mlp"] = "all"
    layers: tuple[int, ...] = ()  # only these; all when empty


@register(Axis.PARAMETERS, "lora", source="Hu et al. 2021, arXiv 2106.09685, eq. 3")
class LoRA(Parameters[LoRAConfig]):
    """W + (alpha / r) B A with B = 0 at the start; comes out as a PEFT adapter."""

    Config = LoRAConfig

    def attach(self, job: Job) -> Any:
        """The base model frozen, with adapters in it."""
        from peft import LoraConfig, get_peft_model

        names = {"all": [*ATTENTION, *MLP], "attention": [*ATTENTION], "mlp": [*MLP]}
        config = LoraConfig(
            r=self.config.r,
            lora_alpha=self.config.alpha,
            lora_dropout=self.config.dropout,
            target_modules=names[self.config.targets],
            layers_to_transform=list(self.config.layers) or None,
            task_type="CAUSAL_LM",
        )
        return get_peft_model(job.model, config)

    @contextmanager
    def reference(self, job: Job) -> Iterator[Any]:
        """The same model with its adapters switched off, which is the start model."""
        was_training = job.model.training
        job.model.eval()
        try:
            with job.model.disable_adapter():
                yield job.model
        finally:
            job.model.train(was_training)

    def save(self, job: Job, folder: Path) -> None:
        """The adapter alone, in PEFT's format."""
        job.model.save_pretrained(folder)
