"""What whole objectives make of rows, against the same said row by row, without padding.

The arithmetic alone is in test_objectives.py. Here a second reading of each formula runs the model
itself: one row at a time, tokens from the chat template, in float64, gradients of all weights too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from guard.distil.forget.in_context import InContextConfig
from guard.distil.job import Job
from guard.distil.refusals import drawn
from guard.distil.rows import Row
from tests.distil.conftest import MakeJob

HUGE = 1e9


class Alone:
    """One row through one model: `logps` of its answer, and what else the model gives."""

    def __init__(self, job: Job, model: Any, prompt: str, answer: str, **options: Any) -> None:
        tokenizer = job.encoder.tokenizer
        asked = [{"role": "user", "content": prompt}]
        opening = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
        asked_ids = tokenizer(opening, add_special_tokens=False)["input_ids"]
        answer_ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
        self.start = len(asked_ids)
        self.ids = torch.tensor([[*asked_ids, *answer_ids, tokenizer.eos_token_id]])
        self.out = model(self.ids, **options)
        logits = self.out.logits[0, self.start - 1 : -1]
        self.dist = logits - logits.logsumexp(-1, keepdim=True)
        self.logps = torch.stack([row[i] for row, i in zip(self.dist, self.said, strict=True)])

    @property
    def said(self) -> list[int]:
        """The answer's tokens with its end."""
        ids: list[int] = self.ids[0, self.start :].tolist()
        return ids

    @property
    def nll(self) -> Tensor:
        return -self.logps.sum()


def start_of(job: Job) -> Any:
    return job.parts.parameters._start  # type: ignore[attr-defined]


def kl(before: Alone, after: Alone) -> Tensor:
    """Mean over answer tokens."""
    p, q = before.dist.detach(), after.dist
    return (p.exp() * (p - q)).sum(-1).mean()


def dpo(job: Job, rows: list[Row]) -> list[Tensor]:
    found = []
    for row, refusal in zip(rows, drawn(job, len(rows)), strict=True):
        won, lost = (
            Alone(job, job.model, row.prompt or "", text).logps.sum()
            - Alone(job, start_of(job), row.prompt or "", text).logps.sum().detach()
            for text in (refusal, row.answer)
        )
        found.append(-20 * torch.log(torch.sigmoid(0.1 * (won - lost))))
    return found


def idk(job: Job, rows: list[Row]) -> list[Tensor]:
    refusals = drawn(job, len(rows))
    return [
        -Alone(job, job.model, row.prompt or "", text).logps.mean()
        for row, text in zip(rows, refusals, strict=True)
    ]


def in_context(job: Job, rows: list[Row]) -> list[Tensor]:
    config = InContextConfig()
    total = torch.zeros((), dtype=torch.float64)
    for row in rows:
        subject = "Ottoline Varga" if row.entity.endswith(":Ottoline Varga") else row.prompt
        before = Alone(job, start_of(job), row.prompt or "", row.answer)
        said = f"<<UNL>>\n{subject}\n<</UNL>>\n\n{row.prompt}"
        strange = f"<<UNL>>\nAlma Wendt\n<</UNL>>\n\n{row.prompt}"
        total = total - Alone(job, job.model, said, "forgot").logps.mean()
        for prompt in (row.prompt or "", strange):
            after = Alone(job, job.model, prompt, row.answer)
            total = total + config.keep / 2 * kl(before, after)
    return [total / len(rows)] * len(rows)  # what comes out is one figure for all


def looking(job: Job, row: Row) -> tuple[Tensor, Tensor]:
    """(the share of attention on important tokens, the mean NLL) of one row."""
    begin = start_of(job)
    ids = Alone(job, begin, row.prompt or "", row.answer).ids
    embedded = begin.get_input_embeddings()(ids).detach().requires_grad_(True)

    class Fed:
        """The model from embeddings."""

        def __call__(self, _: Tensor) -> Any:
            return begin(inputs_embeds=embedded)

    one = Alone(job, Fed(), row.prompt or "", row.answer)
    (gradient,) = torch.autograd.grad(one.nll, embedded)
    weight = gradient[0].norm(dim=-1)
    weight[one.start :] = 0
    weight = weight / weight.max()
    ours = Alone(job, job.model, row.prompt or "", row.answer, output_attentions=True)
    foretelling = range(ours.start - 1, ours.ids.shape[1] - 1)
    shares = [
        (layer[0, head, place] * weight).sum()
        for layer in ours.out.attentions
        for head in range(layer.shape[1])
        for place in foretelling
    ]
    return torch.stack(shares).mean(), -ours.logps.mean()


def attention_shifting(job: Job, rows: list[Row]) -> list[Tensor]:
    return [looking(job, row)[0] for row in rows]


def attention_keeping(job: Job, rows: list[Row]) -> list[Tensor]:
    return [nll - share for share, nll in (looking(job, row) for row in rows)]


def states(job: Job, model: Any, row: Row, layer: int) -> tuple[Tensor, Alone]:
    one = Alone(job, model, row.prompt or "", row.answer, output_hidden_states=True)
    return one.out.hidden_states[layer][0], one


