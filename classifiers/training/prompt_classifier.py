"""Trains and calibrates a prompt classifier on features of hidden states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from classifiers.encoder import Vectors
from classifiers.optional import optional
from classifiers.prompt_classifier import PromptClassifier
from classifiers.training.bounds import upper_bound

LEAST_THRESHOLD = 0.0  # log-odds of the method's 0.5
_ABOVE = 1e-3  # log-odds: more than rounding


@dataclass(frozen=True, slots=True)
class PromptClassifierConfig:
    """The settings of GUARD's re-implementation: hidden units, AdamW with a cosine schedule, and
    the share of rows that is held out to keep the best epoch by accuracy."""

    hidden: int = 256
    dropout: float = 0.1
    lr: float = 1e-3
    weight_decay: float = 0.01
    epochs: int = 50
    batch: int = 32
    held_out: float = 0.1


@dataclass(frozen=True, slots=True)
class Labelled:
    """Features (n, h) and whether each row asks for what is forgotten (n,)."""

    rows: Vectors
    wanted: npt.NDArray[np.bool_]


def trained(
    train_on: Labelled,
    calibrate_on: Vectors,
    *,
    policy: str,
    model: str,
    corpora: Mapping[str, str],
    target: float,
    seed: int = 0,
    config: PromptClassifierConfig | None = None,
) -> PromptClassifier:
    """The classifier of `train_on`, its threshold the least, that of 0.5 or more, at which at most
    `target` of the rows of `calibrate_on` count, none of which should.

    Raises ValueError without rows of both kinds.
    """
    if train_on.wanted.all() or not train_on.wanted.any():
        raise ValueError("a classifier needs prompts that ask for it and others that do not")
    mean = train_on.rows.mean(0)
    spread = np.maximum(train_on.rows.std(0), 1e-6)
    layers = _fitted((train_on.rows - mean) / spread, train_on.wanted, seed, config)
    made = PromptClassifier(policy, model, 0.0, target, 1.0, corpora, mean, spread, layers)
    odds = np.sort(made.odds(calibrate_on))[::-1]
    # Just above the first that must not count.
    threshold = max(LEAST_THRESHOLD, float(odds[int(target * len(odds))]) + _ABOVE)
    high = upper_bound(int((odds >= threshold).sum()), len(odds))
    return PromptClassifier(policy, model, threshold, target, high, corpora, mean, spread, layers)


def _fitted(
    rows: Vectors, wanted: npt.NDArray[np.bool_], seed: int, config: PromptClassifierConfig | None
) -> tuple[tuple[Vectors, Vectors], ...]:
    """Class-weighted cross-entropy: each class weighs n / n_class."""
    torch, config = optional("torch"), config or PromptClassifierConfig()
    nn = torch.nn
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        order = torch.randperm(len(rows))
        x = torch.tensor(rows, dtype=torch.float32)[order]
        y = torch.tensor(wanted, dtype=torch.long)[order]
        network = nn.Sequential(
            nn.Linear(x.shape[1], config.hidden), nn.ReLU(), nn.Dropout(config.dropout),
            nn.Linear(config.hidden, config.hidden), nn.ReLU(), nn.Dropout(config.dropout),
            nn.Linear(config.hidden, 2),
        )  # fmt: skip
        held = max(1, int(config.held_out * len(x)))
        weights = len(y) / torch.bincount(y, minlength=2).clamp(min=1).float()
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.lr, weight_decay=config.weight_decay
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.epochs)
        best, kept = -1.0, None
        for _ in range(config.epochs):
            network.train()
            for part in torch.randperm(len(x) - held).add(held).split(config.batch):
                loss = nn.functional.cross_entropy(network(x[part]), y[part], weight=weights)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            schedule.step()
            network.eval()
            with torch.inference_mode():
                right = float((network(x[:held]).argmax(1) == y[:held]).float().mean())
            if right >= best:
                best, kept = right, {n: v.clone() for n, v in network.state_dict().items()}
    assert kept is not None, "there is at least one epoch"
    places = [place for place, one in enumerate(network) if isinstance(one, nn.Linear)]
    return tuple((kept[f"{at}.weight"].numpy(), kept[f"{at}.bias"].numpy()) for at in places)
