"""Every mistake in a policy file names its file, line, key and what is allowed there."""

from __future__ import annotations

import pytest

from guard.errors import PolicyError, Problem
from guard.policy.model import ListFile
from guard.policy.source import read_source
from tests.policy.conftest import HEAD, Write

FORGET = "forget:\n  prompts: [Who is Basil]\n"  # lines 3 and 4


def problems_of(write: Write, content: str | bytes) -> list[Problem]:
    path = write(content)
    with pytest.raises(PolicyError) as caught:
        read_source(path)
    assert {problem.file for problem in caught.value.problems} == {str(path)}
    assert {problem.level for problem in caught.value.problems} == {"error"}
    return caught.value.problems


@pytest.mark.parametrize(
    ("content", "line", "key", "said"),
    [
        ("forgt: {}\n" + FORGET, 3, "forgt", "did you mean forget?"),
        (FORGET + "Action: refuse\n", 5, "Action", "did you mean action?"),
        (FORGET + "xyzzy: 1\n", 5, "xyzzy", "unknown key; allowed here: version, name"),
        (
            "forget:\n  entities:\n    - name: Basil\n      alias: [B]\n",
            6,
            "forget.entities[0].alias",
            "did you mean aliases? allowed here: name, aliases, aspects, not",
        ),
        ("forget:\n  entities:\n    - aliases: [Bo]\n", 5, "forget.entities[0].name", "required"),
        ("forget:\n  prompts: {fil: a.txt}\n", 4, "forget.prompts.fil", "did you mean file?"),
        ("forget:\n  texts:\n    field: a\n", 4, "forget.texts.file", "required"),
        (
            "forget:\n  pairs: {file: a.json, question: q}\n",
            4,
            "forget.pairs.question",
            "allowed here: file, prompt, answer",
        ),
        ("forget:\n  pairs: a.json\n", 4, "forget.pairs", "keys file, prompt, answer"),
        ("forget:\n  prompts: one\n", 4, "forget.prompts", "must be a list"),
        ("forget:\n  texts:\n    - good\n    - 1984\n", 6, "forget.texts[1]", "put it in quotes"),
        ("forget:\n  entities:\n    - name: no\n", 5, "forget.entities[0].name", "in quotes"),
        ("forget: 3\n", 3, "forget", "mapping with the keys entities, pairs"),
        (FORGET + "match: {words: 1}\n", 5, "match.words", "greater than or equal to 2"),
        (FORGET + "match: {words: 65}\n", 5, "match.words", "less than or equal to 64"),
        (FORGET + "match: {words: 8.0}\n", 5, "match.words", "whole number"),
        (FORGET + "match: {words: true}\n", 5, "match.words", "whole number"),
        (FORGET + "match:\n  beta: 0\n", 6, "match.beta", "greater than 0"),
        (FORGET + "match:\n  beta: 1.01\n", 6, "match.beta", "less than or equal to 1"),
        (FORGET + "match:\n  beta: .nan\n", 6, "match.beta", "finite"),
        (FORGET + "match:\n  similarity: -0.1\n", 6, "match.similarity", "or equal to 0"),
        (FORGET + "match:\n  simlarity: 0.1\n", 6, "match.simlarity", "did you mean similarity?"),
        (FORGET + "action: explode\n", 5, "action", "'refuse', 'reason', 'restrict' or 'reroute'"),
        (FORGET + "mode: off\n", 5, "mode", "'enforce' or 'shadow'"),
        (FORGET + "until: tomorrow\n", 5, "until", "must be a date such as"),
        (FORGET + "until: '2027-01-01'\n", 5, "until", "without quotes"),
        (FORGET + "until: 2027-02-30\n", 5, "until", "is not a date"),
        (FORGET + "until: 2027-02-03 10:00:00\n", 5, "until", "date"),
        (FORGET + "message: ''\n", 5, "message", "must not be empty"),
        (FORGET + "applies_to: {models: []}\n", 5, "applies_to.models", "at least one item"),
        (FORGET + "tests: [{expect: benign}]\n", 5, "tests[0]", "exactly one of prompt"),
        (
            FORGET + "tests:\n  - {prompt: a, output: b, expect: flagged}\n",
            6,
            "tests[0]",
            "exactly one of prompt",
        ),
        (
            FORGET + "tests:\n  - {prompt: a, expect: filtered}\n",
            6,
            "tests[0]",
            "with prompt, expect must be flagged or benign",
        ),
        (
            FORGET + "tests:\n  - {output: a, expect: benign}\n",
            6,
            "tests[0]",
            "with output, expect must be filtered or untouched",
        ),
        (FORGET + "tests:\n  - {prompt: a, expect: maybe}\n", 6, "tests[0].expect", "'flagged'"),
        (FORGET + "mode: enforce\nmode: shadow\n", 6, "mode", "given twice; first on line 5"),
        (
            "forget:\n  texts: [a]\n  texts: [b]\n",
            5,
            "forget.texts",
            "given twice; first on line 4",
        ),
        ("forget: !!python/object:os.system {}\n", 3, "forget", "tags are not allowed"),
        ("forget: !secret a\n", 3, "forget", "tags are not allowed"),
        ("forget:\n  texts: &a [*a]\n", 4, "forget.texts[0]", "contain itself"),
        ('forget:\n  texts: ["\\ud800"]\n', 4, "forget.texts[0]", "surrogate"),
        (FORGET + "match: !!int x\n", 5, "match", "is not a int"),
        (FORGET + "? [a]\n: b\n", 5, "", "a key must be a plain word"),
    ],
)
def test_a_mistake_names_its_line_key_and_remedy(
    write: Write, content: str, line: int, key: str, said: str
) -> None:
    found = problems_of(write, HEAD + content)
    (problem,) = [p for p in found if (p.line, p.key) == (line, key)]
    assert said in problem.message


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("", 1, "is empty"),
        ("# only a comment\n", 1, "is empty"),
        ("---\n- a\n", 2, "must be a mapping"),
        ("just words\n", 1, "must be a mapping"),
        ("!!set {a}\n", 1, "tags are not allowed"),
        ("a: [1, 2\nb: 3\n", 2, "is not YAML"),
        ("a: 1\n\tb: 2\n", 2, "is not YAML"),
        ("a: *nowhere\n", 1, "undefined alias"),
        ("a: 1\n---\nb: 2\n", 2, "another document"),
        ("a: 1\nb: \x07\n", 2, "control character"),
        (b"a: 1\nb: \xff\n", 2, "is not UTF-8"),
        ("a: 1\n".encode("utf-16"), 1, "saved as UTF-16"),
        ("a: 1\n".encode("utf-32"), 1, "saved as UTF-32"),
        ("a: " + "[" * 500, 1, "levels of nesting"),
        ("a: 1\n" + "# padding\n" * 120_000, 0, "at most 1,000,000 are read"),
    ],
)
def test_a_file_that_is_no_policy_gives_one_clear_problem(
    write: Write, content: str | bytes, line: int, said: str
) -> None:
    (problem,) = problems_of(write, content)
    assert problem.line == line
    assert said in problem.message


