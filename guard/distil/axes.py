"""The base class of each axis: the one method that a choice on it must have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from guard.distil.part import Axis, Part
from guard.distil.rows import Row

if TYPE_CHECKING:
    from torch import Tensor

    from guard.distil.encoding import Batch
    from guard.distil.job import Job

C = TypeVar("C")
T = TypeVar("T")


class Objective(Part[C], ABC):
    """A loss an example: of what is to go (forget axis), or of what is to stay (retain axis)."""

    @abstractmethod
    def terms(self, job: Job, batch: Batch) -> Tensor:
        """Losses to be minimised, shape [rows], differentiable, in float32 or better.

        A term may be the mean over the row's answer tokens or their sum, as the paper has it; the
        stepper multiplies by the rows' weights and takes the mean over rows.
        """

    #: True on a retain objective that wants general rows, not the policies' own.
    on_general: ClassVar[bool] = False


@dataclass(slots=True)
class Losses:
    """The scalars of one micro-batch. `retain` is None where nothing is retained."""

    forget: Tensor
    retain: Tensor | None
    penalties: dict[str, Tensor]


class Combiner(Part[C], ABC):
    """How the two losses become one update. It owns the backward passes."""

    @abstractmethod
    def backward(self, job: Job, losses: Losses, share: float) -> None:
        """Back-propagate one micro-batch; `share` is 1 / (micro-batches of this step).

        What is not in `.grad` afterwards is kept by the combiner until `after_backward`.
        """


@dataclass(frozen=True, slots=True)
class Micro:
    """The rows of one forward pass; `weights` are the forget rows', 1.0 each when empty."""

    forget: tuple[Row, ...]
    retain: tuple[Row, ...] = ()
    weights: tuple[float, ...] = ()

    def share(self, rank: int, of: int) -> Micro:
        """What one of several processes takes; nobody goes without a row."""
        if of == 1:
            return self

        def part(items: tuple[T, ...]) -> tuple[T, ...]:
            return (items[rank::of] or items[:1]) if items else ()

        return Micro(part(self.forget), part(self.retain), part(self.weights))


class Sampler(Part[C], ABC):
    """Which rows meet in a step, and with what weight."""

    @abstractmethod
    def epoch(self, job: Job, number: int) -> Iterator[Sequence[Micro]]:
        """The steps of one pass, each a sequence of `train.accumulation` micro-batches.

        Must depend on nothing but the job's data and seed, `number` and what `prepare` computed,
        so that a resumed run goes on with the same rows.
        """


class Parameters(Part[C], ABC):
    """Which weights move, and in what form they come out."""

    #: "adapter" or "weights": what `save` writes.
    form: ClassVar[str] = "adapter"

    @abstractmethod
    def attach(self, job: Job) -> Any:
        """The model to train, from the untouched `job.model`: wrapped, frozen where it stays."""

    @abstractmethod
    def reference(self, job: Job) -> AbstractContextManager[Any]:
        """A block with the start model, in evaluation mode; gradients are off."""

    @abstractmethod
    def save(self, job: Job, folder: Path) -> None:
        """Write what was trained, for the untouched base, in a form that vLLM serves."""


class Procedure(Part[C], ABC):
    """A method that is not a choice of losses: it owns the whole run."""

    #: The axes that it reads; a recipe that sets another one is refused.
    uses: ClassVar[frozenset[Axis]] = frozenset(Axis)
    #: What `save` writes where it isn't the parameters axis that does: "runtime".
    form: ClassVar[str | None] = None

    @abstractmethod
    def run(self, job: Job) -> None:
        """Change `job.model`. `guard.distil.trainer.Trainer` runs any stepper for it."""

    def save(self, job: Job, folder: Path) -> None:
        """Write the result; by default what the parameters axis writes."""
        job.parts.parameters.save(job, folder)
