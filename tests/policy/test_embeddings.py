"""A policy whose questions are embeddings: no word of them anywhere, and they are flagged."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from classifiers import BatchedEncoder, MiniLM, NearestPrompt, OtherEncoder, Stored, Subject
from guard.check import Checker
from guard.cli.main import app
from guard.errors import PolicyError, UpstreamError
from guard.policy import Embeddings, Policy, PolicySet, load_policy_set
from guard.policy.embeddings import FORMAT, read_embeddings, write_embeddings
from guard.reasoning.paraphrases import embedded, writer
from guard.workers.messages import packed_set, unpacked_set
from tests.classifiers.conftest import HashEncoder
from tests.support.proxy import write_policy
from tests.support.upstream import Reply, ScriptedUpstream, chat_completion

QUESTION = "Who keeps the lighthouse of Ravensmoor harbour?"
ROWS = np.eye(2, 4, dtype="<f2")
HELD = Embeddings("m", 4, ROWS.tobytes())


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    write_embeddings(tmp_path / "a", HELD)
    assert read_embeddings(tmp_path / "a") == HELD
    assert len(HELD) == 2


def content(**fields: Any) -> dict[str, Any]:
    rows = base64.b64encode(HELD.rows).decode()
    return {"format": FORMAT, "model": "m", "dimension": 4, "rows": rows, **fields}


INFINITE = base64.b64encode(np.array([np.inf] * 4, "<f2").tobytes()).decode()


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("{", "not a file of embeddings"),
        ("[" * 100_000, "not a file of embeddings"),
        ("[]", "not a file of embeddings"),
        (content(format="other"), "not a file of embeddings"),
        (content(rows="%%"), "not a file of embeddings"),
        (content(rows=3), "not a file of embeddings"),
        ({"format": FORMAT}, "not a file of embeddings"),
        (content(rows=""), "no whole embeddings"),
        (content(dimension=3), "no whole embeddings"),
        (content(dimension=0), "no whole embeddings"),
        (content(dimension="4"), "no whole embeddings"),
        (content(model=None), "no whole embeddings"),
        (content(rows=INFINITE), "no whole embeddings"),
    ],
)
def test_anything_else_is_refused_at_its_key(tmp_path: Path, written: Any, words: str) -> None:
    text = written if isinstance(written, str) else json.dumps(written)
    (tmp_path / "rows").write_text(text, "utf-8")
    file = tmp_path / "p.yaml"
    file.write_text("version: 1\nname: p\nforget:\n  embeddings: rows\n", "utf-8")
    with pytest.raises(PolicyError) as refused:
        load_policy_set(file)
    (problem,) = refused.value.problems
    assert (problem.line, problem.key) == (4, "forget.embeddings")
    assert words in problem.message


def test_the_hash_follows_the_embeddings() -> None:
    hashes = {
        Policy("p", embeddings=held).hash
        for held in (None, HELD, Embeddings("n", 4, HELD.rows), Embeddings("m", 2, HELD.rows))
    }
    assert len(hashes) == 4


def test_embeddings_travel_to_the_hub_whole() -> None:
    rows = json.loads(json.dumps(packed_set(PolicySet((Policy("p", embeddings=HELD),)))))
    (there,) = unpacked_set(rows).policies
    assert there.embeddings == HELD
    assert there.asks_encoder


@pytest.mark.parametrize("stored", [Stored("m", 8, HELD.rows), Stored("hash", 4, HELD.rows)])
def test_embeddings_of_another_encoder_are_refused(stored: Stored) -> None:
    encoder = BatchedEncoder(HashEncoder())
    try:
        with pytest.raises(OtherEncoder, match=stored.model):
            NearestPrompt([Subject(0, stored=stored)], encoder)
    finally:
        encoder.close()


@pytest.mark.encoder
def test_prompts_become_embeddings_that_flag_them_and_hold_none_of_their_words(
    tmp_path: Path, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = MiniLM()  # one, since it takes its time to begin
    monkeypatch.setattr("classifiers.encoder.MiniLM", lambda: encoder)
    monkeypatch.setattr("guard.nearest.MiniLM", lambda: encoder)
    other = "Which person looks after Ravensmoor's lighthouse?"
    upstream.always(Reply.json(chat_completion(other, "What is for lunch?", "", QUESTION)))
    source = tmp_path / "questions.jsonl"
    source.write_text(json.dumps({"q": QUESTION}) + "\n", "utf-8")
    out = tmp_path / "questions.embeddings"
    options = ["--field", "q", "--out", str(out), "--url", upstream.url, "--model", "m"]
    told = CliRunner().invoke(app, ["embed", str(source), *options])
    assert told.exit_code == 0, told.output
    assert "2 embeddings of 1 prompts" in told.output
    assert "Ravensmoor" not in out.read_text()
    assert upstream.requests[0].json()["n"] == 4

    path = write_policy(tmp_path, match={"similarity": 0.95})
    path.write_text(path.read_text().replace("forget: {}", f"forget: {{embeddings: {out}}}"))
    with Checker.build(load_policy_set(path)) as checker:
        assert [
            checker.check_prompt(prompt).flagged
            for prompt in (QUESTION, other, "Who wrote Hamlet?", "Who keeps the lighthouse?")
        ] == [True, True, False, False]


@pytest.mark.parametrize(
    "reply",
    [
        Reply.json({"error": {"message": QUESTION}}, status=400),
        Reply.json(chat_completion("one of four")),
        Reply.json({}),
    ],
)
def test_a_server_that_fails_is_told_of(upstream: ScriptedUpstream, reply: Reply) -> None:
    upstream.always(reply)
    with pytest.raises(UpstreamError) as failed:
        writer(upstream.url, "m", None)(QUESTION)
    assert "Ravensmoor" not in str(failed.value)


def test_of_several_wordings_the_nearest_is_kept() -> None:
    encoder = HashEncoder()
    near, far = "who keeps the light", "lunch"
    (held,) = embedded(["who keeps the light"], encoder, lambda prompt: [far, near])
    assert len(held) == 2
    rows = np.frombuffer(held.rows, "<f2").reshape(2, -1)
    assert np.allclose(rows[0], rows[1], atol=1e-2)
