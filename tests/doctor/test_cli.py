"""`guard doctor`: exit codes, a table for people, JSON for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from guard.cli.main import app
from tests.support.fleet import Fleet
from tests.support.healthy import KEY, Healthy
from tests.support.upstream import ScriptedUpstream, unreachable_url


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARD_UPSTREAM_API_KEY", KEY)
    monkeypatch.setenv("COLUMNS", "200")


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *arguments])


def test_a_healthy_server(
    upstream: ScriptedUpstream, fleet: Fleet, healthy: Healthy, shelf: Path
) -> None:
    fleet.join("one")
    result = doctor("--upstream", f"{upstream.url}/v1", "--shelf", str(shelf), "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["upstream"], said["model"]) == (upstream.url, "m")
    assert {"check", "level", "seen", "mend"} == said["findings"][0].keys()
    assert KEY not in result.output


def test_what_is_found_makes_the_exit_code_1(
    upstream: ScriptedUpstream, fleet: Fleet, healthy: Healthy
) -> None:
    fleet.join("one", plugin=False)
    healthy.raw_logprobs = True
    healthy.models = [{"id": "[bold]m"}]
    result = doctor("--upstream", upstream.url)
    assert result.exit_code == 1
    assert "--logprobs-mode processed_logprobs" in result.stdout
    assert "models: [bold]m" in result.stdout  # names are no markup


def test_a_second_server_that_is_away_is_a_problem(
    upstream: ScriptedUpstream, fleet: Fleet, healthy: Healthy
) -> None:
    fleet.join("one")
    result = doctor("--upstream", upstream.url, "--reroute", unreachable_url(), "--json")
    assert result.exit_code == 1, result.output
    (found,) = (row for row in json.loads(result.stdout)["findings"] if row["check"] == "weights")
    assert (found["level"], "no answer" in found["seen"]) == ("problem", True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--upstream", unreachable_url()),
        ("--upstream", "ftp://host"),
        ("--upstream", "{url}", "--shelf", "/no/such/directory"),
        ("--upstream", "{url}", "--reroute", "ftp://host"),
        ("--upstream", "{url}"),  # no key: 401
        (),
    ],
)
def test_wrong_use_and_unreachable_servers(
    upstream: ScriptedUpstream,
    healthy: Healthy,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.delenv("GUARD_UPSTREAM_API_KEY")
    result = doctor(*(argument.format(url=upstream.url) for argument in arguments))
    assert result.exit_code == 2
    assert "Traceback" not in result.output
