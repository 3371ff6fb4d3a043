"""`guard policy`: exit codes, what is printed, and what is never printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from guard.cli.policy import app
from guard.policy import policy_schema
from tests.policy.conftest import HEAD, Write

EXAMPLES = Path(__file__).parents[2] / "policies"
GOOD = (
    HEAD
    + "forget:\n  entities: [{name: Basil Mahfouz, aliases: [Basil Mahfuz]}]\n"
    + "  prompts: [Who was born in Kuwait City in 1956 and writes novels]\n"
    + "  texts: [a passage about the fictional author and his two brothers]\n"
)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("content", "code", "errors", "warnings"),
    [
        (GOOD, 0, 0, 0),
        (GOOD + "until: 2020-01-01\n", 0, 0, 1),
        (GOOD + "untill: 2020-01-01\n", 1, 1, 0),
        (GOOD + "foo: 1\nbar: 2\n", 1, 2, 0),
    ],
)
def test_lint_exits_with_one_only_for_errors(
    write: Write, content: str, code: int, errors: int, warnings: int
) -> None:
    path = write(content)
    told = run("lint", path, "--json")
    assert told.exit_code == code
    found = json.loads(told.stdout)
    assert (found["errors"], found["warnings"]) == (errors, warnings)
    assert len(found["problems"]) == errors + warnings
    for problem in found["problems"]:
        assert problem["file"] == str(path)
        assert problem["line"] > 0
    human = run("lint", path.parent)
    assert human.exit_code == code
    assert all(problem["message"] in human.stdout for problem in found["problems"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lint", "no/such/path"), "does not exist"),
        (("explain", "no/such/path"), "does not exist"),
        (("test", "no/such/path"), "does not exist"),
        (("explain", EXAMPLES, "--policy", "nobody"), "there is no policy nobody"),
        (("test", EXAMPLES, "--policy", "nobody"), "there is no policy nobody"),
        (("lint",), "Missing argument"),
        (("lnt", EXAMPLES), "No such command"),
    ],
)
def test_wrong_use_exits_with_two(arguments: tuple[str | Path, ...], said: str) -> None:
    told = run(*arguments)
    assert told.exit_code == 2
    assert said in told.output


@pytest.mark.parametrize("command", ["lint", "explain", "schema", "test"])
def test_help_carries_an_example(command: str) -> None:
    told = run(command, "--help")
    assert told.exit_code == 0
    assert f"Example: guard policy {command}" in told.stdout


@pytest.mark.parametrize("command", ["explain", "test"])
def test_a_policy_that_does_not_load_exits_with_one_and_its_place(
    write: Write, command: str
) -> None:
    path = write(HEAD + "foo: 1\n")
    told = run(command, path)
    assert told.exit_code == 1
    assert f"{path}:3: foo: unknown key" in told.stderr


def test_explain_counts_without_telling(write: Write) -> None:
    path = write(GOOD)
    for told in (run("explain", path), run("explain", path, "--json")):
        assert told.exit_code == 0
        for secret in ("Basil", "Mahfuz", "Kuwait", "brothers"):
            assert secret not in told.stdout
    (description,) = json.loads(run("explain", path, "--json").stdout)["policies"]
    assert description["counts"] == {
        "entities": 1,
        "names": 2,
        "prompts": 1,
        "embeddings": 0,
        "texts": 1,
        "tests": 0,
        "retain_prompts": 0,
    }


def test_explain_shows_what_is_forgotten_when_asked(write: Write) -> None:
    told = run("explain", write(GOOD), "--show", "--json")
    (description,) = json.loads(told.stdout)["policies"]
    assert description["forgets"]["names"] == ["Basil Mahfouz", "Basil Mahfuz"]
    assert "Basil Mahfuz" in run("explain", write(GOOD), "--show").stdout


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("mode: shadow\n", "shadow: only recorded"),
        ("until: 2020-01-01\n", "expired: not enforced"),
        ("review_by: 2020-01-01\n", "enforced; review overdue"),
        ("applies_to: {except_keys: [legal-team]}\n", "legal-team"),
        ("on_error: open\n", "the request passes"),
        ("scope: any\n", "not even what the user supplies"),
        ("owner: '[red]privacy[/]'\n", "[red]privacy[/]"),
    ],
)
def test_explain_says_in_words_what_the_settings_do(write: Write, settings: str, said: str) -> None:
    assert said in run("explain", write(GOOD + settings)).stdout


def test_explain_can_be_limited_to_one_policy() -> None:
    told = run("explain", EXAMPLES, "--policy", "marie-curie", "--json")
    assert [policy["name"] for policy in json.loads(told.stdout)["policies"]] == ["marie-curie"]


def test_schema_prints_the_schema() -> None:
    assert json.loads(run("schema").stdout) == policy_schema()


def test_the_examples_lint_without_a_problem() -> None:
    told = run("lint", EXAMPLES, "--json")
    assert json.loads(told.stdout) == {"problems": [], "errors": 0, "warnings": 0}
