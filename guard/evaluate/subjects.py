"""Models that ways to forget are compared on: each knows an invented corpus by heart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from guard.evaluate.attacks.weights import WEIGHT_ATTACKS, WeightAttack, weight_attacks
from guard.evaluate.distilled import FOR_TAUGHT, FOR_TINY, adapter_of
from guard.evaluate.fictional import Corpus
from guard.evaluate.teaching import taught_model
from guard.evaluate.tiny import LENGTH, NAME, tiny_model

Step = Callable[[str, int, int], None]

# A taught model has hundreds of times the weights of the tiny one, and no accelerator may be there:
# fewer ways, and less that is done to weights.
LEFT_OUT = ("cut", "restrict over npo-ce")
TEXTS = 12  # that it is relearned from
WEIGHT_ATTACKED = ("8 bits", "4 bits", "relearning: forget")


@dataclass(frozen=True, slots=True)
class Subject:
    """A model that `knows` the corpus, the same that was never told what is to be forgotten, and
    what recipes made of the first, by recipe. `name`: as it is served; `length`: tokens that it
    reads; `left_out`: ways that are not compared on it."""

    name: str
    knows: Path
    innocent: Path
    adapters: Mapping[str, Path]
    length: int = LENGTH
    weight_attacks: tuple[WeightAttack, ...] = WEIGHT_ATTACKS
    left_out: tuple[str, ...] = ()


def tiny_subject(corpus: Corpus, step: Step) -> Subject:
    """A Llama of a million weights, made here in minutes. Raises EvaluateError and DistilError."""
    knows = tiny_model(corpus, step=step)
    innocent = tiny_model(corpus, forgotten=False, step=step)
    adapters = {way.recipe: adapter_of(corpus, knows, way, step) for way in FOR_TINY}
    return Subject(NAME, knows, innocent, adapters)


def taught_subject(base: Path, template: Path | None, corpus: Corpus, step: Step) -> Subject:
    """A model of one's own, taught here: half an hour for 270 M weights on two cores.

    `template`: a file with the chat template where the tokenizer has none. Raises EvaluateError
    and DistilError.
    """
    knows, innocent = (
        taught_model(base, corpus, chat_template=template, forgotten=forgotten, step=step)
        for forgotten in (True, False)
    )
    adapters = {way.recipe: adapter_of(corpus, knows, way, step) for way in FOR_TAUGHT}
    attacks = tuple(one for one in weight_attacks(TEXTS) if one.name in WEIGHT_ATTACKED)
    return Subject(base.name, knows, innocent, adapters, weight_attacks=attacks, left_out=LEFT_OUT)
