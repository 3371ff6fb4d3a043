"""The paper's settings and where each is known from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaperConfig:
    """Settings of one `PaperGuard`. Raises ValueError for one that cannot work.

    The first three are the defaults and the configurations of the public re-implementation; that
    they are the paper's own could not be confirmed.
    """

    beam_width: int = 7
    beta: float = 1.0  # match ratio of a forbidden sequence at which a candidate is dropped
    # Cosine at which a candidate is dropped; its configurations have 0.3 for TOFU, 0.3 and 0.7 for
    # MUSE-News. None: no word is dropped.
    delta: float | None = 0.5
    soft: float = 1.0  # times the cosine that is subtracted; 1 is the paper's rule, 0 is no penalty
    # Candidates of a beam, in widths: the re-implementation, and beam search in transformers.
    candidates: int = 2
    # The exponent of the length that a score is divided by. The re-implementation has none (0) and
    # so prefers short answers; 1, the mean, is the default in transformers.
    length_penalty: float = 1.0

    def __post_init__(self) -> None:
        if self.beam_width < 1 or self.candidates < 1:
            raise ValueError("beam_width and candidates must be at least 1")
        if not 0 < self.beta <= 1:
            raise ValueError("beta must be in (0, 1]")
        if (self.delta is not None and not 0 < self.delta <= 1) or self.soft < 0:
            raise ValueError("delta must be in (0, 1] or None, and soft not negative")

    @property
    def reads_words(self) -> bool:
        """Whether the encoder has a say at all."""
        return self.delta is not None or self.soft > 0
