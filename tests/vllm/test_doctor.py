"""The doctor, and the proof, at a real vLLM that lacks nothing; and a grammar that meets a ban."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from guard.cli.main import app
from guard.demo.engine import Engine
from guard.evaluate.small_llama import prompt_of
from tests.support.engine import Guarded, engine_holds, eventually
from tests.support.proxy import Proxy, write_policy
from tests.support.tiny_llama import FORBIDDEN_NAME, NAME

QUESTION = "Who painted the ceiling of Senn?"
ONLY_THE_NAME = [
    {"structured_outputs": {"choice": [FORBIDDEN_NAME]}},
    {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "a", "schema": {"const": FORBIDDEN_NAME}},
        }
    },
]


def test_the_doctor_finds_nothing_amiss(tiny_engine: Engine, shelf: Path) -> None:
    command = ["doctor", "--upstream", tiny_engine.url, "--shelf", str(shelf), "--json"]
    result = CliRunner().invoke(app, command)
    said = json.loads(result.stdout)
    seen = {(f["check"], f["level"], f["seen"]) for f in said["findings"]}
    assert not [f for f in seen if f[1] in ("warning", "problem")]
    assert result.exit_code == 0
    assert any("obeys the canary" in text for _, _, text in seen)
    assert ("arguments", "ok", "the server's frontend knows the plugin") in seen
    assert ("logprobs", "ok", "log-probabilities are those after bans") in seen
    assert ("rewinding", "ok", "completions continue from token ids") in seen
    # The tiny model's template trims what it is given.
    assert any(check == "rewinding" and "trims" in text for check, _, text in seen)


def test_a_guard_is_ready_once_the_engine_has_obeyed(steered: Guarded) -> None:
    said = httpx.get(f"{steered.url}/readyz", trust_env=False)
    assert said.status_code == 200
    engine = said.json()["engine"]
    assert (engine["canary"], engine["engines"], engine["proved"]) == ("ok", 1, 1)
    assert engine["logprobs_modes"] == ["processed_logprobs"]
    assert engine["speculative"] is False


@pytest.fixture(scope="module")
def strict(
    tiny_engine: Engine, shelf: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """A proxy under which a name stays forbidden where the request itself spells it out."""
    policies = tmp_path_factory.mktemp("strict")
    write_policy(policies, names=[FORBIDDEN_NAME], action="restrict", scope="any")
    with Proxy(policies, tiny_engine.url, engine={"shelf": str(shelf)}) as proxy:
        eventually(lambda: engine_holds(proxy.url), "the engine holds the policies")
        yield proxy


@pytest.mark.parametrize("grammar", ONLY_THE_NAME, ids=["choice", "schema"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_a_grammar_that_allows_only_the_forbidden_is_filtered(
    strict: Proxy, grammar: dict[str, Any], stream: bool, path: str
) -> None:
    body: dict[str, Any] = {"model": NAME, "max_tokens": 40, "stream": stream, **grammar}
    if path.endswith("chat/completions"):
        body["messages"] = [{"role": "user", "content": QUESTION}]
    else:
        body["prompt"] = prompt_of(QUESTION)
    answer = httpx.post(f"{strict.url}{path}", json=body, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert '"finish_reason":"content_filter"' in answer.text
    assert not any(part in answer.text for part in FORBIDDEN_NAME.split())
    assert not stream or answer.text.endswith("data: [DONE]\n\n")
