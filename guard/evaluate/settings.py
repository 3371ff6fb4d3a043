"""The file that says what `guard compare` compares."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guard.errors import EvaluateError
from guard.evaluate.attacks import ATTACKS, WEIGHT_ATTACKS

WEIGHT_NAMES = tuple(attack.name for attack in WEIGHT_ATTACKS)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fictional(_Model):
    """The shipped corpus, of any size."""

    kind: Literal["fictional"]
    people: int = Field(default=14, ge=8, description="Invented people.")
    seed: int = Field(default=0, description="Another seed, another corpus.")


class Tofu(_Model):
    """TOFU's folder."""

    kind: Literal["tofu"]
    path: Path
    forget: Literal["forget01", "forget05", "forget10"] = "forget01"


class Blur(_Model):
    """BLUR's folder of paired queries."""

    kind: Literal["blur"]
    path: Path


class Shaped(_Model):
    """A file in the shape of another benchmark, or rows of one's own."""

    kind: Literal["rows", "muse", "rwku", "wmdp"]
    path: Path
    goal: Literal["forget", "retain"] = "forget"


class PolicyTests(_Model):
    """The `tests:` of policies."""

    kind: Literal["policies"]
    path: Path = Field(description="Directory of policies, or one file.")


SuiteEntry = Annotated[Fictional | Tofu | Blur | Shaped | PolicyTests, Field(discriminator="kind")]


class LocalArm(_Model):
    """A model of this process."""

    kind: Literal["local"]
    name: str
    model: Path = Field(description="Folder in the transformers layout.")
    adapter: Path | None = Field(default=None, description="PEFT folder on top of it.")
    what: str = ""


class EndpointArm(_Model):
    """An OpenAI-compatible server that runs already."""

    kind: Literal["endpoint"]
    name: str
    url: str
    model: str
    revision: str = Field(description="Names the state of what answers there; part of the cache.")
    weights: str = Field(description="The arm whose weights stand behind it; its own name if none.")
    what: str = ""
    connections: int = Field(default=4, ge=1, le=64)


class GuardArm(_Model):
    """`guard serve`, started for the run in front of a model server."""

    kind: Literal["guard"]
    name: str
    policies: Path
    upstream: str
    model: str
    revision: str = Field(description="Names the state of the model server's model.")
    weights: str
    shelf: Path | None = Field(default=None, description="Shared with the server's plugin.")
    config: Path | None = Field(default=None, description="Settings of `guard serve`.")
    what: str = ""
    connections: int = Field(default=4, ge=1, le=64)


class PromptArm(_Model):
    """The undefended arm with a system prompt that names the subjects."""

    kind: Literal["prompt"]
    name: str = "prompt only"


class ControlArm(_Model):
    """A control: `refuse` refuses everything, `oracle` what is to be forgotten."""

    kind: Literal["refuse", "oracle"]
    name: str = ""


ArmEntry = Annotated[
    LocalArm | EndpointArm | GuardArm | PromptArm | ControlArm, Field(discriminator="kind")
]


class CompareSettings(_Model):
    """All of it. Paths are relative to the file."""

    undefended: str = Field(description="The arm that nothing was done to.")
    retained: str | None = Field(
        default=None, description="An arm that never saw what is to be forgotten."
    )
    arms: tuple[ArmEntry, ...] = Field(min_length=1)
    suites: tuple[SuiteEntry, ...] = Field(min_length=1)
    attacks: tuple[str, ...] = tuple(ATTACKS)
    weight_attacks: tuple[str, ...] = WEIGHT_NAMES
    attack_rows: int | None = Field(default=None, ge=1, description="Rows a part under attacks.")
    max_tokens: int = Field(default=48, ge=1)
    meaning: bool = Field(
        default=True, description="Metrics by the sentence encoder; needs the `detect` extra."
    )
    seed: int = 0


def load_compare_settings(path: Path) -> CompareSettings:
    """The settings of a YAML file. Raises EvaluateError with every mistake."""
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
        found = CompareSettings.model_validate(content)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise EvaluateError(f"{path}: {error}") from error
    except ValidationError as error:
        told = (f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise EvaluateError("\n".join(told)) from None
    unknown = [name for name in found.attacks if name not in ATTACKS]
    unknown += [name for name in found.weight_attacks if name not in WEIGHT_NAMES]
    if unknown:
        known = ", ".join([*ATTACKS, *WEIGHT_NAMES])
        raise EvaluateError(f"{path}: unknown attacks {unknown}; known: {known}")
    return found
