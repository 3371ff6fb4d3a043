"""What making a guard model depends on, with the paper's figures as defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from guard.distil.errors import DistilError
from guard.distil.registry import config

FULL_LR = 2e-5
# An adapter begins at nothing and is small beside the weights: it takes ten times the step.
ADAPTER_LR = 10 * FULL_LR
LEAST_PEOPLE, MOST_PEOPLE = 8, 1000  # beyond, little of them is new

Count = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class DataSettings:
    """How many rows. Sizes are DRAGON's (arXiv 2511.05784, section 4): 800 questions on invented
    people, 200 that are stored prompts in other words. `people` are invented for each half."""

    synthetic: NotNegative = 800
    reworded: NotNegative = 200
    held_out: Count = 64
    people: Annotated[int, Field(ge=LEAST_PEOPLE, le=MOST_PEOPLE)] = 300
    seed: NotNegative = 0


@dataclass(frozen=True, slots=True)
class SftSettings:
    """How the weights move. DRAGON's, from its appendix and its released script: 3 epochs (the
    checkpoint it serves has 5), 64 rows a step, weight decay 0.01, 2,048 tokens.

    `lr`: None for 2e-5, the paper's, where all weights are trained, and 2e-4 for an adapter.
    `at_once`: rows in memory, of the `batch` of a step. `check_every`: steps between checkpoints.
    """

    lr: Positive | None = None
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    epochs: Count = 3
    max_steps: NotNegative = 0  # 0: as many as the epochs have
    batch: Count = 64
    at_once: Count = 4
    max_length: Annotated[int, Field(ge=64)] = 2048
    full: bool = False
    rank: Count = 16
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    gradient_checkpointing: bool = False
    check_every: Count = 10
    looked_at: Count = 16  # held-out rows whose loss is taken at each look
    answer_tokens: Annotated[int, Field(ge=16)] = 200  # of one instruction: what the server asks

    @property
    def rate(self) -> float:
        """The learning rate that is used."""
        if self.lr is not None:
            return self.lr
        return FULL_LR if self.full else ADAPTER_LR


def read_settings(values: dict[str, Any]) -> tuple[DataSettings, SftSettings]:
    """Settings from `{"data.synthetic": 200, "train.lr": 1e-5}` over the defaults. Raises
    `DistilError` for unknown keys and values of the wrong type or out of bounds."""
    parts: dict[str, dict[str, Any]] = {"data": {}, "train": {}}
    for dotted, value in values.items():
        place, _, key = dotted.partition(".")
        if place not in parts or not key:
            raise DistilError(f"{dotted}: unknown key; it begins with data. or train.")
        parts[place][key] = value
    data: DataSettings = config(DataSettings, parts["data"], "data")
    sft: SftSettings = config(SftSettings, parts["train"], "train")
    return data, sft
