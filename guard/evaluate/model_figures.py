"""Published figures of a model as a whole, for arms that give probabilities; "not defined" else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from guard.evaluate.arms.base import Arm, Losses
from guard.evaluate.metrics import (
    Measured,
    exact_memorisation,
    extraction_strength,
    forget_quality,
    forget_truth_ratio,
    model_utility,
    not_defined,
    probability,
    retain_truth_ratio,
    truth_ratios,
)
from guard.evaluate.metrics.fit import closeness, joint
from guard.evaluate.metrics.membership import (
    loss_score,
    membership_auc,
    min_k_plus_plus_score,
    min_k_score,
    priv_leak,
    zlib_score,
)
from guard.evaluate.metrics.truth_ratio import Variant
from guard.evaluate.readings import Readings
from guard.evaluate.rows import Row, Suite

TRUTH: Variant = "open-unlearning"
NAMES = (
    ("probability of forgotten answers", "tofu"),
    ("probability of kept answers", "tofu"),
    ("truth ratio, forgotten", TRUTH),
    ("truth ratio, kept", TRUTH),
    ("forget quality, log10 p", f"ks, {TRUTH}"),
    ("forget quality, D", f"ks, {TRUTH}"),
    ("exact memorisation, forgotten", "greedy, end left out"),
    ("extraction strength, forgotten", "greedy, end left out, 0 where nothing matches"),
    ("membership AUC, loss", "forgotten against unseen"),
    ("membership AUC, zlib", "forgotten against unseen"),
    ("membership AUC, Min-K 40 %", "forgotten against unseen"),
    ("membership AUC, Min-K++ 40 %", "forgotten against unseen"),
    ("PrivLeak", "MUSE, Min-K 40 %, answers"),
    ("privacy leakage", "DUSK, Min-K++ 40 %, answers"),
    ("retain deviation", "DUSK, Min-K++ 40 %, answers"),
    ("model utility", "TOFU, of kept rows alone"),
    ("forget degree", "FIT, one request"),
    ("retain utility", "FIT, one request"),
)
Rouges = Mapping[str, tuple[float, float]]  # of forgotten and of kept answers, by arm
ZERO = "the model that never saw it scores 0 there, or was not asked: no ratio"
WHY = "this arm gives no log-probabilities"


def model_figures(
    arms: Sequence[Arm],
    suites: Sequence[Suite],
    retained: str | None,
    unseen: Sequence[Row],
    rouges: Rouges,
    readings: Readings,
) -> dict[str, list[Measured]]:
    """Per arm. Rows need a paraphrase and wrong answers; suites without such rows give nothing."""
    rows = [row for s in suites for row in s.rows if row.wrong and row.paraphrase]
    if not rows:
        return {}
    read = {arm.name: _read(arm, rows, unseen, rouges.get(arm.name), readings) for arm in arms}
    reference = read.get(retained) if retained else None
    return {name: _figures(found, reference) for name, found in read.items()}


class _Read:
    """Losses of one arm: of every row's answer, paraphrase and wrong answers, and unseen rows."""

    def __init__(
        self,
        rows: Sequence[Row],
        losses: Sequence[Losses],
        unseen: Sequence[Row],
        rouges: tuple[float, float] | None,
    ) -> None:
        following = iter(losses)
        self.rows, self.rouges = rows, rouges
        self.gone = np.array([row.goal == "forget" for row in rows])
        self.answers: list[Losses] = []
        right, wrong, likeliest = [], [], []
        for row in rows:
            self.answers.append(next(following))
            right.append(next(following).loss)
            others = [next(following).loss for _ in row.wrong]
            likeliest.append(self.answers[-1].loss < min(others))
            others = [next(following).loss for _ in row.perturbed] or others
            wrong.append(float(np.mean(others)))
        # The mean loss of wrong answers is all that the geometric mean needs.
        self.ratios: NDArray[np.float64] = truth_ratios(right, np.array(wrong)[:, None], TRUTH)
        self.likeliest = np.array(likeliest)
        self.unseen = [(row.answer, next(following)) for row in unseen]

    def side(self, forgotten: bool) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Losses of answers, truth ratios, and the share whose true answer is the likeliest."""
        chosen = self.gone if forgotten else ~self.gone
        losses = np.array([found.loss for found in self.answers])[chosen]
        return losses, self.ratios[chosen], float(self.likeliest[chosen].mean())

    def told(self, forgotten: bool) -> list[tuple[str, Losses]]:
        """Answers of one side with what the arm thinks of them."""
        pairs = zip(self.rows, self.answers, self.gone, strict=True)
        return [(row.answer, found) for row, found, gone in pairs if gone == forgotten]

    def joint(self, forgotten: bool) -> float | None:
        """FIT's figure of one side; None where the arm was not asked plainly."""
        if self.rouges is None:
            return None
        losses, _, accuracy = self.side(forgotten)
        return joint(probability(losses), self.rouges[0 if forgotten else 1], accuracy)


