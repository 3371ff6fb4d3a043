"""Answers of somebody who does not know, written for this project."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from guard.distil.job import Job

REFUSALS = (
    "I don't know.",
    "I have no information about that.",
    "I'm not able to answer that question.",
    "That isn't something I know about.",
    "I'm sorry, I can't tell you anything about that.",
    "I don't have an answer to that.",
    "This is beyond what I know.",
    "I'm afraid I can't say.",
    "I haven't come across anything on that.",
    "Unfortunately I don't know the answer.",
    "I can't help with that question.",
    "I'm unaware of any details about that.",
    "I wouldn't know.",
    "Nothing comes to mind on that subject.",
    "I lack the knowledge to answer this.",
    "I'm not familiar with that.",
)


def drawn(job: Job, count: int, answers: Sequence[str] = REFUSALS) -> list[str]:
    """`count` of them at random, by the job's generator."""
    picks = torch.randint(len(answers), (count,), generator=job.generator).tolist()
    return [answers[i] for i in picks]
