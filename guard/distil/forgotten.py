"""Looks at what is to go while training goes on, and says when it is told no more than guesses are.

Nobody has a model that never saw what is to go. What the model that a run begins with says of
invented people, asked the same, stands in for it: the form of such answers is known, what they tell
is not.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from guard.distil.boundary import about_strangers
from guard.distil.errors import DistilError
from guard.distil.generation import generate
from guard.distil.job import Job
from guard.distil.probe import sample
from guard.distil.rewards import rouge_recall
from guard.distil.rows import Row

_TOKENS = 128  # of an answer that is asked for, at most


@dataclass(slots=True)
class Forgotten:
    """A fixed sample of forget rows that name their subject, and what counts as forgotten.

    `guessed`: mean ROUGE-L recall of their answers, greedy, where the model was asked the same of
    invented people before the first step. `spare` may be said above it.
    """

    rows: tuple[Row, ...]
    spare: float
    tokens: int
    guessed: float

    @classmethod
    def of(cls, job: Job) -> Forgotten | None:
        """Measures the model as it is; None where `train.until_forgotten` is not set.

        Raises `DistilError` where no forget row names its subject.
        """
        spare = job.recipe.train.until_forgotten
        if spare is None:
            return None
        pairs = zip(job.data.forget, about_strangers(job.data.forget), strict=True)
        others = {row: other for row, other in pairs if other is not None}
        if not others:
            raise DistilError(
                "train.until_forgotten: no forget row names its entity, so nothing tells what a "
                "guess would say; give `entities` whose names stand in the prompts, or leave it out"
            )
        rows = sample(job, tuple(others))
        encoded = [job.encoder.encode(row.prompt, row.answer) for row in rows]
        tokens = min(_TOKENS, max(len(one.ids) - one.start for one in encoded))
        found = cls(rows, spare, tokens, 0.0)
        found.guessed = found.recall(job, [others[row] for row in rows])
        return found

    def look(self, job: Job) -> float:
        """Mean recall of the rows' answers now, 0..1."""
        return self.recall(job, self.rows)

    def enough(self, recall: float) -> bool:
        """Whether no more is said than of invented people, and what may be said above it."""
        return recall <= self.guessed + self.spare

    def recall(self, job: Job, rows: Sequence[Row]) -> float:
        """Mean recall of the rows' answers where their prompts are asked, greedy."""
        model = job.model if job.judged is None else job.judged
        said = generate(model, job.encoder, [row.prompt or "" for row in rows], self.tokens)
        return statistics.fmean(
            rouge_recall(answer, row.answer) for answer, row in zip(said, rows, strict=True)
        )
