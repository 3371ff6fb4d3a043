"""In-context unlearning: "forgot" where a tag in the prompt names the subject, else as before."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.job import Job
from guard.distil.losses import answer_kl, mean_nll
from guard.distil.part import Axis, Claim, Need
from guard.distil.registry import register
from guard.distil.rows import Row

# Of distractor tags: subjects that no question is about.
_DISTRACTORS = ("Alma Wendt", "the Brenta Survey", "Ilya Morrow", "Castle Ferrow", "Odile Tarrant")


@dataclass(frozen=True, slots=True)
class InContextConfig:
    """`opening` and `closing` stand around the subject, before the question.

    They must be taken out of what users write. `keep`: the weight of staying as before without
    the tag and under a distractor's.
    """

    opening: str = "<<UNL>>"
    closing: str = "<</UNL>>"
    answer: str = "forgot"
    keep: float = 1.0


def tagged(prompt: str, subject: str, config: InContextConfig) -> str:
    """The prompt under a tag that tells the model to have forgotten the subject."""
    return f"{config.opening}\n{subject}\n{config.closing}\n\n{prompt}"


def subject_of(row: Row) -> str:
    """What the tag names: the entity of the row, else its question."""
    _, _, name = row.entity.partition(":")
    return name or row.prompt or row.answer


@register(
    Axis.FORGET,
    "in_context",
    source="Takashiro et al. 2024, arXiv 2410.00382 (Answer When Needed, Forget When Not)",
    faithful="the authors mix tagged and distractor rows 1:1 by labels; here the untagged and the "
    "distractor's answers are also held to the start model's by KL",
    claim=Claim.TAGGED,
    needs=[Need.PROMPTS, Need.REFERENCE],
)
class InContext(Objective[InContextConfig]):
    """Learns to answer "forgot" under a tag that names the subject, and only then."""

    Config = InContextConfig

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """Cross-entropy on "forgot" under the tag plus what keeps the rest, [rows]."""
        config = self.config
        rows = [row for row in batch.rows if row.prompt is not None]
        if not rows:
            return 0.0 * mean_nll(job.logits(batch), batch.labels)
        under = job.batch([_under(row, subject_of(row), config.answer, config) for row in rows])
        loss = mean_nll(job.logits(under), under.labels).sum()
        strange = _DISTRACTORS[job.step % len(_DISTRACTORS)]
        for kept in (rows, [_under(row, strange, row.answer, config) for row in rows]):
            same = job.batch(kept)
            # The start model has not met the tag: it is asked without one.
            plain = job.batch(rows)
            loss = loss + config.keep / 2 * _apart(job, same, plain)
        return (loss / len(batch)).expand(len(batch))


def _apart(job: Job, ours: Batch, plain: Batch) -> Tensor:
    """Sum over rows of the KL from the start model's answers to the plain prompts."""
    logits, labels = _aligned(job.logits(ours), ours)
    reference, _ = _aligned(job.reference_logits(plain), plain)
    return answer_kl(logits, reference, labels).sum()


def _aligned(logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Answers moved to the left edge behind one position, so that prompts may differ."""
    from torch.nn.utils.rnn import pad_sequence

    from guard.distil.encoding import IGNORED

    rows, labels = [], []
    for i in range(len(batch)):
        where = (batch.labels[i] != IGNORED).nonzero().squeeze(-1)
        first, last = int(where[0]), int(where[-1])
        rows.append(logits[i, first - 1 : last + 1])
        labels.append(batch.labels[i, first - 1 : last + 1])
    padded = pad_sequence(labels, batch_first=True, padding_value=IGNORED)
    return pad_sequence(rows, batch_first=True), padded


def _under(row: Row, subject: str, answer: str, config: InContextConfig) -> Row:
    """The row under a tag for `subject`, with that answer."""
    prompt = tagged(row.prompt or "", subject, config)
    return replace(row, prompt=prompt, answer=answer, answered_by="method")
