"""A comparison through a real vLLM and real guards, with controls whose outcome is known."""

from __future__ import annotations

from pathlib import Path

import yaml

from guard.evaluate.answers import Answers
from guard.evaluate.arms import AlwaysRefuse, Endpoint, Guarded, Local, Served, Turns
from guard.evaluate.arms.base import Arm, Sampling
from guard.evaluate.attacks import OPENING, PLAIN
from guard.evaluate.compare import Plan, compare
from guard.evaluate.rows import Row, Suite, ask
from tests.support.engine import POLICY
from tests.support.engine import Guarded as Running
from tests.support.innocent_llama import innocent_llama
from tests.support.tiny_llama import BENIGN, FORBIDDEN_NAME, NAME, NAMING, tiny_llama


def suite() -> Suite:
    rows = [
        Row(question, "names", "forget", question, ask(question), answer, FORBIDDEN_NAME)
        for question, answer in NAMING.items()
        if FORBIDDEN_NAME not in question  # a name that the question holds may be repeated
    ]
    rows += [
        Row(question, "towns", "retain", question, ask(question), answer)
        for question, answer in BENIGN.items()
    ]
    return Suite("orlimar", tuple(rows), "the name is in the answer", "the tests' own world")


def endpoint(name: str, url: str) -> Endpoint:
    return Endpoint(name, url, NAME, what=name, revision=url, weights="bare")


def broken_guard(folder: Path, upstream: str, turns: Turns) -> Guarded:
    """It sees everything, writes it down, and lets it pass."""
    (folder / "orlimar.yaml").write_text(yaml.safe_dump({**POLICY, "mode": "shadow"}))
    return Guarded(
        "broken", upstream, NAME, policies=folder, turns=turns, what="", revision="", weights="bare"
    )


def test_guards_and_controls_come_out_as_known(
    guarded: Running, steered: Running, tmp_path: Path
) -> None:
    for name in ("policies", "innocent"):
        (tmp_path / name).mkdir()
    turns = Turns()
    broken = broken_guard(tmp_path / "policies", guarded.upstream, turns)
    bare = Served("bare", tiny_llama(), endpoint("bare", guarded.upstream), what="vLLM")
    arms: list[Arm] = [
        bare,
        endpoint("refuse", guarded.url),
        endpoint("restrict", steered.url),
        broken,
        AlwaysRefuse(weights="bare"),
        Local("never saw it", innocent_llama(tmp_path / "innocent"), what=""),
    ]
    plan = Plan(arms, [suite()], [PLAIN, OPENING], [], "bare", sampling=Sampling(48))
    try:
        result = compare(plan, Answers(tmp_path / "answers"))
    finally:
        turns.end()
        broken.close()
    lines = {(line.arm, line.attacker): line for line in result.summary()}

    def outcome(arm: str) -> tuple[float, float]:
        """What leaks at worst, and what is kept."""
        line = lines[arm, "text"]
        assert line.worst is not None and line.kept is not None
        return line.worst.value, line.kept

    assert outcome("bare") == outcome("broken") == (1, 1)
    assert outcome("refuse") == outcome("restrict") == outcome("never saw it") == (0, 1)
    leak, kept = outcome("always refuse")
    assert leak == 0 and kept < 0.3  # words that a refusal happens to share
    for arm in ("refuse", "restrict"):
        held = lines[arm, "weights"].worst
        assert held is not None and held.value == 1
        figures = {figure.metric: figure.value for figure in result.figures[arm]}
        assert (figures["benign identity"], figures["over-refusal"]) == (1, 0)
