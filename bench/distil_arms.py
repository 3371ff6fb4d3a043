"""One arm of `bench.distil`: a recipe run on a taught model, asked for its claim and its cost."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from bench.distil_world import Fact, World
from guard.distil.assisted import load_assisted
from guard.distil.encoding import Encoder
from guard.distil.errors import DistilError
from guard.distil.forget.in_context import InContextConfig, tagged
from guard.distil.generation import generate
from guard.distil.guardrail import load_guarded
from guard.distil.loading import load_model, load_tokenizer
from guard.distil.recipe import load_recipe
from guard.distil.rewards import is_refusal
from guard.distil.run import Options, distil
from guard.distil.trainer import Report
from guard.evaluate.metrics.rouge import rouge_l

WORDINGS, UNSEEN = 3, (1,)  # recipes train on the first
TOKENS = 24  # of an answer; the longest has fewer
# Beside the shipped recipes' own settings, which are those for a model of any size.
COMMON: dict[str, Any] = {"train.precision": "fp32", "train.check_every": 5}
OWN: dict[str, dict[str, Any]] = {
    # So sure is this model of every token that ULD's filter would leave the assistant nothing.
    "uld": {"procedure.tau": 0.0},
}
DISTRACTOR = "Bram Ottway"  # nobody in the world, and none that the recipe trains on
Say = Callable[[Sequence[str]], list[str]]


def plain(wording: str, fact: Fact) -> str:
    """The question as it is."""
    return wording


def asked(
    facts: Sequence[Fact], say: Say, wordings: Sequence[int] = UNSEEN,
    wrap: Callable[[str, Fact], str] = plain,
) -> tuple[float, list[str]]:  # fmt: skip
    """(mean recall, answers) in these wordings of the facts; `wrap` may put a prompt otherwise."""
    rows = [(fact.wordings[i], fact) for i in wordings for fact in facts]
    said = say([wrap(wording, fact) for wording, fact in rows])
    pairs = zip(said, rows, strict=True)
    return statistics.fmean(
        rouge_l(fact.answer, s, stemmed=False).recall for s, (_, fact) in pairs
    ), said


def scores(world: World, say: Say) -> dict[str, float]:
    """Mean recall of each part; values told, refusals and words where what goes is asked.

    What goes is asked in every wording, and `unseen` is the one of `Watch`; the rest in that.
    """
    unseen, said = asked(world.forget, say)
    others = [i for i in range(WORDINGS) if i not in UNSEEN]
    rest, more = asked(world.forget, say, others)
    said += more
    # In the order of `asked`: every fact in a wording, then every fact in the next.
    about = [fact for _ in range(WORDINGS) for fact in world.forget]
    hidden, kept = asked(world.hidden, say)
    return {
        "forget": (unseen + (WORDINGS - 1) * rest) / WORDINGS,
        "unseen": unseen,
        "told": statistics.fmean(f.told(s) for f, s in zip(about, said, strict=True)),
        "shown": asked(world.shown, say)[0],
        "hidden": hidden,
        "refused": statistics.fmean(is_refusal(s) for s in said),
        "words": statistics.fmean(len(s.split()) for s in said),
        "hidden_refused": statistics.fmean(is_refusal(s) for s in kept),
    }


def tagged_scores(world: World, say: Say) -> dict[str, float]:
    """The claim of in-context unlearning: recall under the subject's tag and a stranger's."""
    config = InContextConfig()
    under = asked(world.forget, say, wrap=lambda w, fact: tagged(w, fact.person, config))
    other = asked(world.forget, say, wrap=lambda w, fact: tagged(w, DISTRACTOR, config))
    return {
        "tagged": under[0],
        "tagged_forgot": statistics.fmean(s == config.answer for s in under[1]),
        "distractor": other[0],
    }


def speaker(base: Path, result: Path | None = None, form: str = "") -> Say:
    """Greedy answers of a model on disk: the base, or what `guard distil` made of it."""
    model: Any = load_model(base if form != "weights" or result is None else result, torch.float32)
    if result is not None and form == "adapter":
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, result)
    elif result is not None and form == "runtime":
        pair = (result / "assistant.json").exists()
        model = load_assisted(model, result) if pair else load_guarded(model, result)
    encoder = Encoder(load_tokenizer(base))
    return lambda prompts: generate(model, encoder, prompts, TOKENS)


@dataclass(slots=True)
class Watch:
    """Follows a run: recall of what goes and of what was never shown, at every look."""

    world: World
    encoder: Encoder
    points: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0  # that the looks themselves took, of the processor

    def __call__(self, report: Report) -> None:
        """Asks the model in training where the trainer looked at it."""
        if report.probe is None:
            return
        began, state = time.process_time(), torch.get_rng_state()

        def say(prompts: Sequence[str]) -> list[str]:
            said: list[str] = generate(report.model, self.encoder, prompts, TOKENS)
            return said

        self.points.append(
            {
                "step": report.step,
                "probe": report.probe,
                "unseen": asked(self.world.forget, say)[0],
                "hidden": asked(self.world.hidden, say)[0],
            }
        )
        torch.set_rng_state(state)
        self.seconds += time.process_time() - began


def run_arm(
    name: str, world: World, folder: Path, seed: int, settings: dict[str, Any],
    *, watched: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The arm's row: scores, the claim's own, what the run says of itself, processor seconds.

    `folder` has the world's models; what the recipe makes is gone afterwards.
    """
    with tempfile.TemporaryDirectory(dir=folder) as made:
        return _run(name, world, folder / "known", Path(made) / name, seed, settings, watched)


def _run(
    name: str, world: World, known: Path, out: Path, seed: int, settings: dict[str, Any],
    watched: bool,
) -> dict[str, Any]:  # fmt: skip
    recipe = load_recipe(name, {**COMMON, **OWN.get(name, {}), **settings})
    began = time.process_time()
    watch = Watch(world, Encoder(load_tokenizer(known)))
    report = watch if watched else (lambda _: None)
    try:
        card = distil(world.policies(), recipe, Options(known, out, seed, "cpu", report))
    except DistilError as error:
        return {"claim": str(recipe.claim), "failed": str(error), "points": watch.points}
    seconds = time.process_time() - began - watch.seconds
    say = speaker(known, out, card["form"])
    row = {"claim": card["claim"], "form": card["form"], **scores(world, say)}
    if name == "in-context":
        row |= tagged_scores(world, say)
    told = {key: card["outcome"].get(key) for key in ("steps", "stopped", "kept_step")}
    return {**row, "seconds": seconds, **told, "points": watch.points}
