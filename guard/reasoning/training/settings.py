"""What making a guard model depends on, with the paper's figures as defaults."""

from __future__ import annotations

from dataclasses import dataclass

FULL_LR = 2e-5
# An adapter begins at nothing and is small beside the weights: it takes ten times the step.
ADAPTER_LR = 10 * FULL_LR


@dataclass(frozen=True, slots=True)
class DataSettings:
    """How many rows. Sizes are DRAGON's (arXiv 2511.05784, section 4): 800 questions on invented
    people, 200 that are stored prompts in other words. `people` are invented for each half."""

    synthetic: int = 800
    reworded: int = 200
    held_out: int = 64
    people: int = 300
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SftSettings:
    """How the weights move. DRAGON's, from its appendix and its released script: 3 epochs (the
    checkpoint it serves has 5), 64 rows a step, weight decay 0.01, 2,048 tokens.

    `lr`: None for 2e-5, the paper's, where all weights are trained, and 2e-4 for an adapter.
    `at_once`: rows in memory, of the `batch` of a step. `check_every`: steps between checkpoints.
    """

    lr: float | None = None
    weight_decay: float = 0.01
    epochs: int = 3
    max_steps: int = 0  # 0: as many as the epochs have
    batch: int = 64
    at_once: int = 4
    max_length: int = 2048
    full: bool = False
    rank: int = 16
    precision: str = "auto"
    gradient_checkpointing: bool = False
    check_every: int = 10
    looked_at: int = 16  # held-out rows whose loss is taken at each look
    answer_tokens: int = 200  # of an instruction that is judged: what `guard serve` asks for

    @property
    def rate(self) -> float:
        """The learning rate that is used."""
        if self.lr is not None:
            return self.lr
        return FULL_LR if self.full else ADAPTER_LR
