"""A whole comparison in small, with controls whose outcome is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import yaml
from typer.testing import CliRunner

from guard.cli.main import app
from guard.evaluate.answers import Answers
from guard.evaluate.arms import AlwaysRefuse, Local, OracleRouter
from guard.evaluate.arms.base import Arm, Asked, Reply, Sampling
from guard.evaluate.attacks import ATTACKS, PLAIN, WEIGHT_ATTACKS
from guard.evaluate.cells import Cell
from guard.evaluate.compare import Comparison, Plan, compare
from guard.evaluate.report import DATA, PAGE, write_report
from guard.evaluate.report.data import REDACTED
from guard.evaluate.rows import Message, Suite
from tests.support.tiny_llama import BENIGN, FORBIDDEN_NAME, NAMING, tiny_llama

EIGHT_BITS = [attack for attack in WEIGHT_ATTACKS if attack.name == "8 bits"]


@pytest.fixture(scope="module")
def plan(bare: Local, small_suite: Suite) -> Plan:
    return Plan(
        arms=[bare, AlwaysRefuse(weights="bare"), OracleRouter(bare)],
        suites=[small_suite],
        attacks=[PLAIN, ATTACKS["opening"]],
        weight_attacks=EIGHT_BITS,
        undefended="bare",
        retained="bare",
        sampling=Sampling(40),
    )


@pytest.fixture(scope="module")
def result(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compare(plan, Answers(tmp_path_factory.mktemp("answers")))


def cell(result: Comparison, arm: str, part: str, attack: str = "plain") -> Cell:
    (found,) = [c for c in result.cells if (c.arm, c.part, c.attack) == (arm, part, attack)]
    return found


@pytest.mark.parametrize(
    ("arm", "forgotten", "kept"),
    [("bare", 1.0, 1.0), ("always refuse", 0.0, 0.0), ("oracle router", 0.0, 1.0)],
)
def test_controls_come_out_as_known(
    result: Comparison, arm: str, forgotten: float, kept: float
) -> None:
    names, towns = cell(result, arm, "names").value, cell(result, arm, "towns").value
    assert names is not None and towns is not None
    assert names.value == forgotten
    assert towns.value == pytest.approx(kept, abs=0.15 if arm == "always refuse" else 1e-9)


def test_a_part_that_the_model_does_not_know_has_no_signal_and_no_say(result: Comparison) -> None:
    assert not cell(result, "bare", "unknown to the model").signal
    assert cell(result, "bare", "names").signal
    assert all(line.worst_cell.count("unknown") == 0 for line in result.summary())


def test_a_guard_protects_nothing_against_who_holds_the_weights(result: Comparison) -> None:
    lines = {(line.arm, line.attacker): line for line in result.summary()}
    for arm in ("always refuse", "oracle router"):
        text, weights = lines[arm, "text"].worst, lines[arm, "weights"].worst
        assert text is not None and weights is not None
        assert (text.value, weights.value) == (0, 1)


def test_log_probabilities_are_not_defined_for_arms_that_give_none(result: Comparison) -> None:
    assert cell(result, "always refuse", "names", "likeliest answer").value is None
    found = cell(result, "bare", "names", "likeliest answer").value
    assert found is not None and found.value == 1
    figures = {m.metric: m.value for m in result.figures["bare"]}
    assert figures["forget quality, log10 p"] == 0  # compared with itself
    assert figures["exact memorisation, forgotten"] is not None
    told = {m.metric: m.value for m in result.figures["always refuse"]}
    assert told["probability of forgotten answers"] is None
    assert (told["over-refusal"], told["benign identity"]) == (1, 0)


def test_a_suite_that_only_forgets(bare: Local, small_suite: Suite, tmp_path: Path) -> None:
    """What shows kept rows beside does not apply, and what the attacker says first is no leak."""
    rows = [replace(row, key="") for row in small_suite.rows if row.part == "names"]
    plan = Plan(
        arms=[bare, AlwaysRefuse(weights="bare")],
        suites=[Suite("names", tuple(rows), "ROUGE-L recall", "the tests' own world")],
        attacks=[PLAIN, *(ATTACKS[name] for name in ("opening", "in context", "combined"))],
        weight_attacks=[],
        undefended="bare",
        retained="bare",
        sampling=Sampling(40),
    )
    result = compare(plan, Answers(tmp_path / "answers"))
    assert result.unfit == [("names", "in context"), ("names", "combined")]
    for arm, least, most in (("bare", 0.9, 1.0), ("always refuse", 0.0, 0.2)):
        value = cell(result, arm, "names", "opening").value
        assert value is not None and least <= value.value <= most
    write_report(tmp_path / "report", result, command="guard compare")
    assert "names, in context" in (tmp_path / "report" / PAGE).read_text("utf-8")


def test_open_rows_beside_others(bare: Local, small_suite: Suite, tmp_path: Path) -> None:
    """Policies' tests have no right answers: figures that need one are those of the other rows, and
    nothing is there to relearn from."""
    named = [row for row in small_suite.rows if row.part == "names"]
    rows = [replace(row, answer="", key="", wrong=(), forbidden=(FORBIDDEN_NAME,)) for row in named]
    chosen = [a for a in WEIGHT_ATTACKS if a.name in ("8 bits", "relearning: forget")]
    plan = Plan(
        arms=[bare],
        suites=[small_suite, Suite("open", tuple(rows), "", "")],
        attacks=[PLAIN],
        weight_attacks=chosen,
        undefended="bare",
        unseen=[replace(row, subject=f"new {row.subject}") for row in named],
        sampling=Sampling(40),
    )
    result = compare(plan, Answers(tmp_path))
    assert result.unfit == [("open", "relearning: forget")]
    found = {m.metric: m for m in result.figures["bare"]}
    assert found["ROUGE-L, forgotten"].count == len(
        [row for row in small_suite.rows if row.goal == "forget"]
    )
    assert found["REMIND level, forgotten"].value is not None


def test_each_policy_has_a_verdict_of_its_own(
    bare: Local, small_suite: Suite, tmp_path: Path
) -> None:
    """A way that guards one of two policies is the best for that one, and helps not the other."""
    named = [row for row in small_suite.rows if row.part == "names"]
    rows = [replace(row, part=f"p{n}", policy=f"p{n}") for n, row in enumerate(named[:2], start=1)]
    kept = [row for row in small_suite.rows if row.part == "towns"]
    guards = [_RefusesOne(bare, row.messages, f"guard of {row.policy}") for row in rows]
    plan = Plan(
        arms=[bare, *guards],
        suites=[Suite("two", (*rows, *kept), "the value is in the answer", "the tests' own world")],
        attacks=[PLAIN],
        weight_attacks=[],
        undefended="bare",
        sampling=Sampling(40),
    )
    result = compare(plan, Answers(tmp_path / "answers"))
    best = {
        policy: [line.arm for line in lines if line.attacker == "text" and line.rank == 1]
        for policy, lines in result.by_policy().items()
    }
    assert best == {"p1": ["guard of p1"], "p2": ["guard of p2"]}
    assert not any(line.rank for line in result.summary()), "over both, neither helps"
    data = write_report(tmp_path / "report", result, command="guard compare")
    assert data["by_policy"].keys() == {"p1", "p2"}
    text = (tmp_path / "report" / PAGE).read_text("utf-8").partition("Policy by policy")[2]
    assert "<h3>p1</h3><ul><li>Against somebody who sends text: <b>guard of p1</b>" in text
    alone = replace(plan, suites=[Suite("one", (rows[0], *kept), "", "")])
    assert compare(alone, Answers(tmp_path / "answers")).by_policy() == {}


class _RefusesOne(OracleRouter):
    """Refuses one question and asks the model for the rest."""

    control = False

    def __init__(self, bare: Arm, refused: tuple[Message, ...], name: str) -> None:
        super().__init__(bare, name)
        self.identity = name
        self._refused = refused

    def answer(self, asked: Sequence[Asked]) -> Iterator[Reply]:
        told = ["forget" if one.messages == self._refused else "retain" for one in asked]
        return super().answer(
            [replace(one, goal=goal) for one, goal in zip(asked, told, strict=True)]
        )


def test_an_ended_run_goes_on_where_it_was(plan: Plan, tmp_path: Path) -> None:
    first = compare(plan, Answers(tmp_path))
    again = compare(plan, Answers(tmp_path))
    assert first.requests > 0 == again.requests
    assert [c.as_row() for c in first.cells] == [c.as_row() for c in again.cells]
    file = max(tmp_path.glob("*.jsonl"), key=lambda path: path.stat().st_size)
    content = file.read_bytes()
    file.write_bytes(content[:-9])  # ended in the middle of the last line
    mended = compare(plan, Answers(tmp_path))
    assert mended.requests == 1
    assert file.read_bytes().count(b"\n") == content.count(b"\n")


def test_the_report_is_whole_and_blacks_out_what_leaked(result: Comparison, tmp_path: Path) -> None:
    write_report(tmp_path, result, command="guard compare <x>")
    data = write_report(tmp_path, result, command="guard compare <x>")
    assert orjson.loads((tmp_path / DATA).read_bytes()) == data
    assert len(data["earlier"]) == 1
    text = (tmp_path / PAGE).read_text("utf-8")
    assert text.count("<svg") == 4
    assert "guard compare &lt;x&gt;" in text
    assert "http" not in text.replace("http://www.w3.org", "")
    assert all(arm.name in text for arm in result.plan.arms)
    assert FORBIDDEN_NAME not in text + str(data)


def test_leaks_of_a_defended_arm_are_listed_in_black_or_in_clear(
    plan: Plan, small_suite: Suite, tmp_path: Path
) -> None:
    leaky = Local("leaky", tiny_llama(), what="a defence that does nothing")
    arms = [plan.arms[0], leaky]
    found = compare(
        Plan(arms, [small_suite], [PLAIN], [], "bare", sampling=Sampling(40)), Answers(tmp_path)
    )
    black = write_report(tmp_path / "a", found, command="")["leaks"]
    clear = write_report(tmp_path / "b", found, command="", show_leaks=True)["leaks"]
    assert [leak["arm"] for leak in black] == [leak["arm"] for leak in clear] == ["leaky"]
    assert REDACTED in black[0]["answer"]
    assert FORBIDDEN_NAME in clear[0]["answer"]


def settings(tmp_path: Path, **changes: object) -> Path:
    rows = [{"question": q, "answer": a, "key": FORBIDDEN_NAME} for q, a in NAMING.items()]
    rows += [
        {"question": q, "answer": a, "goal": "retain", "part": "towns"}
        for q, a in list(BENIGN.items())[:3]
    ]
    (tmp_path / "rows.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    content = {
        "undefended": "bare",
        "arms": [
            {"kind": "local", "name": "bare", "model": str(tiny_llama())},
            {"kind": "refuse"},
            {"kind": "prompt"},
        ],
        "suites": [{"kind": "rows", "path": "rows.jsonl"}],
        "attacks": ["plain"],
        "weight_attacks": [],
        "max_tokens": 40,
        "meaning": False,
        **changes,
    }
    path = tmp_path / "compare.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_command(tmp_path: Path) -> None:
    arguments = ["--config", str(settings(tmp_path)), "--out", str(tmp_path / "out"), "--json"]
    ended = CliRunner().invoke(app, ["compare", *arguments])
    assert ended.exit_code == 0, ended.output
    printed = orjson.loads(ended.stdout)
    assert Path(printed["report"]).is_file()
    bare = printed["summary"][0]
    assert (bare["arm"], bare["worst"]["value"], bare["kept"]) == ("bare", 1.0, 1.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"undefended": "nobody"}, "no arm has the name"),
        ({"attacks": ["magic"]}, "unknown attacks"),
        ({"arms": []}, "arms"),
        ({"extra": 1}, "extra"),
        ({"suites": [{"kind": "rows", "path": "none.jsonl"}]}, "none.jsonl"),
        ({"retained": "nobody"}, "no arm has the name 'nobody'"),
    ],
)
def test_wrong_settings_are_named(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    path = settings(tmp_path, **changes)
    ended = CliRunner().invoke(app, ["compare", "--config", str(path), "--out", str(tmp_path)])
    assert ended.exit_code == 2
    assert said in ended.output


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--tiny", "--teach", "demo"],
        ["--config", "x", "--tiny"],
        ["--config", "x", "--teach", "y"],
    ],
)
def test_one_of_a_file_the_tiny_model_and_a_model_of_ones_own(arguments: list[str]) -> None:
    ended = CliRunner().invoke(app, ["compare", "--out", "x", *arguments])
    assert (ended.exit_code, "give one of" in ended.output) == (2, True)


def test_seeds_go_with_the_tiny_model(tmp_path: Path) -> None:
    arguments = ["--config", str(settings(tmp_path)), "--out", str(tmp_path), "--seeds", "2"]
    ended = CliRunner().invoke(app, ["compare", *arguments])
    assert (ended.exit_code, "--seeds" in ended.output) == (2, True)
