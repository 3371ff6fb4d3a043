"""DUSK's seven figures: forgetting one source whose facts others partly tell as well.

Source: DUSK (AI-ISL/DUSK), section on metrics. Scores come from 12-shot answers and from prefix
continuations; PrivLeak is that of MUSE with Min-K%++ at 40 % over chunks of 1,024 tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guard.evaluate.metrics.membership import priv_leak
from guard.evaluate.metrics.rouge import rouge_l

SHOTS = 12
CHUNK_TOKENS = 1024
MIN_K_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Answered:
    """References and the answers to them, row by row."""

    references: Sequence[str]
    answers: Sequence[str]

    def f1(self) -> float:
        """Mean ROUGE-L F1; raises ValueError without rows."""
        if not self.references:
            raise ValueError("no rows")
        pairs = zip(self.references, self.answers, strict=True)
        return sum(rouge_l(*pair).f1 for pair in pairs) / len(self.references)


@dataclass(frozen=True, slots=True)
class Dusk:
    """All seven, named as in the paper; the two AUCs in percent of the retrained model's."""

    verbatim_memorisation: float
    unique_forget_knowledge: float
    shared_knowledge: float
    unique_retain_knowledge: float
    downstream_capability: float
    privacy_leakage: float
    retain_deviation: float


def dusk(
    *,
    verbatim: Answered,
    unique_forget: Answered,
    shared: Answered,
    unique_retain: Answered,
    downstream: float,
    forget_auc: tuple[float, float],
    retain_auc: tuple[float, float],
) -> Dusk:
    """The seven from answers, a downstream accuracy, and AUCs of (model, retrained model).

    `forget_auc`: holdout against forgotten texts; `retain_auc`: holdout against retained ones.
    """
    return Dusk(
        verbatim_memorisation=verbatim.f1(),
        unique_forget_knowledge=unique_forget.f1(),
        shared_knowledge=shared.f1(),
        unique_retain_knowledge=unique_retain.f1(),
        downstream_capability=downstream,
        privacy_leakage=priv_leak(*forget_auc),
        retain_deviation=abs(priv_leak(*retain_auc)),
    )
