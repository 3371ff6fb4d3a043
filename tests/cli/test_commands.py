"""The command line: exit codes, files, errors with their remedy."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from guard import __version__
from guard.cli.main import app
from tests.support.proxy import chat_body, write_policy
from tests.support.upstream import Reply, ScriptedUpstream, chat_completion

runner = CliRunner()


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    directory = tmp_path / "policies"
    directory.mkdir()
    write_policy(directory, names=["Harry Potter"])
    return directory


def run_check(policies: Path, rows: str, out: Path) -> tuple[int, str]:
    source = policies.parent / "rows.jsonl"
    source.write_text(rows)
    arguments = ["check", "--policies", str(policies), "--in", str(source), "--out", str(out)]
    result = runner.invoke(app, arguments)
    return result.exit_code, result.output


def test_the_version_is_printed() -> None:
    assert runner.invoke(app, ["--version"]).output == f"guard {__version__}\n"


@pytest.mark.parametrize("command", [[], ["serve"], ["check"], ["policy"], ["policy", "lint"]])
def test_every_command_explains_itself(command: list[str]) -> None:
    result = runner.invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    if command not in ([], ["policy"]):
        assert "Example" in result.output


def test_check_writes_a_verdict_for_every_row_in_order(policies: Path, tmp_path: Path) -> None:
    rows = [
        {"id": "a", "prompt": "Who is Harry Potter?"},
        {"id": "b", "prompt": "Who wrote Hamlet?"},
        {"id": 3, "output": "He is Harry Potter!"},
        {"prompt": "no id", "model": "m", "key": "k"},
    ]
    out = tmp_path / "out.jsonl"
    code, _ = run_check(policies, "\n".join(orjson.dumps(row).decode() for row in rows), out)
    assert code == 1
    found = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    assert [row["id"] for row in found] == ["a", "b", 3, None]
    assert [row["flagged"] for row in found] == [True, False, True, False]
    assert found[2]["clean"] == "He is !"


def test_check_ends_with_0_when_nothing_was_found(policies: Path, tmp_path: Path) -> None:
    code, _ = run_check(policies, '{"id": 1, "prompt": "Hamlet"}\n\n', tmp_path / "out.jsonl")
    assert code == 0


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("not json", "rows.jsonl:1: not a JSON object"),
        ('{"prompt": "x"}\n[1]', "rows.jsonl:2: not a JSON object"),
        ('{"id": 1}', "rows.jsonl:1: A row has exactly one of"),
        ('{"prompt": "x", "promt": "y"}', "rows.jsonl:1: Unknown field"),
    ],
)
def test_check_names_the_row_that_is_wrong(
    policies: Path, tmp_path: Path, rows: str, words: str
) -> None:
    code, output = run_check(policies, rows, tmp_path / "out.jsonl")
    assert code == 2
    assert words in output.replace("\n", "")


def test_check_refuses_bad_policies(tmp_path: Path) -> None:
    directory = tmp_path / "policies"
    directory.mkdir()
    (directory / "a.yaml").write_text("version: 1\nname: a\nforgett: {}\n")
    code, output = run_check(directory, '{"prompt": "x"}', tmp_path / "out.jsonl")
    assert code == 2
    assert "a.yaml:3: forgett: unknown key, did you mean forget?" in output.replace("\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policies", "nowhere"], "nowhere"),
        (["--policies", "POLICIES", "--upstream", "vllm:8000"], "--upstream must begin with"),
        (["--policies", "POLICIES", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--policies", "POLICIES", "--log-level", "loud"], "loud"),
    ],
)
def test_serve_does_not_start_on_what_it_cannot_use(
    policies: Path, arguments: list[str], words: str
) -> None:
    given = [str(policies) if word == "POLICIES" else word for word in arguments]
    result = runner.invoke(app, ["serve", *given])
    assert result.exit_code == 2
    assert words in result.output


def test_serve_answers_and_stops_when_told(policies: Path, upstream: ScriptedUpstream) -> None:
    upstream.always(Reply.json(chat_completion("Here you are.")))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "guard", "serve", "--policies", str(policies)]
    options = ["--upstream", upstream.url, "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while True:
            try:
                if httpx.get(f"{url}/healthz").status_code == 200:
                    break
            except httpx.TransportError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        answer = httpx.post(f"{url}/v1/chat/completions", json=chat_body("Harry Potter?"))
        assert answer.json()["choices"][0]["finish_reason"] == "content_filter"
        answer = httpx.post(f"{url}/v1/chat/completions", json=chat_body("Hamlet?"))
        assert answer.json()["choices"][0]["message"]["content"] == "Here you are."
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert b"Traceback" not in errors
    assert b"Potter" not in errors
