"""What every choice on every axis may do: the hooks, and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

    from guard.distil.job import Job

C = TypeVar("C")


class Axis(StrEnum):
    """The keys of a recipe that name a choice."""

    FORGET = "forget"
    RETAIN = "retain"
    COMBINE = "combine"
    SAMPLE = "sample"
    PARAMETERS = "parameters"
    PROCEDURE = "procedure"


class Claim(StrEnum):
    """What a method says that it changes, and is therefore tested on."""

    BEHAVIOUR = "behaviour"
    TAGGED = "behaviour under a tag"
    REPRESENTATION = "representation"
    RUNTIME = "runtime"


class Need(StrEnum):
    """What a choice cannot do without."""

    PROMPTS = "forget rows with a prompt"
    RETAIN = "retain rows"
    GENERAL = "general rows"
    REFERENCE = "the start model beside the trained one"


@dataclass(frozen=True, slots=True)
class NoConfig:
    """Of choices that leave nothing to choose."""


@dataclass(frozen=True, slots=True)
class About:
    """What `--list` prints of a choice. `faithful` says where the paper could not be read."""

    axis: Axis
    name: str
    summary: str
    source: str
    faithful: str
    claim: Claim | None = None
    needs: frozenset[Need] = field(default_factory=frozenset)


class Part(Generic[C]):
    """One choice on one axis. Everything here is optional for a part to override.

    The order of calls: `prepare` once, before the first step and before a checkpoint is loaded;
    then for every optimiser step the axis's own method, `penalties`, `after_backward`, the
    optimiser, `filter_delta`, `after_step`.
    """

    Config: ClassVar[type[Any]] = NoConfig
    about: ClassVar[About]

    #: True where `filter_delta` is overridden: the stepper then keeps the weights before a step.
    filters_delta: ClassVar[bool] = False

    def __init__(self, config: C) -> None:
        self.config = config

    def prepare(self, job: Job) -> None:
        """Build state from the start model and the data: bases, saliencies, probes."""

    def penalties(self, job: Job) -> dict[str, Tensor]:
        """Scalars added to the loss once an optimiser step, already weighted, by name."""
        return {}

    def after_backward(self, job: Job) -> None:
        """Change `.grad` of the trained parameters before the optimiser sees them."""

    def filter_delta(self, job: Job, delta: dict[str, Tensor]) -> None:
        """Change in place what the optimiser really did: new minus old weights by name."""

    def after_step(self, job: Job, measured: dict[str, float]) -> None:
        """See the step's losses (`forget`, `retain`, …): dual variables, re-fitting, schedules."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep of this part; values that `torch.save` takes."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`, called after `prepare`."""
