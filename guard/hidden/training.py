"""Trains a policy's classifier on the served model's hidden states, and keeps them in a folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifiers.encoder import Vectors
from classifiers.hidden_states import HiddenStates
from classifiers.prompt_classifier import PromptClassifier
from classifiers.training.prompt_classifier import Labelled, trained
from guard.errors import DetectorError
from guard.hidden.files import file_of
from guard.hidden.rows import PromptMaker
from guard.policy import Policy

OnProgress = Callable[[str, int, int], None]
TARGET = 0.001
_BATCH = 64


class Trainer:
    """Trains classifiers on one model. What all policies are told apart from goes through the
    model once. `subjects`: as for `PromptMaker`."""

    def __init__(
        self, model: HiddenStates, *, target: float = TARGET, seed: int = 0,
        progress: OnProgress = lambda label, done, total: None, subjects: int | None = None,
    ) -> None:  # fmt: skip
        self._model = model
        self._target = target
        self._seed = seed
        self._progress = progress
        self._train = PromptMaker("train", seed, subjects=subjects)
        self._calibrate = PromptMaker("calibrate", seed, subjects=subjects)
        self._known: dict[str, Vectors] = {}

    def train(self, policy: Policy) -> PromptClassifier:
        """The classifier of a policy. Raises DetectorError for one that has nothing to ask."""
        seen, unseen = self._train(policy), self._calibrate(policy)
        if not seen.wanted:
            raise DetectorError(f"policy {policy.name!r} has no names, prompts or pairs")
        rows = self._features((*seen.wanted, *seen.others), policy.name)
        return trained(
            Labelled(rows, np.arange(len(rows)) < len(seen.wanted)),
            self._features(unseen.others, policy.name),
            policy=policy.hash,
            model=self._model.name,
            corpora={"train": seen.hash, "calibrate": unseen.hash},
            target=self._target,
            seed=self._seed,
        )

    def found(self, policy: Policy, classifier: PromptClassifier) -> float:
        """The share of the policy's own prompts, in frames that nothing was trained on, that a
        classifier finds."""
        asked = self._calibrate(policy).wanted
        odds = classifier.odds(self._features(asked, policy.name))
        return float((odds >= classifier.threshold).mean())

    def _features(self, texts: Iterable[str], label: str) -> Vectors:
        wanted = list(texts)
        missing = [text for text in dict.fromkeys(wanted) if text not in self._known]
        for first in range(0, len(missing), _BATCH):
            part = missing[first : first + _BATCH]
            for text, row in zip(part, self._model.encode(part), strict=True):
                self._known[text] = row
            self._progress(label, first + len(part), len(missing))
        return np.stack([self._known[text] for text in wanted])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one policy: `state` is trained, kept, or why neither; the rest is there of
    what was trained. `threshold`: in log-odds; `found`: the share of its own prompts in frames that
    nothing was trained on.
    """

    policy: str
    shard: str
    state: str
    threshold: float = 0.0
    high: float = 1.0
    found: float = 0.0


def train_missing(
    policies: Iterable[Policy], trainer: Trainer, folder: Path, known: Collection[str]
) -> Iterator[Outcome]:
    """Trains and writes a classifier for every policy whose name is not in `known`.

    Raises OSError where one cannot be written; those before it are whole.
    """
    for policy in policies:
        if policy.name in known:
            yield Outcome(policy.name, policy.hash, "kept")
            continue
        try:
            made = trainer.train(policy)
        except DetectorError as error:
            yield Outcome(policy.name, policy.hash, str(error))
            continue
        made.save(file_of(folder, policy))
        found = trainer.found(policy, made)
        yield Outcome(policy.name, policy.hash, "trained", made.threshold, made.high, found)
