"""What goes into the detectors and what comes out: plain subjects in, named signals out."""

from __future__ import annotations

from dataclasses import dataclass, field

NAME = "name"
NEAR_NAME = "near_name"
NEAREST_PROMPT = "nearest_prompt"
FACTS = "facts"
TOPIC = "topic"
ASPECT = "aspect"
NAMESAKE = "namesake"
HIDDEN = "hidden"
MENTION = "mention"
"""A name that settles nothing by itself: what is asked of its bearer decides. Never fired."""
CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Signal:
    """What one detector says about one subject.

    `name` is the detector, `subject` the id of a `Subject`, `score` in the detector's own scale
    (names: 1.0; near names: the share found; nearest prompt and topic: cosine in [-1, 1]; facts and
    hidden: probability in [0, 1]; aspect: how much nearer a forgotten one is than any other;
    namesake: how sure it is that one is meant, in [0, 1]; cleared: the largest static cosine),
    `fired` whether it reached the threshold: a namesake and what is cleared never do.
    """

    name: str
    subject: int
    score: float
    fired: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """Prompts as embeddings of `model`, without their words: rows of `dimension` half-precision
    numbers, little end first, L2-normalised."""

    model: str
    dimension: int
    rows: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to detect: the names it goes by, and prompts that ask for it.

    `id` is the caller's own, unique in one cascade; `threshold` is the cosine, in (0, 1], from
    which a prompt counts as one of `prompts`, or of those `stored` as embeddings. `texts` are what
    answers are compared with; `facts` (answers to the prompts) tell by what the subject is
    recognised where no name is given. `topics` are things to forget in a few words. With `aspects`
    only these are forgotten of whoever has the names; with `namesakes`, descriptions of others who
    have them too, a prompt about one of those does not count: such a subject is `limited`.
    """

    id: int
    names: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    threshold: float = 0.8
    texts: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    stored: Stored | None = None
    topics: tuple[str, ...] = ()
    aspects: tuple[str, ...] = ()
    namesakes: tuple[str, ...] = ()

    @property
    def limited(self) -> bool:
        """Whether a name of it is only a mention."""
        return bool(self.aspects or self.namesakes)

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold <= 1.0:
            raise ValueError(f"threshold of subject {self.id} must be in (0, 1]")
        if any(not text.strip() for text in (*self.prompts, *self.texts)):
            raise ValueError(f"subject {self.id} has an empty prompt or text")
