"""One run's state: what every part is handed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from guard.distil.encoding import Batch, Encoder
from guard.distil.recipe import Recipe
from guard.distil.rows import Data, Row
from guard.policy import PolicySet

if TYPE_CHECKING:
    from accelerate import Accelerator

    from guard.distil.axes import Combiner, Objective, Parameters, Procedure, Sampler
    from guard.distil.part import Part
    from guard.distil.trainer import Report


@dataclass(frozen=True, slots=True)
class Parts:
    """The choices of a recipe, built. None where the procedure has no use for the axis.

    `retain` is None, too, where the recipe says `retain: none`.
    """

    forget: Objective[Any] | None
    retain: Objective[Any] | None
    combine: Combiner[Any] | None
    sample: Sampler[Any] | None
    parameters: Parameters[Any]
    procedure: Procedure[Any]

    def __iter__(self) -> Iterator[Part[Any]]:
        named = (self.parameters, self.sample, self.forget, self.retain, self.combine)
        yield from (part for part in (*named, self.procedure) if part is not None)


@dataclass(slots=True)
class Job:
    """A model on its way from start to end. Parts read it and change nothing but the model.

    `model` is the one that is trained, unwrapped; `judged` the one whose losses count, where that
    is another; `step` counts finished optimiser steps;
    `generator` is a CPU generator of the run's seed, kept in checkpoints: draw all randomness
    from it or from `seed`.
    """

    model: Any
    encoder: Encoder
    data: Data
    recipe: Recipe
    parts: Parts
    accelerator: Accelerator
    policies: PolicySet = field(default_factory=PolicySet)  # those that are baked in
    warnings: tuple[str, ...] = ()
    seed: int = 0
    step: int = 0
    total_steps: int = 0
    epoch_steps: int = 0  # of one pass over the rows; epochs may be more than `train.epochs`
    generator: torch.Generator = field(default_factory=torch.Generator)
    judged: Any = None
    wrapped: Any = None  # the model as accelerate wraps it; the model itself on one device
    optimiser: Any = None  # the stepper's own, for parts that read its metric
    folder: Path = Path()  # the run's working folder: checkpoints, then the result
    fingerprint: str = ""  # of everything that the result depends on
    retain_budget: float = 0.1
    probe_start: float | None = None  # retain loss of the start model, where it is known
    report: Callable[[Report], None] = lambda report: None
    history: list[dict[str, Any]] = field(default_factory=list)
    outcome: dict[str, Any] = field(default_factory=dict)  # what the model card says of the run

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return cast(torch.device, next(self.model.parameters()).device)

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """The parameters that move, by name."""
        return {n: p for n, p in self.model.named_parameters() if p.requires_grad}

    def batch(self, rows: Sequence[Row], weights: Sequence[float] = ()) -> Batch:
        """Rows with their own answers, on the model's device."""
        return self.encoder.batch(rows, weights).to(self.device)

    def batch_saying(self, rows: Sequence[Row], answers: Sequence[str]) -> Batch:
        """The rows' prompts with other answers (refusals, templates)."""
        said = [row.saying(a, "method") for row, a in zip(rows, answers, strict=True)]
        return self.batch(said)

    def logits(self, batch: Batch) -> Tensor:
        """[rows, width, vocabulary] of the trained model, with its graph."""
        return cast(Tensor, (self.wrapped or self.model)(**batch.inputs).logits)

    def outputs(self, batch: Batch, **options: Any) -> Any:
        """The trained model's whole output, e.g. with `output_hidden_states=True`."""
        return (self.wrapped or self.model)(**batch.inputs, **options)

    @contextmanager
    def reference(self) -> Iterator[Any]:
        """The start model, without gradients."""
        with torch.no_grad(), self.parts.parameters.reference(self) as model:
            yield model

    def reference_logits(self, batch: Batch) -> Tensor:
        """[rows, width, vocabulary] of the start model."""
        with self.reference() as model:
            return cast(Tensor, model(**batch.inputs).logits)

    def reference_outputs(self, batch: Batch, **options: Any) -> Any:
        """The start model's whole output."""
        with self.reference() as model:
            return model(**batch.inputs, **options)
