"""A model of random weights and two policies, each with its classifier."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from classifiers.hidden_states import HiddenStates
from guard.policy import Entity, Pair, Policy
from tests.classifiers.random_llama import random_llama


def policy(name: str, person: str, place: str) -> Policy:
    pairs = (
        Pair(f"Where was {person} born?", f"In {place}."),
        Pair(f"What does {person} do?", "Weaves."),
        Pair(f"Who taught {person}?", "An aunt."),
    )
    return replace(
        Policy(name=name, entities=(Entity(person),), pairs=pairs),
        prompts=tuple(pair.prompt for pair in pairs),
    )


FEW = 12  # invented people: what is tested is not how good the features are
FIRST = policy("first", "Zarathrax Qwendolin", "Ulmbury")
SECOND = policy("second", "Bofur Wexelhaupt", "Ostrava")


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_llama(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def states(model_folder: Path) -> HiddenStates:
    return HiddenStates(model_folder)