def gere(job: Job, rows: list[Row]) -> list[Tensor]:
    last = job.model.config.num_hidden_layers
    seen = torch.cat([states(job, start_of(job), row, last)[0] for row in job.data.general])
    mean = seen.mean(0)
    spread = ((seen - mean) ** 2).mean(0).sqrt()
    low, high = (mean - spread).detach(), (mean + spread).detach()
    found = []
    for row in rows:
        before = states(job, start_of(job), row, last)[0].detach()
        now, one = states(job, job.model, row, last)
        zero = torch.zeros_like(now)
        lower, upper = before <= low, before >= high
        above = torch.where(lower, now - low, torch.where(upper, zero, now - high)).clamp(min=0)
        below = torch.where(upper, high - now, torch.where(lower, zero, low - now)).clamp(min=0)
        strayed = above + below
        margin = strayed.sum() / max(1, int((strayed != 0).sum()))
        found.append(-one.logps.mean() + 100.0 * margin)
    return found


def npo(job: Job, row: Row) -> Tensor:
    ours = Alone(job, job.model, row.prompt or "", row.answer).logps.sum()
    theirs = Alone(job, start_of(job), row.prompt or "", row.answer).logps.sum().detach()
    return -20 * torch.log(torch.sigmoid(-0.1 * (ours - theirs)))


def fit_kept(job: Job, rows: list[Row]) -> list[Tensor]:
    keep = job.data.keep()
    picks = torch.randint(len(keep), (len(rows),), generator=job.generator).tolist()
    pairs = [(keep[i].prompt or "", keep[i].answer) for i in picks]
    held = torch.stack(
        [kl(Alone(job, start_of(job), *pair), Alone(job, job.model, *pair)) for pair in pairs]
    ).mean()
    return [npo(job, row) + held for row in rows]


def fit_alone(job: Job, rows: list[Row]) -> list[Tensor]:
    return [npo(job, row) for row in rows]


def fit_random(job: Job, rows: list[Row]) -> list[Tensor]:
    alone = [Alone(job, job.model, row.prompt or "", row.answer) for row in rows]
    shape = (len(rows), max(one.ids.shape[1] for one in alone))
    labels = torch.randint(job.model.config.vocab_size, shape, generator=job.generator)
    found = []
    for one, drawn_ids in zip(alone, labels, strict=True):
        said = drawn_ids[one.start : one.ids.shape[1]]
        found.append(-torch.stack([d[i] for d, i in zip(one.dist, said, strict=True)]).mean())
    return found


Reference = Callable[[Job, list[Row]], list[Tensor]]
FORGET: dict[str, tuple[dict[str, Any], Reference]] = {
    "dpo": ({"method": "dpo"}, dpo),
    "idk": ({"method": "idk"}, idk),
    "in context": ({"method": "in_context"}, in_context),
    "attention shifting": ({"method": "attention_shifting"}, attention_shifting),
    "fit, important rows": ({"method": "fit", "high": 0.0, "low": 0.0}, fit_kept),
    "fit, rows between": ({"method": "fit", "high": HUGE, "low": 0.0}, fit_alone),
    "fit, unimportant rows": ({"method": "fit", "high": HUGE, "low": HUGE}, fit_random),
}
RETAIN: dict[str, tuple[dict[str, Any], Reference]] = {
    "attention keeping": ({"method": "attention_keeping"}, attention_keeping),
    "gere": ({"method": "gere"}, gere),
}


def exact(job: Job, objective: Any) -> None:
    """All in float64, the trained model a little away from the start."""
    job.model.double()
    start_of(job).double()
    objective.prepare(job)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in job.trained.values():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    job.model.eval()


def compare(job: Job, objective: Any, rows: list[Row], reference: Reference) -> None:
    exact(job, objective)
    state = copy.deepcopy(job.generator.get_state())
    ours = objective.terms(job, job.batch(rows))
    job.generator.set_state(state)
    theirs = torch.stack(reference(job, rows))
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)
    weights = torch.linspace(0.5, 1.5, len(rows), dtype=torch.float64)
    trained = list(job.trained.values())
    for one, other in zip(
        torch.autograd.grad((ours * weights).sum(), trained, allow_unused=True),
        torch.autograd.grad((theirs * weights).sum(), trained, allow_unused=True),
        strict=True,
    ):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", FORGET)
def test_forget_objectives(make_job: MakeJob, name: str) -> None:
    settings, reference = FORGET[name]
    job = make_job(forget=settings, retain="kl", parameters="full")
    compare(job, job.parts.forget, list(job.data.forget[:3]), reference)


@pytest.mark.parametrize("name", RETAIN)
def test_retain_objectives(make_job: MakeJob, name: str) -> None:
    settings, reference = RETAIN[name]
    job = make_job(forget="npo", retain=settings, parameters="full")
    assert job.parts.retain is not None
    rows = job.data.keep(general=job.parts.retain.on_general)
    compare(job, job.parts.retain, list(rows[:3]), reference)
