"""A directory of files becomes a set, or the list of everything wrong with it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from guard.errors import PolicyError, Problem
from guard.policy import Entity, Pair, load_policy_set
from tests.policy.conftest import HEAD, Write


def problems_of(path: Path) -> list[Problem]:
    with pytest.raises(PolicyError) as caught:
        load_policy_set(path)
    return caught.value.problems


def test_pairs_join_the_prompts_and_texts_without_repeats_in_order(write: Write) -> None:
    write(json.dumps([{"q": "A?", "a": "Alpha."}, {"q": "B?", "a": "Beta."}]), "data/pairs.json")
    write("Gamma ray.\nAlpha.\n", "data/texts.txt")
    path = write(
        HEAD
        + "forget:\n"
        + "  entities: [{name: ' Basil ', aliases: [Bas, Basil, Bas]}]\n"
        + "  pairs: {file: data/pairs.json, prompt: q, answer: a}\n"
        + '  prompts: ["B?", "C?"]\n'
        + "  texts: {file: data/texts.txt}\n"
        + 'retain:\n  prompts: ["D?"]\n'
        + "  pairs: {file: data/pairs.json, prompt: q, answer: a}\n"
    )
    policies = load_policy_set(path.parent)
    policy = policies.get("sample")
    assert policy is not None
    assert policy.entities == (Entity("Basil", ("Bas",)),)
    assert policy.entities[0].names == policy.names == ("Basil", "Bas")
    assert policy.pairs == policy.retain_pairs == (Pair("A?", "Alpha."), Pair("B?", "Beta."))
    assert policy.prompts == ("B?", "C?", "A?")
    assert policy.texts == ("Gamma ray.", "Alpha.", "Beta.")
    assert policy.retain_prompts == ("D?", "A?", "B?")
    assert policy.source == path
    assert [file.name for file in policies.files][:2] == ["sample.yaml", "pairs.json"]


def test_every_yaml_file_directly_in_the_directory_is_read(write: Write) -> None:
    for name in ("b.yaml", "a.yml", ".hidden.yaml", "notes.txt", "sub/c.yaml"):
        folder = write(
            f"version: 1\nname: {Path(name).stem.strip('.')}\nforget: {{texts: [x y]}}\n", name
        ).parent
    policies = load_policy_set(folder.parent)
    assert [policy.name for policy in policies.policies] == ["a", "b"]


@pytest.mark.parametrize("where", ["..", "absolute"])
def test_a_data_file_may_lie_elsewhere_when_the_operator_says_so(write: Write, where: str) -> None:
    data = write("Some words.\n", "shared.txt")
    named = data if where == "absolute" else "../shared.txt"
    path = write(HEAD + f"forget: {{texts: {{file: {named}}}}}\n", "policies/a.yaml")
    (policy,) = load_policy_set(path.parent).policies
    assert policy.texts == ("Some words.",)


@pytest.mark.parametrize(
    ("content", "line", "key", "said"),
    [
        ("forget: {}\n", 3, "forget", "forgets nothing"),
        ("forget:\n  prompts: []\n", 3, "forget", "forgets nothing"),
        ("forget:\n  texts: [a]\n  topics: [b, '?']\n", 5, "forget.topics[1]", "says nothing"),
        (f"forget:\n  topics: ['{'a b ' * 13}']\n", 4, "forget.topics[0]", "say it in a few"),
        (
            "forget:\n  entities:\n    - name: ab\n      aspects: [home, '--']\n",
            6,
            "forget.entities[0].aspects[1]",
            "says nothing",
        ),
        (
            "forget:\n  entities:\n    - name: Ab Cd\n      not: [another Ab of the same name]\n",
            6,
            "forget.entities[0].not[0]",
            "how the namesake differs",
        ),
        ("forget: {entities: [{name: ''}]}\n", 3, "forget.entities[0].name", "is empty"),
        ("forget: {entities: [{name: ' '}]}\n", 3, "forget.entities[0].name", "is empty"),
        ("forget: {entities: [{name: x}]}\n", 3, "forget.entities[0].name", "single character"),
        ("forget: {entities: [{name: '--'}]}\n", 3, "forget.entities[0].name", "no letter"),
        (
            "forget:\n  entities:\n    - name: ab\n      aliases:\n        - cd\n        - '!'\n",
            8,
            "forget.entities[0].aliases[1]",
            "single character",
        ),
        ("forget: {prompts: ['???']}\n", 3, "forget.prompts[0]", "no letter"),
        ("forget:\n  texts: {file: no.txt}\n", 4, "forget.texts.file", "there is no such file"),
        ("forget:\n  texts: {file: .}\n", 4, "forget.texts.file", "is not a file"),
        (
            "forget:\n  pairs:\n    file: no.json\n",
            5,
            "forget.pairs.file",
            "there is no such file",
        ),
        (
            "forget: {entities: [{name: Al Ko}]}\nmessage: I don't know al ko.\n",
            4,
            "message",
            "must not tell",
        ),
    ],
)
def test_what_cannot_be_enforced_is_refused_with_its_place(
    write: Write, content: str, line: int, key: str, said: str
) -> None:
    (problem,) = problems_of(write(HEAD + content))
    assert (problem.line, problem.key) == (line, key)
    assert said in problem.message


@pytest.mark.parametrize("action", ["refuse", "reason", "restrict", "reroute"])
def test_every_action_loads(write: Write, action: str) -> None:
    path = write(HEAD + f"forget: {{texts: [a b]}}\naction: {action}\n")
    assert load_policy_set(path).policies[0].action == action


def test_a_row_of_a_data_file_is_named_by_its_own_file_and_line(write: Write) -> None:
    data = write('{"q": "A?", "a": "b"}\n{"q": "A?"}\n', "pairs.jsonl")
    path = write(HEAD + "forget:\n  pairs: {file: pairs.jsonl, prompt: q, answer: a}\n")
    (problem,) = problems_of(path)
    assert (problem.file, problem.line) == (str(data), 2)


def test_one_name_in_two_files_is_refused(write: Write) -> None:
    write(HEAD + "forget: {texts: [a]}\n", "a.yaml")
    second = write(HEAD + "forget: {texts: [b]}\n", "b.yaml")
    (problem,) = problems_of(second.parent)
    assert (problem.file, problem.line, problem.key) == (str(second), 2, "name")
    assert "a.yaml" in problem.message


def test_the_problems_of_all_files_come_together(write: Write) -> None:
    folder = write("foo", "a.yaml").parent
    write(HEAD, "b.yaml")
    write(HEAD + "forget: {texts: {file: c.txt}}\n", "c.yaml")
    write(HEAD + "forget: {texts: [fine]}\nname: d", "d.yaml")
    found = problems_of(folder)
    assert [Path(problem.file).name for problem in found] == [
        "a.yaml",
        "b.yaml",
        "c.yaml",
        "d.yaml",
    ]


def test_an_empty_directory_is_a_set_only_on_request(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path)
    assert problem.file == str(tmp_path)
    assert "holds no policy" in problem.message
    assert load_policy_set(tmp_path, allow_empty=True).policies == ()


def test_a_missing_directory_is_a_problem_even_where_an_empty_one_is_not(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read: No such file"):
        load_policy_set(tmp_path / "none", allow_empty=True)


def test_a_pipe_is_refused_instead_of_waited_for(write: Write, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (problem,) = problems_of(write(HEAD + "forget: {texts: {file: pipe.txt}}\n"))
    assert "is not a file" in problem.message


def test_aspects_namesakes_and_topics_are_part_of_the_policy(write: Write) -> None:
    forget = "forget:\n  topics: [ ' lock  picking']\n  entities:\n    - name: Ab Cd\n{}"
    plain = load_policy_set(write(HEAD + forget.format(""), "plain.yaml"))
    path = write(
        HEAD + forget.format("      aspects: [home]\n      not: [the bishop]\n"), "limited.yaml"
    )
    (policy,) = load_policy_set(path).policies
    assert policy.topics == ("lock picking",)
    (entity,) = policy.entities
    assert (entity.aspects, entity.namesakes, entity.limited) == (("home",), ("the bishop",), True)
    assert policy.asks_encoder
    assert policy.hash != plain.policies[0].hash
    assert not plain.policies[0].entities[0].limited
