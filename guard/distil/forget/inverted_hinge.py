"""The inverted hinge: another token overtakes the answer's, and nothing more is asked."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import one_hot

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.job import Job
from guard.distil.losses import answer_positions, masked_mean
from guard.distil.part import Axis, Claim, NoConfig
from guard.distil.registry import register


def inverted_hinge(logits: Tensor, labels: Tensor) -> Tensor:
    """max(0, 1 + p_y - max over v != y of p_v), mean over each row's answer tokens [rows]."""
    scores, targets, mask = answer_positions(logits, labels)
    odds = scores.softmax(-1)
    ours = odds.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    others = odds.masked_fill(one_hot(targets, odds.shape[-1]).bool(), 0.0).max(-1).values
    return masked_mean((1 + ours - others).clamp(min=0), mask)


@register(
    Axis.FORGET,
    "inverted_hinge",
    source="Cha et al. 2024 (LoKU) and ReGLU (public code), inverted hinge loss",
    claim=Claim.BEHAVIOUR,
)
class InvertedHinge(Objective[NoConfig]):
    """Lowers the answer's token and raises its strongest rival; bounded, unlike ascent."""

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """The loss of each row."""
        return inverted_hinge(job.logits(batch), batch.labels)
