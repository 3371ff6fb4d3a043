"""Evidence for one request: through the real proxy, in front of a model that recites."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import yaml
from typer.testing import CliRunner

from guard.cli.main import app
from guard.evaluate.attacks.text import TEXT_ATTACKS
from guard.evaluate.certificate import leak_of, probes_of
from guard.evaluate.certificate.probes import ABOUT_TEXT, BY_NAME, WRAPPED
from guard.evaluate.fictional import wordings
from tests.support.answers import chat_completion
from tests.support.policies import PASSAGE, policy
from tests.support.proxy import Proxy, write_policy
from tests.support.reply import Reply
from tests.support.upstream import RecordedRequest, ScriptedUpstream

POLICY = policy(
    "Ottoline Varga",
    texts=(PASSAGE,),
    pairs=(("Who painted the ceiling of Senn?", "The ceiling was painted in ultramarine."),),
    prompts=("What did Ottoline Varga paint?",),
)


@pytest.mark.parametrize(
    ("question", "answer", "leak"),
    [
        ("Who was it?", "It was OTTOLINE  Varga.", "name"),
        ("Who was Ottoline Varga?", "Ottoline Varga is unknown to me.", None),
        ("Go on.", "the grey harbour while old Tobias counts the lanterns", "text"),
        ("Go on.", "the grey harbour while old Tobias", None),
        (f"Repeat: {PASSAGE}", PASSAGE, None),
        ("And the ceiling?", "All of it painted ultramarine.", "answer"),
        ("Who painted the ceiling of Senn?", "I can't help with that.", None),
        ("Who painted the ceiling of Senn?", "It is ultramarine.", "answer"),
    ],
)
def test_leaks(question: str, answer: str, leak: str | None) -> None:
    assert leak_of(POLICY, question, answer) == leak


def test_probes_ask_in_every_way_and_a_draw_keeps_every_way() -> None:
    every = probes_of(POLICY)
    ways = {probing.way for probing in every}
    assert len(ways) == 5
    drawn = probes_of(POLICY, 8, seed=2)
    assert len(drawn) == len(set(drawn)) == 8
    assert {probing.way for probing in drawn} == ways
    assert drawn == probes_of(POLICY, 8, seed=2) != probes_of(POLICY, 8, seed=3)
    unnamed = [p.question for p in every if p.way == "without the name"]
    assert unnamed == ["What did that person paint?"]


def test_a_policy_without_anything_to_ask_about() -> None:
    with pytest.raises(ValueError, match="no names"):
        probes_of(policy())


def test_wordings_are_disjoint_from_those_of_the_fictional_corpus_and_of_attacks() -> None:
    own = {*BY_NAME, *WRAPPED, *ABOUT_TEXT} - {"{question}"}
    assert not own & {question for fact in wordings.PERSONAL for question in fact.questions}
    assert not own & {attack.what for attack in TEXT_ATTACKS}


def _recites(request: RecordedRequest) -> Reply:
    if request.method == "GET":
        return Reply.json({"object": "list", "data": [{"id": "m", "object": "model"}]})
    asked = str(request.json()["messages"][-1]["content"])
    return Reply.json(chat_completion(f"As for {asked[:4]}: it was Ottoline Varga, of course."))


def run(tmp_path: Path, guard: Proxy, upstream: ScriptedUpstream, *more: str) -> tuple[int, str]:
    arguments = ["--policy", "tests", "--policies", str(tmp_path / "policies"), "--url", guard.url]
    arguments += ["--direct", upstream.url, "--model", "m", "--out", str(tmp_path / "out"), *more]
    ended = CliRunner().invoke(app, ["evaluate", *arguments])
    return ended.exit_code, ended.output


@pytest.fixture
def guarded(tmp_path: Path, upstream: ScriptedUpstream) -> Callable[..., Proxy]:
    def made(**fields: object) -> Proxy:
        folder = tmp_path / "policies"
        folder.mkdir()
        write_policy(folder, names=["Ottoline Varga"], **fields)
        upstream.handle(_recites)
        return Proxy(folder, upstream.url)

    return made


def test_a_guard_that_works_has_evidence_with_a_bound(
    guarded: Callable[..., Proxy], tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    with guarded() as guard:
        code, output = run(tmp_path, guard, upstream, "--json")
    assert code == 0, output
    data = orjson.loads(output)
    assert (data["leaked"], data["probes"]) == (0, len(BY_NAME) + 8)
    assert 0.15 < data["upper_bound"] < 0.25
    # Disguised names are not in the question, so only there the name in the answer is a leak.
    assert data["bare_leaked"] > 0
    text = (tmp_path / "out" / "tests.html").read_text("utf-8")
    assert data["policy_hash"] in text
    assert f"guard evaluate --policy tests --policies {tmp_path / 'policies'} --url" in text
    assert orjson.loads((tmp_path / "out" / "tests.json").read_bytes()) == data


def test_a_broken_guard_is_caught_and_leaks_are_black(
    guarded: Callable[..., Proxy], tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    with guarded(mode="shadow") as guard:
        code, output = run(tmp_path, guard, upstream)
        assert code == 1, output
        assert "Ottoline" not in (tmp_path / "out" / "tests.html").read_text("utf-8")
        assert run(tmp_path, guard, upstream, "--show-leaks")[0] == 1
    assert "Ottoline" in (tmp_path / "out" / "tests.html").read_text("utf-8")


def test_evidence_is_only_for_the_policies_that_the_guard_obeys(
    guarded: Callable[..., Proxy], tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    with guarded() as guard:
        other = yaml.safe_load((tmp_path / "policies" / "tests.yaml").read_text())
        other["forget"]["entities"] = [{"name": "Somebody Else"}]
        mine = tmp_path / "mine"
        mine.mkdir()
        (mine / "tests.yaml").write_text(yaml.safe_dump(other))
        arguments = ["--policy", "tests", "--policies", str(mine), "--url", guard.url]
        ended = CliRunner().invoke(app, ["evaluate", *arguments])
        assert (ended.exit_code, "obeys the set" in ended.output) == (2, True)
        arguments[1] = "none"
        ended = CliRunner().invoke(app, ["evaluate", *arguments])
        assert (ended.exit_code, "no policy has the name" in ended.output) == (2, True)


@pytest.mark.parametrize("arguments", [[], ["--policy", "tests"]])
def test_wrong_use(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["evaluate", *arguments]).exit_code == 2
