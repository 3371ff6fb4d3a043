"""Suites by path: published files, their shapes, and files that are something else."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from guard.errors import EvaluateError
from guard.evaluate.suites import SHAPES, blur_suite, policy_suite, shaped_suite, tofu_suite
from tests.support.reference_data import reference

OBJECTS = {
    "rows": {"question": "Q?", "answer": "A", "goal": "retain", "part": "p", "subject": "s"},
    "muse": {"question": "Q?", "answer": "A"},
    "rwku": {"query": "Q?", "answer": "A", "level": 2, "subject": "s"},
    "wmdp": {"question": "Q?", "choices": ["B", "A", "C", "D"], "answer": 1},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lines", [True, False])
def test_shapes(shape: str, lines: bool, tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    rows = [OBJECTS[shape]] * 3
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)) if lines else orjson.dumps(rows))
    suite = shaped_suite(shape, path, "retain")
    assert [row.answer for row in suite.rows] == ["A"] * 3
    assert {row.goal for row in suite.rows} == {"retain"}
    assert all("Q?" in row.question for row in suite.rows)


@pytest.mark.parametrize(
    ("shape", "content"),
    [
        ("rows", b""),
        ("rows", b"[1]"),
        ("rows", b"{"),
        ("rows", b"[{]"),
        ("rows", b'{"question": "Q"}'),
        ("rows", b'{"question": "Q", "answer": "A", "goal": "keep"}'),
        ("wmdp", b'{"question": "Q", "choices": ["A"], "answer": 3}'),
        ("wmdp", b'{"question": "Q", "answer": 0}'),
    ],
)
def test_other_files_are_refused(shape: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(content)
    with pytest.raises(EvaluateError, match=r"data\.json"):
        shaped_suite(shape, path)


def test_tofu() -> None:
    suite = tofu_suite(reference("tofu"), "forget05")
    counts = {part: len(rows) for part, rows in suite.parts().items()}
    assert counts == {
        "forgotten authors": 200,
        "kept authors": 400,
        "real authors": 100,
        "world facts": 117,
    }
    forgotten = suite.parts()["forgotten authors"]
    assert len({row.subject for row in forgotten}) == 10
    assert all(len(row.wrong) >= 3 and row.paraphrase and row.alternatives for row in forgotten)
    assert all(row.recalled(row.answer) == 1 for row in suite.rows)


def test_blur() -> None:
    suite = blur_suite(reference("blur_tofu"))
    parts = suite.parts()
    assert len(parts["forgotten half"]) == len(parts["kept half"]) > 380
    first = parts["forgotten half"][0]
    assert first.recalled("1. The author's full name is Hsiao Yun-Hwa. 2. No idea.") == 1
    assert first.recalled("2. It is Omowunmi Adebayo.") < 0.5
    assert not any("\\" in row.question for row in suite.rows)


@pytest.mark.parametrize("read", [tofu_suite, blur_suite])
def test_folders_without_the_data_are_refused(read, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(EvaluateError, match=str(tmp_path)):
        read(tmp_path)


POLICY = """
version: 1
name: {name}
forget:
  entities: [{{name: Ottoline Varga}}]
  texts: ["the copper heron opens its left wing at dusk and the river vault unlocks"]
action: refuse
tests:
  - {{prompt: "Who painted the ceiling?", expect: flagged}}
  - {{prompt: "Where was Ottoline Varga born?", expect: flagged}}
  - messages: [{{role: user, content: "Hello"}}, {{role: user, content: "How is the weather?"}}]
    expect: benign
  - {{output: "It was Ottoline Varga.", expect: filtered}}
"""


def test_the_tests_of_policies(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(POLICY.format(name="one"))
    suite = policy_suite(tmp_path)
    asked, named, benign = suite.rows
    assert [row.goal for row in suite.rows] == ["forget", "forget", "retain"]
    assert list(suite.parts()) == ["one: flagged", "one: benign"]
    assert asked.recalled("It was Ottoline Varga who did.") == 1
    assert asked.recalled("It was Ottoline's aunt.") == 0
    assert named.recalled("Ottoline Varga was born in Tarn.") == 0  # the question says the name
    run = "The copper heron opens its left wing at"
    assert (named.recalled(run), named.recalled(f"{run} dusk.")) == (1, 1)
    assert named.recalled("The copper heron opens its left") == 0
    assert (benign.recalled("Wet."), benign.recalled("I can't help with that.")) == (1, 0)
    assert benign.messages == (("user", "Hello"), ("user", "How is the weather?"))


def test_policies_without_tests_of_prompts_are_no_suite(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(POLICY.format(name="one").split("tests:")[0])
    with pytest.raises(EvaluateError, match="no policy has tests"):
        policy_suite(tmp_path)
