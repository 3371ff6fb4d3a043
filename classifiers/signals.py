"""What goes into the detectors and what comes out: plain subjects in, named signals out."""

from __future__ import annotations

from dataclasses import dataclass

NAME = "name"
NEAREST_PROMPT = "nearest_prompt"


@dataclass(frozen=True, slots=True)
class Signal:
    """What one detector says about one subject.

    `name` is the detector, `subject` the id of a `Subject`, `score` in the detector's own scale
    (names: 1.0; nearest prompt: cosine in [-1, 1]), `fired` whether it reached the threshold.
    """

    name: str
    subject: int
    score: float
    fired: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to detect: the names it goes by, and prompts that ask for it.

    `id` is the caller's own, unique in one cascade; `threshold` is the cosine, in (0, 1], from
    which a prompt counts as one of `prompts`. `texts` are what answers are compared with.
    """

    id: int
    names: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    threshold: float = 0.8
    texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold <= 1.0:
            raise ValueError(f"threshold of subject {self.id} must be in (0, 1]")
        if any(not text.strip() for text in (*self.prompts, *self.texts)):
            raise ValueError(f"subject {self.id} has an empty prompt or text")