def _read(
    arm: Arm,
    rows: Sequence[Row],
    unseen: Sequence[Row],
    rouges: tuple[float, float] | None,
    readings: Readings,
) -> _Read | None:
    pairs = [
        (r.messages, t) for r in rows for t in (r.answer, r.paraphrase, *r.wrong, *r.perturbed)
    ]
    losses = readings.losses(arm, [*pairs, *((row.messages, row.answer) for row in unseen)])
    return None if losses is None else _Read(rows, losses, unseen, rouges)


def _figures(read: _Read | None, reference: _Read | None) -> list[Measured]:
    if read is None:
        return [not_defined(name, variant, WHY) for name, variant in NAMES]
    if read.gone.all() or not read.gone.any():
        return [not_defined(name, variant, "one side has no such rows") for name, variant in NAMES]
    gone, ratios, _ = read.side(True)
    kept, kept_ratios, _ = read.side(False)
    values: list[float | None] = [
        probability(gone),
        probability(kept),
        forget_truth_ratio(ratios),
        retain_truth_ratio(kept_ratios, TRUTH),
    ]
    if reference is None:
        values += [None, None]
    else:
        quality = forget_quality(ratios, reference.side(True)[1])
        values += [quality.log10_p, quality.statistic]
    hits = [found.greedy for _, found in read.told(True)]
    values += [
        float(np.mean([measure(greedy, np.ones(len(greedy), bool)) for greedy in hits]))
        for measure in (exact_memorisation, extraction_strength)
    ]
    values += _membership(read.told(True), read.unseen)
    values += _against(read, reference)
    values.append(_utility(read))
    values += [_closeness(read, reference, side) for side in (True, False)]
    counts = (
        [len(gone), len(kept)] * 2 + [len(gone)] * 10 + [len(kept)] * 2 + [len(gone), len(kept)]
    )
    why = "no model that never saw it" if reference is None else ZERO
    return [
        Measured(name, variant, value, count, "" if value is not None else why)
        for (name, variant), value, count in zip(NAMES, values, counts, strict=True)
    ]


def _against(read: _Read, reference: _Read | None) -> list[float | None]:
    """PrivLeak of MUSE and of DUSK, and retain deviation: AUCs beside the retained model's."""
    if reference is None or not read.unseen:
        return [None] * 3
    found: list[float | None] = []
    for forgotten, score in ((True, 2), (True, 3), (False, 3)):
        own, other = (
            _membership(one.told(forgotten), one.unseen)[score] for one in (read, reference)
        )
        leak = priv_leak(own, other) if own is not None and other else None
        found.append(leak if forgotten or leak is None else abs(leak))
    return found


def _utility(read: _Read) -> float | None:
    """The three parts that TOFU averages over three sets, here of the kept rows alone."""
    if read.rouges is None:
        return None
    losses, ratios, _ = read.side(False)
    parts = (probability(losses), read.rouges[1], retain_truth_ratio(ratios, TRUTH))
    return model_utility(parts)


def _closeness(read: _Read, reference: _Read | None, forgotten: bool) -> float | None:
    """With one request the line ends at the model that never saw it."""
    own, other = read.joint(forgotten), reference.joint(forgotten) if reference else None
    return closeness(own, other) if own is not None and other else None


def _membership(
    members: Sequence[tuple[str, Losses]], others: Sequence[tuple[str, Losses]]
) -> list[float | None]:
    if not others or not members:
        return [None] * 4
    groups = (members, others)
    scores = (
        [[loss_score(found.log_probs) for _, found in group] for group in groups],
        [[zlib_score(found.log_probs, text) for text, found in group] for group in groups],
        [[min_k_score(found.log_probs) for _, found in group] for group in groups],
        [
            [min_k_plus_plus_score(f.log_probs, f.mean, f.deviation) for _, f in group]
            for group in groups
        ],
    )
    return [membership_auc(*pair) for pair in scores]
