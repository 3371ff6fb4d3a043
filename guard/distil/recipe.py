"""A recipe: a named choice on every axis, readable as YAML, overridable a key at a time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from guard.distil.axes import Parameters, Procedure
from guard.distil.errors import DistilError
from guard.distil.part import Axis, Claim, Part
from guard.distil.registry import as_values, build, config

RECIPES = Path(__file__).parent / "recipes"

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]

# Whose claim is the recipe's: the first of these that has one.
_CLAIMING = (Axis.PROCEDURE, Axis.FORGET)
ADAPTER_LR = 1e-4

_DEFAULTS = {
    Axis.RETAIN: "cross_entropy",
    Axis.COMBINE: "weighted_sum",
    Axis.SAMPLE: "one_to_one",
    Axis.PARAMETERS: "lora",
    Axis.PROCEDURE: "train",
}


@dataclass(frozen=True, slots=True)
class DataConfig:
    """How the policies become rows."""

    wordings: Annotated[int, Field(ge=1, le=8)] = 1  # of each forget prompt, the original included
    general: Literal["shipped", "model", "none"] = "shipped"  # "model": its own answers
    held_out: Annotated[float, Field(ge=0, le=0.9)] = 0.2  # of kept rows: looked at, never trained
    answer_tokens: Count = 64  # of answers that the start model gives for want of others


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """The optimiser and the loop. Rows are forget rows; a retain row goes with each.

    `scale_lr` is off where `train.lr` itself is overridden: that rate is taken as it is.
    """

    lr: Positive = 1e-5  # of all weights; 1e-4 where none is given and an adapter is trained
    scale_lr: bool = True  # lr is for the papers' widths; narrower models take larger steps
    epochs: Count = 10
    least_steps: Annotated[int, Field(ge=0)] = 120  # few rows: as many epochs as give these steps
    max_steps: Annotated[int, Field(ge=0)] = 0  # optimiser steps; 0: as many as the epochs have
    batch_size: Count = 8
    accumulation: Count = 1
    optimiser: Literal["adamw", "sgd"] = "adamw"
    betas: tuple[Share, Share] = (0.9, 0.999)
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup: Share = 0.1
    schedule: Literal["linear", "constant", "cosine"] = "linear"
    clip: Annotated[float, Field(ge=0)] = 1.0  # norm of the whole gradient; 0: not clipped
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # auto: bf16 where the device has it
    gradient_checkpointing: bool = False
    max_length: Annotated[int, Field(ge=8)] = 512  # tokens of a row
    prompt_format: str = "chat"
    check_every: Count = 10  # steps between looks at what is retained, and checkpoints
    probe_rows: Count = 64  # retain rows that are looked at
    retain_budget: Annotated[float, Field(ge=0)] | None = None  # None: the policies' strictest
    budget_floor: Positive = 1.0  # nats a token: below it, the share is taken of this
    patience: Count = 5  # looks in a row past the budget that end the run
    # Ends the run once no more is said of what goes than of invented people, and so much recall
    # above it; None: it goes on to its last step.
    until_forgotten: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every choice with its configuration, as plain values with all defaults written out."""

    name: str
    description: str
    axes: dict[str, dict[str, Any]]
    train: TrainConfig = TrainConfig()
    data: DataConfig = DataConfig()
    claim: Claim = Claim.BEHAVIOUR
    sources: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """What `read_recipe` reads, and what the model card keeps."""
        return {
            "name": self.name,
            "description": self.description,
            **self.axes,
            "train": dataclasses.asdict(self.train),
            "data": dataclasses.asdict(self.data),
        }


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with guard, by name."""
    return {path.stem: path for path in sorted(RECIPES.glob("*.yaml"))}


def load_recipe(name_or_path: str, overrides: dict[str, Any] | None = None) -> Recipe:
    """A shipped recipe by name, or one from a YAML file, with `{"forget.beta": 0.2}` over it.

    Raises `DistilError` for an unknown name, key, method or value.
    """
    shipped = shipped_recipes()
    path = shipped.get(name_or_path, Path(name_or_path))
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        raise DistilError(f"there is no recipe {name_or_path!r}; there are: {', '.join(shipped)}")
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise DistilError(f"{path}: cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise DistilError(f"{path}: must be a mapping")
    return read_recipe({"name": path.stem, **content}, overrides or {})


def read_recipe(content: dict[str, Any], overrides: dict[str, Any] | None = None) -> Recipe:
    """A recipe from its mapping. Raises `DistilError`."""
    content = {key: _copied(value) for key, value in content.items()}
    for dotted, value in (overrides or {}).items():
        _override(content, dotted, value)
    name, description = content.pop("name", "unnamed"), content.pop("description", "")
    trained = _mapping(content.pop("train", {}), "train")
    train = config(TrainConfig, trained, "train")
    data = config(DataConfig, _mapping(content.pop("data", {}), "data"), "data")
    given = {axis: content.pop(str(axis)) for axis in Axis if str(axis) in content}
    if content:
        keys = ["name", "description", *Axis, "train", "data"]
        raise DistilError(f"{next(iter(content))}: unknown key; there are: {', '.join(keys)}")
    parts = _parts(given)
    if "lr" not in trained and _form(parts) == "adapter":
        train = dataclasses.replace(train, lr=ADAPTER_LR)
    if "train.lr" in (overrides or {}) and "scale_lr" not in trained:
        train = dataclasses.replace(train, scale_lr=False)
    claim = next(
        (part.about.claim for axis in _CLAIMING if (part := parts.get(axis)) and part.about.claim),
        Claim.BEHAVIOUR,
    )
    return Recipe(
        name=str(name),
        description=str(description),
        axes={str(axis): as_values(part) for axis, part in parts.items()},
        train=train,
        data=data,
        claim=claim,
        sources=tuple(dict.fromkeys(p.about.source for p in parts.values() if p.about.source)),
    )


def _parts(given: dict[Axis, Any]) -> dict[Axis, Part[Any]]:
    """A part for every axis that the procedure uses. Raises `DistilError`."""

    def built(axis: Axis) -> Part[Any]:
        if axis not in given and axis not in _DEFAULTS:
            raise DistilError(f"a recipe needs `{axis}`, or a `procedure` that does without")
        value = given.get(axis, _DEFAULTS.get(axis))
        return build(axis, {"method": value} if isinstance(value, str) else _mapping(value, axis))

    procedure = built(Axis.PROCEDURE)
    assert isinstance(procedure, Procedure)
    for axis in given:
        if axis is not Axis.PROCEDURE and axis not in procedure.uses:
            raise DistilError(f"{axis}: the procedure {procedure.about.name} has no use for it")
    return {axis: built(axis) for axis in Axis if axis in procedure.uses} | {
        Axis.PROCEDURE: procedure
    }


def _form(parts: dict[Axis, Part[Any]]) -> str:
    """Whether all weights are trained or an adapter; procedures without the axis train all."""
    chosen = parts.get(Axis.PARAMETERS)
    return chosen.form if isinstance(chosen, Parameters) else "weights"


def _override(content: dict[str, Any], dotted: str, value: Any) -> None:
    place, _, key = dotted.partition(".")
    known = [*map(str, Axis), "train", "data"]
    if place not in known:
        raise DistilError(f"{dotted}: unknown key; it begins with one of: {', '.join(known)}")
    if not key:  # `forget=npo`
        content[place] = value if isinstance(value, dict) else {"method": value}
        return
    section = content.get(place) or {}
    if isinstance(section, str):
        section = {"method": section}
    if place in _DEFAULTS and "method" not in section:
        section = {"method": _DEFAULTS[Axis(place)], **section}
    if key == "method" and section.get("method") != value:
        section = {}  # the settings of another method mean nothing to this one
    content[place] = {**section, key: value}


def _mapping(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DistilError(f"{place}: must be a mapping")
    return dict(value)


def _copied(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value
