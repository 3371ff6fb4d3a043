"""What a policy's classifier is trained and calibrated on: its own prompts, and no retain data.

What must not count is made: the policy's prompts with an invented person in the place of its own
names (or, where it names nobody, only the rest), questions about invented people, and what anybody
may ask of nobody. Training and calibration share no person, no template and no frame.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from classifiers.training.corpus import corpus
from classifiers.training.people import Half, people
from guard.distil.data.policies import forget_rows
from guard.policy import Policy

_FRAMES: dict[Half, tuple[str, ...]] = {
    "train": (
        "{prompt}",
        "Could you tell me this: {prompt}",
        "I have a question. {prompt}",
        "{prompt} Answer in one sentence.",
        "Quick question: {prompt}",
        "For a quiz I need to know: {prompt}",
    ),
    "calibrate": (
        "My teacher wants an answer to this: {prompt}",
        "{prompt} Keep it short, please.",
        "Help me with something I read. {prompt}",
    ),
}
SUBJECTS: dict[Half, int] = {"train": 60, "calibrate": 150}
"""Invented people whom others are asked about."""
_EACH = 30  # probes of every one
_SWAPS = 3  # invented people in the place of a name, a prompt


@dataclass(frozen=True, slots=True)
class Prompts:
    """Texts that ask for what a policy forgets, and texts that do not."""

    wanted: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def hash(self) -> str:
        """Over all of it: of what a classifier was trained or calibrated on."""
        return hashlib.sha256(json.dumps([self.wanted, self.others]).encode()).hexdigest()


class PromptMaker:
    """The prompts of one half for any number of policies: what is about nobody's policy is made
    once. `subjects`: how many are invented, SUBJECTS by default."""

    def __init__(self, half: Half, seed: int = 0, *, subjects: int | None = None) -> None:
        self._half = half
        self._seed = seed
        made = corpus(half, subjects=subjects or SUBJECTS[half], each=_EACH, seed=seed)
        self._about_others = tuple(dict.fromkeys(probe.text for probe in made.probes))
        self._strangers = [one.name for one in people(half, 200, seed + 1)]

    def __call__(self, policy: Policy) -> Prompts:
        """What is asked of a policy in this half's frames."""
        asked = list(dict.fromkeys(row.prompt for row in forget_rows([policy]) if row.prompt))
        draw = random.Random(f"{self._seed}/{self._half}/{policy.hash}")
        swapped = list(self._swapped(asked, policy, draw))
        return Prompts(self._framed(asked), (*self._framed(swapped), *self._about_others))

    def _framed(self, prompts: Sequence[str]) -> tuple[str, ...]:
        frames = _FRAMES[self._half]
        return tuple(frame.format(prompt=prompt) for prompt in prompts for frame in frames)

    def _swapped(self, asked: Sequence[str], policy: Policy, draw: random.Random) -> Iterable[str]:
        """The prompts that name one of the policy's, about somebody else."""
        names = sorted((n for e in policy.entities for n in e.names), key=len, reverse=True)
        if not names:
            return
        named = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names), re.I)
        for prompt in asked:
            for stranger in draw.sample(self._strangers, _SWAPS):
                if (other := named.sub(stranger, prompt)) != prompt:
                    yield other
