"""The reference names every key, and its examples and the shipped ones are real policies."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from guard.policy import lint, load_policy_set, policy_reference
from guard.policy.source import read_source
from tests.policy.conftest import Write

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)

DATA = {
    "pairs.jsonl": '{"question": "Who is it?", "answer": "An author from Kuwait."}\n',
    "prompts.csv": "question\nWho was born in Kuwait City?\n",
    "passages.txt": "A passage of the book that must not come out.\n",
}


def test_the_tables_are_those_of_the_models() -> None:
    assert DOCS.endswith(policy_reference()), "run: guard policy schema --markdown"


@pytest.mark.parametrize(
    "key",
    [
        "version", "name", "review_by", "until", "except_keys", "aliases", "not", "file", "field",
        "similarity", "retain_budget", "messages", "expect", "role", "on_error", "scope",
    ],
)  # fmt: skip
def test_keys_of_every_level_are_in_the_tables(key: str) -> None:
    assert f"\n| `{key}` | " in DOCS


def test_the_page_has_examples() -> None:
    assert len(BLOCKS) >= 2


@pytest.mark.parametrize("block", BLOCKS)
def test_every_example_of_the_page_loads(write: Write, block: str) -> None:
    for name, content in DATA.items():
        write(content, name)
    (policy,) = load_policy_set(write(block)).policies
    assert policy.tests


@pytest.mark.parametrize("path", sorted((ROOT / "policies").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_policy_is_sound_and_tests_both_ways(path: Path) -> None:
    assert lint(path, today=date(2026, 11, 24)) == []
    assert read_source(path).content.name == path.stem
    (policy,) = load_policy_set(path).policies
    expected = {test.expect for test in policy.tests}
    assert expected == {"flagged", "benign", "filtered", "untouched"}
