"""Lint tells errors from warnings, each with its place."""

from __future__ import annotations

from datetime import date

import jsonschema
import pytest
import yaml

from guard.policy import lint, policy_schema
from tests.policy.conftest import HEAD, Write

TODAY = date(2026, 11, 24)
FORGET = "forget: {texts: [a b c]}\n"


@pytest.mark.parametrize(
    ("content", "line", "key", "said"),
    [
        (FORGET + "until: 2026-11-23\n", 4, "until", "not enforced any more"),
        (FORGET + "review_by: 2026-11-23\n", 4, "review_by", "enforcement goes on"),
        (FORGET + "retain: {prompts: [a]}\n", 4, "retain", "guard distil"),
        (FORGET + "distil: {retain_budget: 0.1}\n", 4, "distil", "guard distil"),
        (FORGET + "on_error: open\n", 4, "on_error", "pass unread"),
        (FORGET + "match:\n  similarity: 0.3\n", 5, "match.similarity", "unrelated prompts"),
        ("forget: {entities: [{name: Prince}]}\n", 3, "forget.entities[0].name", "ordinary"),
        (
            "forget:\n  entities:\n    - name: Basil Mahfouz\n      aliases: [Basil M, apple]\n",
            6,
            "forget.entities[0].aliases[1]",
            "ordinary",
        ),
    ],
)
def test_what_works_but_is_doubtful_is_a_warning(
    write: Write, content: str, line: int, key: str, said: str
) -> None:
    path = write(HEAD + content)
    (problem,) = lint(path.parent, today=TODAY)
    assert (problem.file, problem.line, problem.key) == (str(path), line, key)
    assert problem.level == "warning"
    assert said in problem.message


@pytest.mark.parametrize(
    "content",
    [
        FORGET + "until: 2026-11-24\nreview_by: 2026-11-24\n",
        "forget: {entities: [{name: Zendaya}, {name: Prince Rogers Nelson}]}\n",
    ],
)
def test_a_sound_policy_gives_nothing(write: Write, content: str) -> None:
    assert lint(write(HEAD + content), today=TODAY) == []


def test_errors_of_one_file_do_not_hide_the_warnings_of_another(write: Write) -> None:
    write(HEAD + FORGET + "until: 2020-01-01\n", "a.yaml")
    folder = write("nonsense", "b.yaml").parent
    assert [problem.level for problem in lint(folder, today=TODAY)] == ["warning", "error"]


@pytest.mark.parametrize(
    ("content", "valid"),
    [
        (FORGET, True),
        ("forget: {prompts: {file: a.txt}}\nmatch: {words: 64}\n", True),
        ("forget: {entities: [{name: ab, not: []}]}\n", True),
        (FORGET + "foo: 1\n", False),
        (FORGET + "match: {words: 65}\n", False),
        (FORGET + "action: reroute\n", True),
        ("forget: {entities: [{nme: ab}]}\n", False),
    ],
)
def test_the_json_schema_agrees_with_the_loader(write: Write, content: str, valid: bool) -> None:
    schema = policy_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    document = yaml.safe_load(HEAD + content)
    assert jsonschema.Draft202012Validator(schema).is_valid(document) is valid
