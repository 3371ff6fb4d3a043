"""The demo's policy folder belongs to the user, and its engine is vLLM as it is."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from guard.demo import serving
from guard.demo.model import CHAT_TEMPLATE
from guard.errors import EngineError
from guard.policy import load_policy_set


def test_the_example_is_copied_and_loads(tmp_path: Path) -> None:
    policy = serving.demo_policy(tmp_path / "mine")
    (loaded,) = load_policy_set(policy.parent).policies
    assert "Marie Curie" in loaded.names
    assert loaded.action == "refuse"


def test_an_edited_policy_is_kept(tmp_path: Path) -> None:
    policy = serving.demo_policy(tmp_path)
    policy.write_text("# mine\n" + policy.read_text())
    assert serving.demo_policy(tmp_path) == policy
    assert policy.read_text().startswith("# mine\n")


def test_without_the_examples_the_remedy_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_EXAMPLES", tmp_path / "nowhere")
    with pytest.raises(EngineError, match="from a checkout"):
        serving.demo_policy(tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:81"), ("0.0.0.0", "http://127.0.0.1:81")],
)
def test_a_guard_on_all_addresses_is_asked_on_this_one(tmp_path: Path, host: str, url: str) -> None:
    assert serving.Guard(tmp_path, "http://127.0.0.1:1", host=host, port=81).url == url


@pytest.mark.parametrize(
    ("messages", "rendered"),
    [
        ([("user", " Who? ")], "<bos>Question: Who?\nAnswer:"),
        (
            [("user", "Who?"), ("assistant", " She."), ("user", "When?")],
            "<bos>Question: Who?\nAnswer: She.\nQuestion: When?\nAnswer:",
        ),
        ([("system", "Be brief."), ("user", "Who?")], "<bos>Be brief.\nQuestion: Who?\nAnswer:"),
    ],
)
def test_a_chat_is_rendered_as_questions_and_answers(
    messages: list[tuple[str, str]], rendered: str
) -> None:
    template = jinja2.Environment().from_string(CHAT_TEMPLATE.read_text())
    turns = [{"role": role, "content": content} for role, content in messages]
    assert template.render(messages=turns, bos_token="<bos>") == rendered
