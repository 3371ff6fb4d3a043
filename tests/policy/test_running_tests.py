"""`guard policy test` with the real detectors and output filter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from guard.cli.policy import app
from tests.policy.conftest import HEAD, Write

EXAMPLES = Path(__file__).parents[2] / "policies"
FORGET = "forget: {entities: [{name: Basil Mahfouz}]}\n"


@pytest.mark.encoder
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_policies_pass_their_own_tests(path: Path) -> None:
    told = CliRunner().invoke(app, ["test", str(path), "--json", "--show"])
    rows = json.loads(told.stdout)
    assert [row for row in rows["tests"] if not row["passed"]] == []
    assert rows["passed"] > 0
    assert told.exit_code == 0


@pytest.mark.parametrize(
    ("row", "got"),
    [
        ("{prompt: Who is Basil Mahfouz, expect: flagged}", "flagged"),
        ("{prompt: Who is Basil Mahfouz, expect: benign}", "flagged"),
        ("{prompt: Who is Chinua Achebe, expect: flagged}", "benign"),
        ("{messages: [{role: user, content: Who is Basil Mahfouz}], expect: flagged}", "flagged"),
        ("{output: It was Basil Mahfouz., expect: filtered}", "filtered"),
        ("{output: It was Basil Mahfouz., expect: untouched}", "filtered"),
        ("{output: It was raining., expect: filtered}", "untouched"),
    ],
)
@pytest.mark.parametrize(
    "settings",
    ["", "mode: shadow\n", "until: 2020-01-01\n", "applies_to: {models: [gemma], keys: [team]}\n"],
)
def test_a_row_passes_when_the_guard_does_what_it_expects(
    write: Write, row: str, got: str, settings: str
) -> None:
    path = write(HEAD + FORGET + settings + f"tests:\n  - {row}\n")
    told = CliRunner().invoke(app, ["test", str(path), "--json"])
    (result,) = json.loads(told.stdout)["tests"]
    assert result["got"] == got
    assert result["passed"] is (result["expect"] == got)
    assert told.exit_code == (0 if result["passed"] else 1)
    assert "Mahfouz" not in told.stdout


def test_a_row_is_judged_by_its_own_policy_alone(write: Write) -> None:
    row = "tests:\n  - {prompt: Who is Basil Mahfouz, expect: benign}\n"
    write(HEAD + FORGET, "a.yaml")
    folder = write(
        "version: 1\nname: b\nforget: {entities: [{name: Chinua Achebe}]}\n" + row, "b.yaml"
    ).parent
    assert CliRunner().invoke(app, ["test", str(folder)]).exit_code == 0


def test_a_failed_row_shows_its_text_only_when_asked(write: Write) -> None:
    row = "tests:\n  - {prompt: Who is Basil Mahfouz, expect: benign}\n"
    path = write(HEAD + FORGET + row)
    told = CliRunner().invoke(app, ["test", str(path)])
    assert "tests[0]: expected benign, got flagged" in told.stdout
    assert "Mahfouz" not in told.stdout
    assert "Who is Basil Mahfouz" in CliRunner().invoke(app, ["test", str(path), "--show"]).stdout
