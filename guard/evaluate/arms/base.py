"""One interface for everything that can be asked a question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from guard.evaluate.rows import Goal, Message, content_hash

# Who attacks: somebody who sends text; who also reads log-probabilities; who holds the weights.
Attacker = Literal["text", "logprobs", "weights"]

ATTACKERS: tuple[Attacker, ...] = ("text", "logprobs", "weights")


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn. Temperature 0 is greedy; the seed then changes nothing."""

    max_tokens: int = 48
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `opening`: words that the answer is made to begin with.

    `goal` is for controls that know the truth; every other arm must not look at it.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    opening: str = ""
    goal: Goal = "retain"

    def key(self, identity: str) -> str:
        """What its answer is cached under."""
        return content_hash([identity, asdict(self)])


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `seconds` is the time of this request, or its share of a batch."""

    text: str
    finish_reason: str | None
    seconds: float
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def as_row(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Losses:
    """What a model thought of a given answer, token by token, the end left out.

    `log_probs`, `mean` and `deviation` (over the vocabulary, under the model): float64 (tokens,);
    `greedy`: whether each token was the likeliest, bool (tokens,).
    """

    log_probs: NDArray[np.float64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    greedy: NDArray[np.bool_]

    @property
    def loss(self) -> float:
        """Mean negative log-likelihood per token."""
        return -float(self.log_probs.mean())


class Arm(Protocol):
    """Something that answers. `identity` must change whenever answers may.

    `weights` names the arm whose weights somebody holds who got hold of this one's: the bare model
    behind a guard, itself for a model. `control`: there to show what a known end looks like.
    """

    name: str
    what: str
    identity: str
    weights: str
    control: bool

    def answer(self, asked: Sequence[Asked]) -> Iterator[Reply]:
        """One reply a request, in order. Raises EvaluateError when it cannot be asked."""

    def losses(self, pairs: Sequence[tuple[tuple[Message, ...], str]]) -> list[Losses] | None:
        """What it thinks of given answers; None where it does not tell."""
