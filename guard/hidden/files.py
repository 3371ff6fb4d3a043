"""Where classifiers of hidden states are kept: one file a policy, named by its content."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from classifiers.prompt_classifier import SUFFIX, PromptClassifier, load
from guard.errors import DetectorError
from guard.policy import Policy


def file_of(folder: Path, policy: Policy) -> Path:
    """Where the classifier of a policy's content is kept: another content has another."""
    return folder / f"{policy.hash[:16]}{SUFFIX}"


def kept(folder: Path, policies: Iterable[Policy], model: str) -> dict[str, PromptClassifier]:
    """The classifiers in a folder by the name of their policy, those that are there.

    Raises DetectorError for a file that is none, or that was made for another model or policy.
    """
    found: dict[str, PromptClassifier] = {}
    for policy in policies:
        path = file_of(folder, policy)
        if not path.exists():
            continue
        try:
            one = load(path)
        except (ValueError, OSError) as error:
            raise DetectorError(f"{type(error).__name__}: {error}") from error
        if one.policy != policy.hash:
            raise DetectorError(f"{path} was trained for another policy than {policy.name!r}")
        if one.model != model:
            raise DetectorError(
                f"{path} was trained on {one.model}, not on {model}: run `guard detector hidden`"
            )
        found[policy.name] = one
    return found
