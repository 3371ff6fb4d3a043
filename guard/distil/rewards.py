"""What an answer is worth in on-policy training: refusal where it is due, likeness elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from guard.distil.refusals import REFUSALS
from guard.subsequence import common_length

_WORD = re.compile(r"\w+")
_SIGNS = (
    "don't know",
    "do not know",
    "no information",
    "can't",
    "cannot",
    "not able to",
    "unable to",
    "not familiar",
    "unaware of",
    "wouldn't know",
)


def is_refusal(answer: str) -> bool:
    """Whether it says, in its first sentence, that nothing is known."""
    first = re.split(r"(?<=[.!?])\s", answer.strip())[0].casefold().replace("’", "'")
    return answer.strip() in REFUSALS or any(sign in first for sign in _SIGNS)


def rouge_l(answer: str, expected: str) -> float:
    """F1 of the longest common subsequence of words, 0..1."""
    ours, theirs = _words(answer), _words(expected)
    return 2 * common_length(ours, theirs) / max(1, len(ours) + len(theirs))


def rouge_recall(answer: str, expected: str) -> float:
    """The share of the expected words that the answer has, in their order, 0..1."""
    ours, theirs = _words(answer), _words(expected)
    return common_length(ours, theirs) / max(1, len(theirs))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def reward(answer: str, expected: str, *, forgotten: bool) -> float:
    """1 for refusing what is forgotten, else 0; for the rest the likeness, 0 for a refusal."""
    refused = is_refusal(answer)
    if forgotten:
        return float(refused)
    return 0.0 if refused else rouge_l(answer, expected)


def advantages(rewards: Tensor, group: int) -> Tensor:
    """Rewards less their group's mean, over its spread; [groups x group], 0 for equal ones."""
    each = rewards.reshape(-1, group)
    spread = each.std(1, correction=0, keepdim=True)
    found = (each - each.mean(1, keepdim=True)) / (spread + 1e-6)
    return found.reshape(-1)


def policy_loss(
    logps: Tensor, before: Tensor, mask: Tensor, advantage: Tensor, clip: float
) -> Tensor:
    """GRPO's clipped objective, to be minimised, mean over each row's answer tokens [rows].

    `logps`, `before` [rows, width] of the policy now and when it spoke; `advantage` [rows].
    """
    ratio = (logps - before).exp()
    gain = advantage.unsqueeze(1)
    kept = torch.minimum(ratio * gain, ratio.clamp(1 - clip, 1 + clip) * gain)
    return -(kept * mask).sum(1) / mask.sum(1).clamp(min=1)


def distance(logps: Tensor, start: Tensor, mask: Tensor) -> Tensor:
    """The unbiased, non-negative estimate of KL(policy || start) a token, mean a row [rows]."""
    gap = start - logps
    return ((gap.exp() - gap - 1) * mask).sum(1) / mask.sum(1).clamp(min=1)


def grouped(items: Sequence[str], group: int) -> list[str]:
    """Each item `group` times in a row."""
    return [item for item in items for _ in range(group)]