def test_a_missing_file_and_a_folder_are_problems(write: Write) -> None:
    folder = write("a: 1").parent
    for path, said in ((folder / "none.yaml", "no such file"), (folder, "is not a file")):
        with pytest.raises(PolicyError, match=said):
            read_source(path)


def test_aliases_that_multiply_are_stopped(write: Write) -> None:
    rows = ["forget:\n  texts: &l0 [a, b]\n"]
    for level in range(1, 20):
        rows.append(f"  k{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 9)}]\n")
    (problem,) = problems_of(write, HEAD + "".join(rows))
    assert "aliases repeat" in problem.message


def test_all_problems_of_a_file_come_together_in_order_of_lines(write: Write) -> None:
    found = problems_of(write, "version: 2\nname: Bad Name\nforget: {}\nmode: x\nfoo: 1\n")
    assert [(problem.line, problem.key) for problem in found] == [
        (1, "version"),
        (2, "name"),
        (4, "mode"),
        (5, "foo"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "forget:\n  entities:\n    - name: [Basil Mahfouz]\n",
        "forget:\n  entities:\n    - Basil Mahfouz: x\n      name: aa\n",
        "forget:\n  entities: Basil Mahfouz\n",
        "forget:\n  entities: [*Basil_Mahfouz]\n",
        "forget: Basil Mahfouz\n",
        "until: Basil Mahfouz\n",
        "forget: {texts: !!float Basil Mahfouz}\n",
        "forget:\n  texts: ['Basil Mahfouz\n",
        "Basil Mahfouz\n",
    ],
)
def test_problems_never_quote_what_is_to_be_forgotten(write: Write, content: str) -> None:
    for problem in problems_of(write, HEAD + content):
        assert "Basil" not in str(problem)


@pytest.mark.parametrize("start", ["", "\ufeff", "---\n", "%YAML 1.1\n---\n"])
def test_ordinary_ways_to_begin_a_file_are_read(write: Write, start: str) -> None:
    assert read_source(write(start + HEAD + FORGET)).content.name == "sample"


def test_values_keep_their_types_and_both_forms_of_a_list(write: Write) -> None:
    source = read_source(
        write(
            HEAD
            + "until: 2027-01-31\nmatch: {beta: 1, similarity: 0}\n"
            + "forget:\n  prompts: &p [a, 'no']\n  texts: {file: t.txt}\n"
            + "retain:\n  prompts: *p\n"
        )
    )
    content = source.content
    assert content.until is not None
    assert content.until.isoformat() == "2027-01-31"
    assert (content.match.words, content.match.beta, content.match.similarity) == (8, 1.0, 0.0)
    assert content.forget.prompts == content.retain.prompts == ("a", "no")
    assert content.forget.texts == ListFile(file="t.txt")
    assert source.tree.line(("forget", "prompts", 1)) == 6
