"""The comparison that brings a corpus: a model that knows it, vLLM with the plugin, guards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from guard.demo.engine import START_TIMEOUT, Engine
from guard.evaluate.arms import (
    AlwaysRefuse,
    Arm,
    Endpoint,
    Guarded,
    Local,
    OracleRouter,
    PromptOnly,
    Served,
    Turns,
)
from guard.evaluate.arms.base import Sampling
from guard.evaluate.arms.local import weights_hash
from guard.evaluate.attacks import ATTACKS
from guard.evaluate.building import forgotten_subjects
from guard.evaluate.compare import Plan
from guard.evaluate.fictional import Corpus, fictional_suite, forget_policy
from guard.evaluate.fictional.outside import list_rows, unseen_rows
from guard.evaluate.meaning import Meaning
from guard.evaluate.rows import content_hash
from guard.evaluate.subjects import Subject
from guard.evaluate.suites import policy_suite

BARE, RETAINED = "bare model", "never saw it"


@dataclass(frozen=True, slots=True)
class Way:
    """A guard: further keys of its policy; with the engine's plugin or without; in front of the
    model itself, or of what a recipe made of it; where it sends flagged prompts; whether it is a
    control."""

    name: str
    what: str
    fields: dict[str, Any] = field(default_factory=dict)
    plugin: bool = False
    before: str = ""
    reroute: str = ""
    control: bool = False


_BAKED = "npo-ce"
WAYS = (
    Way("refuse", "guard: flagged prompts are refused"),
    Way(
        "reason",
        "guard: flagged prompts are answered under a policy text and a fixed line of reasoning",
        {"action": "reason", "reasoning": {"instruct": "template", "answer_tokens": 32}},
    ),
    Way(
        "restrict",
        "guard: the plugin in vLLM steers answers around what must not be said",
        {"action": "restrict"},
        plugin=True,
    ),
    Way(
        "rewind",
        "guard without the plugin: answers are taken back to before a match",
        {"action": "restrict"},
    ),
    Way(
        "cut",
        "guard without plugin and rewinding: answers end before a match",
        {"action": "restrict", "restrict": {"rewinds": 0}},
    ),
    Way(
        "reroute",
        f"guard: flagged prompts go to the adapter of {_BAKED}",
        {"action": "reroute"},
        reroute=_BAKED,
    ),
    Way(
        f"restrict over {_BAKED}",
        f"guard with the plugin in front of the adapter of {_BAKED}",
        {"action": "restrict"},
        plugin=True,
        before=_BAKED,
    ),
    Way(
        "broken guard",
        "control: a guard that only watches (mode: shadow)",
        {"mode": "shadow"},
        control=True,
    ),
)


@contextmanager
def corpus_plan(
    folder: Path, corpus: Corpus, subject: Subject, *, attack_rows: int
) -> Iterator[Plan]:
    """Starts vLLM with what is compared, and ends all servers after the block.

    Policies go to `folder`. Raises EvaluateError and EngineError.
    """
    suite = fictional_suite(corpus)
    listed, invented = list_rows(corpus)
    shelf = folder / "shelf"
    shelf.mkdir(parents=True, exist_ok=True)
    with ExitStack() as running:
        engine = Engine(
            subject.knows,
            name=subject.name,
            max_model_len=subject.length,
            shelf=shelf,
            arguments=_lora(subject.adapters),
        )
        running.enter_context(engine).wait(START_TIMEOUT)
        untouched = "the model that knows; nothing was done to it"
        bare = _served(running, engine.url, BARE, untouched, subject.name, subject.knows)
        arms: list[Arm] = [bare, PromptOnly(bare, forgotten_subjects([suite]))]
        for recipe, adapter in subject.adapters.items():
            what = f"guard distil, recipe {recipe}, as an adapter"
            arms.append(_served(running, engine.url, recipe, what, recipe, subject.knows, adapter))
        arms += list(_guards(running, folder, corpus, engine.url, arms, shelf, subject))
        retained = Local(
            RETAINED, subject.innocent, what="control: a model that was never told of it"
        )
        retained.control = True
        arms += [AlwaysRefuse(weights=BARE), OracleRouter(bare), retained]
        yield Plan(
            arms=arms,
            suites=[suite, policy_suite(folder / "policies" / "refuse")],
            attacks=list(ATTACKS.values()),
            weight_attacks=subject.weight_attacks,
            undefended=BARE,
            retained=RETAINED,
            listed=listed,
            invented=invented,
            unseen=unseen_rows(corpus),
            sampling=Sampling(max_tokens=32),
            attack_rows=attack_rows,
            encode=Meaning(),
        )


def _lora(adapters: Mapping[str, Path]) -> list[str]:
    """Arguments of a vLLM that serves these adapters beside the model."""
    modules = [f"{name}={folder}" for name, folder in adapters.items()]
    # The last place stays empty: on a CPU vLLM 0.32 gives what it holds to the base's rows too,
    # where they share a batch with an adapter's.
    places = str(len(adapters) + 1)
    return ["--enable-lora", "--max-loras", places, "--lora-modules", *modules]


def _served(
    running: ExitStack,
    url: str,
    name: str,
    what: str,
    served_as: str,
    model: Path,
    adapter: Path | None = None,
) -> Served:
    revision = content_hash([model.name, adapter and weights_hash(adapter)])
    endpoint = Endpoint(name, url, served_as, what="", revision=revision, weights=name)
    running.callback(endpoint.close)
    return Served(name, model, endpoint, what=what, adapter=adapter)


def _guards(
    running: ExitStack,
    folder: Path,
    corpus: Corpus,
    url: str,
    models: list[Arm],
    shelf: Path,
    subject: Subject,
) -> Iterator[Guarded]:
    """The guards of `WAYS`, each in front of one of the models."""
    known = {arm.name: arm for arm in models}
    turns = Turns()
    running.callback(turns.end)
    for way in (one for one in WAYS if one.name not in subject.left_out):
        held = known[way.before or BARE]
        name = way.before or subject.name
        guarded = _guarded(folder, corpus, way, url, name, held, shelf, turns)
        running.callback(guarded.close)
        yield guarded


def _guarded(
    folder: Path,
    corpus: Corpus,
    way: Way,
    url: str,
    served_as: str,
    held: Arm,
    shelf: Path,
    turns: Turns,
) -> Guarded:
    place = folder / "policies" / way.name.replace(" ", "-")
    forget_policy(place, corpus, **way.fields)
    config = None
    if way.reroute:
        config = folder / "policies" / f"{way.name}.yaml"
        config.write_text(yaml.safe_dump({"reroute": {"model": way.reroute}}), "utf-8")
    arm = Guarded(
        way.name,
        url,
        served_as,
        policies=place,
        turns=turns,
        what=way.what,
        revision=held.identity,
        weights=held.name,
        shelf=shelf if way.plugin else None,
        config=config,
    )
    arm.control = way.control
    return arm
