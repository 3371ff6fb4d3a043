"""A policy file to a validated `PolicyFile`, with the file, line and key of every problem."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from guard.errors import PolicyError, Problem
from guard.policy.model import FILE_TAG, INLINE_TAG, PolicyFile
from guard.policy.yaml_tree import Location, Tree, dotted, read_tree

M = TypeVar("M", bound=BaseModel)

# What the models' patterns and pydantic's error types mean to an operator; none quotes a value.
_FORMS = {
    r"^[a-z0-9][a-z0-9._-]{0,63}$": (
        "must be lower-case letters, digits, '.', '_' and '-', 64 at most"
    ),
    "^https?://": "must begin with http:// or https://",
    "^[0-9a-f]{64}$": "must be 64 hexadecimal digits",
}
# Pydantic's error types in an operator's words. None of them quotes the value.
_WORDS = {
    "missing": "this key is required",
    "string_type": "must be text; put it in quotes",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "date_type": "must be a date such as 2027-06-30, without quotes",
    "tuple_type": "must be a list",
    "string_too_short": "must not be empty",
    "too_short": "must hold at least one item",
}


@dataclass(frozen=True, slots=True)
class Source:
    """One policy file: its validated content and where each key of it stands."""

    path: Path
    content: PolicyFile
    tree: Tree

    def problem(self, location: Location, message: str, level: str = "error") -> Problem:
        """A problem at a key of this file."""
        return Problem(str(self.path), self.tree.line(location), dotted(location), message, level)


def read_source(path: Path) -> Source:
    """Reads and validates one policy file; data files are not opened.

    Raises PolicyError with every problem of the file.
    """
    tree = read_tree(path)
    return Source(path, validated(tree, PolicyFile), tree)


def validated(tree: Tree, model: type[M]) -> M:
    """The content of a YAML file as `model`.

    Raises PolicyError with every problem: those of the YAML, unknown keys with the allowed ones.
    """
    try:
        content = model.model_validate(tree.root)
    except ValidationError as error:
        found = [_problem(tree, model, details) for details in error.errors(include_url=False)]
        # A value the tree refused is None in the root: validation would report it again.
        refused = {(problem.line, problem.key) for problem in tree.problems}
        found = [problem for problem in found if (problem.line, problem.key) not in refused]
        raise PolicyError(in_order([*tree.problems, *found])) from None
    if tree.problems:
        raise PolicyError(in_order(tree.problems))
    return content


def in_order(problems: list[Problem]) -> list[Problem]:
    """Sorted as one reads: by file, then line, then key; each once."""
    unique = dict.fromkeys(problems)
    return sorted(unique, key=lambda problem: (problem.file, problem.line, problem.key))


def _problem(tree: Tree, root: type[BaseModel], details: ErrorDetails) -> Problem:
    location = tuple(part for part in details["loc"] if part not in (INLINE_TAG, FILE_TAG))
    message = _message(root, details, location)
    return Problem(tree.file, tree.line(location), dotted(location), message)


def _message(root: type[BaseModel], details: ErrorDetails, location: Location) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(root, location)
    if kind == "model_type":
        return f"must be a mapping with the keys {_listed(_keys(_model_at(root, location)))}"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind == "string_pattern_mismatch":
        return _FORMS.get(context["pattern"], f"must have the form {context['pattern']}")
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        return details["msg"].replace("Input should be", "must be")
    return _WORDS.get(kind, details["msg"])


def _unknown_key(root: type[BaseModel], location: Location) -> str:
    allowed = _keys(_model_at(root, location[:-1]))
    near = get_close_matches(str(location[-1]).lower(), allowed, n=1, cutoff=0.7)
    hint = f", did you mean {near[0]}?" if near else ";"
    return f"unknown key{hint} allowed here: {_listed(allowed)}"


def _listed(keys: list[str]) -> str:
    return ", ".join(keys)


def _keys(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _model_at(root: type[BaseModel], location: Location) -> type[BaseModel]:
    """The model that describes the mapping at a location."""
    model = root
    for part in location:
        if isinstance(part, str):
            by_key = {info.alias or name: info for name, info in model.model_fields.items()}
            # No field of the format has two mapping forms, so the first model is the only one.
            model = next(_models(by_key[part].annotation))
    return model


def _models(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
