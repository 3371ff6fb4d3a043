"""Each objective's arithmetic against a second one written from the formulas, gradients too."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from guard.distil import losses
from guard.distil.attention import answer_attention
from guard.distil.forget.dpo import dpo
from guard.distil.forget.flat import DIVERGENCES, flat
from guard.distil.forget.kuda import deviation
from guard.distil.forget.logit_margin import logit_margin
from guard.distil.forget.npo import npo
from guard.distil.forget.pga import probe_gap
from guard.distil.forget.rmu import rmu
from guard.distil.forget.sae_alignment import alignment
from guard.distil.forget.simnpo import simnpo
from guard.distil.part import Axis
from guard.distil.probes import fit_probe, probe_accuracy
from guard.distil.registry import choices
from guard.distil.retain.gere import threshold_margin
from tests.distil.conftest import MakeJob
from tests.distil.numeric import Array, assert_same

RNG = np.random.default_rng(0)
ROWS, WIDTH, WORDS, SIZE = 3, 5, 7, 4
# The second row has one answer token, the third is padded.
LABELS = torch.tensor(
    [[-100, -100, 3, 1, 6], [-100, -100, -100, -100, 2], [-100, 0, 5, -100, -100]]
)
MASK = LABELS != -100


def _logps(logits: Array) -> list[list[float]]:
    """log p of each answer token, row by row, in plain loops."""
    rows = []
    for i in range(ROWS):
        found = []
        for t in range(1, WIDTH):
            label = int(LABELS[i, t])
            if label != -100:
                scores = logits[i, t - 1]
                top = scores.max()
                found.append(scores[label] - top - math.log(np.exp(scores - top).sum()))
        rows.append(found)
    return rows


def _nll(logits: Array) -> Array:
    return np.array([-sum(row) for row in _logps(logits)])


def _mean_nll(logits: Array) -> Array:
    return np.array([-sum(row) / len(row) for row in _logps(logits)])


def _log_sigmoid(x: Array) -> Array:
    return -np.log1p(np.exp(-x))


def _kl(logits: Array, reference: Array) -> Array:
    rows = []
    for i in range(ROWS):
        found = []
        for t in range(1, WIDTH):
            if LABELS[i, t] != -100:
                p = np.exp(reference[i, t - 1]) / np.exp(reference[i, t - 1]).sum()
                q = np.exp(logits[i, t - 1]) / np.exp(logits[i, t - 1]).sum()
                found.append((p * np.log(p / q)).sum())
        rows.append(np.mean(found))
    return np.array(rows)


def _margin(logits: Array) -> Array:
    rows = []
    for i in range(ROWS):
        found = [
            (logits[i, t - 1].max() - logits[i, t - 1].mean()) ** 2
            for t in range(1, WIDTH)
            if LABELS[i, t] != -100
        ]
        rows.append(np.mean(found))
    return np.array(rows)


def _over_tokens(of: Callable[[Array, Array], float]) -> Callable[[Array, Array], Array]:
    """A mean over answer tokens of what `of` makes of two states."""

    def function(states: Array, reference: Array) -> Array:
        wide = np.broadcast_to(reference, states.shape)
        return np.array(
            [
                np.mean([of(states[i, t], wide[i, t]) for t in range(WIDTH) if MASK[i, t]])
                for i in range(ROWS)
            ]
        )

    return function


def _cosine(a: Array, b: Array) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


LOGITS = RNG.normal(size=(ROWS, WIDTH, WORDS)) * 2
OTHERS = RNG.normal(size=(ROWS, WIDTH, WORDS)) * 2
STATES = RNG.normal(size=(ROWS, WIDTH, SIZE))
START = RNG.normal(size=(ROWS, WIDTH, SIZE))
ANSWER_NLL: tuple[Array, ...] = tuple(RNG.uniform(0.5, 4, size=ROWS) for _ in range(4))

CASES: dict[str, tuple[Callable[..., Tensor], Callable[..., Array], list[Array]]] = {
    "cross-entropy": (lambda z: losses.mean_nll(z, LABELS), _mean_nll, [LOGITS]),
    "gradient ascent": (lambda z: -losses.mean_nll(z, LABELS), lambda z: -_mean_nll(z), [LOGITS]),
    "kl": (lambda z: losses.answer_kl(z, torch.tensor(OTHERS), LABELS),
           lambda z: _kl(z, OTHERS), [LOGITS]),
    "npo": (lambda z: npo(losses.answer_nll(z, LABELS)[0], torch.tensor(_nll(OTHERS)), 0.1),
            lambda z: -20 * _log_sigmoid(0.1 * (_nll(z) - _nll(OTHERS))), [LOGITS]),
    "simnpo": (lambda z: simnpo(losses.mean_nll(z, LABELS), 2.5, 0.3),
               lambda z: -0.8 * _log_sigmoid(2.5 * _mean_nll(z) - 0.3), [LOGITS]),
    "dpo": (lambda w, x, y, z: dpo(w, x, y, z, 0.1),
            lambda w, x, y, z: -20 * _log_sigmoid(0.1 * ((x - w) - (z - y))), [*ANSWER_NLL]),
    "logit margin": (lambda z: logit_margin(z, LABELS), _margin, [LOGITS]),
    "rmu": (lambda h: rmu(h, torch.tensor(START[0, 0]), MASK),
            lambda h: _over_tokens(lambda a, b: float(((a - b) ** 2).mean()))(h, START[0, 0]),
            [STATES]),
    "kuda": (lambda h: deviation(h, torch.tensor(START), MASK, -1.0),
             lambda h: _over_tokens(lambda a, b: _cosine(a, b) + 1)(h, START), [STATES]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str) -> None:
    assert_same(*CASES[name])


# f-divergences by their definition: g is the optimal variational function as the paper lists it,
# and f* the convex conjugate, composed here and not by hand.
CONJUGATES: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "total_variation": (lambda v: np.tanh(v) / 2, lambda u: u),
    "kl": (lambda v: v, lambda u: np.exp(u - 1)),
    "pearson": (lambda v: v, lambda u: u**2 / 4 + u),
    "jensen_shannon": (lambda v: np.log(2 / (1 + np.exp(-v))), lambda u: -np.log(2 - np.exp(u))),
    "reverse_kl": (lambda v: -np.exp(v), lambda u: -1 - np.log(-u)),
    "squared_hellinger": (lambda v: 1 - np.exp(v), lambda u: u / (1 - u)),
    "jeffrey": (lambda v: v, lambda u: u + u**2 / 4 + u**3 / 16),
    "neyman": (lambda v: 1 - np.exp(v), lambda u: 2 - 2 * np.sqrt(1 - u)),
}


@pytest.mark.parametrize("name", CONJUGATES)
def test_flat_divergences(name: str) -> None:
    g, conjugate = CONJUGATES[name]
    values = [RNG.uniform(0.05, 0.95, size=ROWS) for _ in range(2)]
    assert_same(lambda e, f: flat(e, f, name), lambda e, f: conjugate(g(f)) - g(e), values)


def test_every_divergence_is_tested() -> None:
    assert CONJUGATES.keys() == DIVERGENCES.keys()


def test_probe_gap() -> None:
    pair = [RNG.normal(size=(2, ROWS, SIZE)) for _ in range(2)]
    readouts = RNG.normal(size=(2, SIZE))

    def expected(mem: Array, clean: Array) -> Array:
        gaps = [
            [((mem[d, i] - clean[d, i]) @ readouts[d]) ** 2 for d in range(2)] for i in range(ROWS)
        ]
        return np.array(gaps).mean(1)

    assert_same(lambda m, c: probe_gap(m, c, torch.tensor(readouts)), expected, pair)


def test_threshold_margin() -> None:
    low, high = np.full(SIZE, -0.5), np.full(SIZE, 0.5)

    def expected(states: Array) -> Array:
        rows = []
        for i in range(ROWS):
            strayed = []
            for t, j in np.ndindex(WIDTH, SIZE):
                start, now = START[i, t, j], states[i, t, j]
                if start <= low[j]:
                    loss = max(0.0, now - low[j])
                elif start >= high[j]:
                    loss = max(0.0, high[j] - now)
                else:
                    loss = max(0.0, now - high[j]) + max(0.0, low[j] - now)
                if MASK[i, t] and loss:
                    strayed.append(loss)
            rows.append(float(np.mean(strayed)) if strayed else 0.0)
        return np.array(rows)

    tensors = [torch.tensor(a) for a in (START, low, high)]
    assert_same(lambda h: threshold_margin(h, *tensors, MASK), expected, [STATES * 2])
    assert threshold_margin(tensors[0], *tensors, MASK).sum() == 0


def test_alignment() -> None:
    known, unknown = RNG.normal(size=SIZE), RNG.normal(size=SIZE)

    def expected(latents: Array) -> Array:
        unit = ((known - unknown) ** 2).sum()
        return np.array(
            [((r - unknown) ** 2).sum() / unit + 0.5 * max(0.0, _cosine(r, known)) for r in latents]
        )

    centres = torch.tensor(known), torch.tensor(unknown)
    assert_same(lambda f: alignment(f, *centres, 0.5), expected, [STATES[:, 0]])
    assert float(alignment(centres[1], *centres, 0.0)) == 0


def test_answer_attention() -> None:
    heads = RNG.uniform(size=(2, ROWS, 2, WIDTH, WIDTH))
    weights = RNG.uniform(size=(ROWS, WIDTH))

    def expected(attention: Array) -> Array:
        rows = []
        for i in range(ROWS):
            queries = [t for t in range(WIDTH - 1) if LABELS[i, t + 1] != -100]
            rows.append(
                np.mean(
                    [
                        attention[d, i, h, q] @ weights[i]
                        for d in range(2)
                        for h in range(2)
                        for q in queries
                    ]
                )
            )
        return np.array(rows)  # fmt: skip

    assert_same(
        lambda a: answer_attention(tuple(a), torch.tensor(weights), LABELS), expected, [heads]
    )


def test_probe_is_that_of_scikit_learn() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    memorised, clean = RNG.normal(size=(20, SIZE)) + 0.7, RNG.normal(size=(20, SIZE)) * 2
    features = np.concatenate([memorised, clean])
    scaled = (features - features.mean(0)) / features.std(0)
    fitted = linear_model.LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(
        scaled, [1] * 20 + [0] * 20
    )
    readout = fitted.coef_[0] / features.std(0)
    ours = fit_probe(torch.tensor(memorised), torch.tensor(clean))
    np.testing.assert_allclose(ours.numpy(), readout / np.linalg.norm(readout), atol=1e-5)
    assert probe_accuracy(ours, torch.tensor(memorised), torch.tensor(clean)) > 0.6


# Every objective through a model: its loss falls when its own gradient is followed.
FORGETTING: dict[str, dict[str, Any]] = {
    name: {"method": name}
    for name in (
        "gradient_ascent", "npo", "simnpo", "idk", "dpo", "flat", "logit_margin", "rmu", "kuda",
        "attention_shifting", "pga", "in_context", "inverted_hinge", "bounded_ascent",
    )
} | {
    "sae_alignment": {"method": "sae_alignment", "steps": 20},
    "fit": {"method": "fit", "low": 0.0},
}  # fmt: skip
RETAINING: dict[str, dict[str, Any]] = {
    name: {"method": name} for name in ("cross_entropy", "kl", "activations", "attention_keeping")
    # The mean over what strayed jumps with their number: a small weight keeps that out of the way.
} | {"gere": {"method": "gere", "weight": 0.01}}  # fmt: skip


def test_every_objective_is_followed() -> None:
    assert FORGETTING.keys() == choices(Axis.FORGET).keys()
    assert {*RETAINING, "none"} == choices(Axis.RETAIN).keys()


@pytest.mark.parametrize("name", FORGETTING)
def test_forget_objectives_fall_when_followed(make_job: MakeJob, name: str) -> None:
    _follow(make_job(forget=FORGETTING[name], parameters="full"), "forget")


@pytest.mark.parametrize("name", ["npo", "attention_shifting", "rmu"])
def test_forget_objectives_fall_on_an_adapter(make_job: MakeJob, name: str) -> None:
    _follow(make_job(forget=name, parameters="lora"), "forget")


@pytest.mark.parametrize("name", RETAINING)
def test_retain_objectives_fall_when_followed(make_job: MakeJob, name: str) -> None:
    _follow(make_job(retain=RETAINING[name], parameters="full"), "retain")


def _follow(job: Any, axis: str) -> None:
    objective = getattr(job.parts, axis)
    rows = job.data.forget if axis == "forget" else job.data.keep(general=objective.on_general)[:3]
    # A retain objective is 0 at the start: look from a model that has moved a little.
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in job.trained.values():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    state = job.generator.get_state()

    def loss() -> Tensor:
        job.generator.set_state(state)  # the same refusals
        terms = objective.terms(job, job.batch(rows))
        assert terms.shape == (len(rows),)
        return terms.mean()

    first = loss()
    trained = list(job.trained.values())
    gradients = torch.autograd.grad(first, trained, allow_unused=True)
    norm = torch.stack([g.norm() for g in gradients if g is not None]).norm()
    assert norm > 0
    with torch.no_grad():
        for parameter, gradient in zip(trained, gradients, strict=True):
            if gradient is not None:
                parameter -= 1e-3 * gradient / norm
    assert loss().item() < first.item()
