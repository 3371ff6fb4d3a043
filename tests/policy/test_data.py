"""Data files in every format, and what is said about rows that are wrong."""

from __future__ import annotations

import json

import pytest

from guard.errors import PolicyError
from guard.policy.compiled import Pair
from guard.policy.data import load_pairs, load_texts
from tests.policy.conftest import Write

PAIRS = (Pair("Who?", 'Éva, "the" one'), Pair("Where?", "In Kraków\nby the river"))
ROWS = [{"question": pair.prompt, "answer": pair.answer} for pair in PAIRS]
JSON_LINES = "\n".join(json.dumps(row) for row in ROWS)
CSV = 'question,answer\r\nWho?,"Éva, ""the"" one"\r\nWhere?,"In Kraków\nby the river"\r\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.json", json.dumps(ROWS)),
        ("pretty.json", "\n " + json.dumps(ROWS, indent=2, ensure_ascii=False) + "\n\n"),
        ("tofu.json", JSON_LINES),  # JSON Lines by content
        ("lines.jsonl", JSON_LINES + "\n\n"),
        ("lines.ndjson", JSON_LINES.replace("\n", "\r\n")),
        ("list.jsonl", json.dumps(ROWS)),
        ("mark.json", "\ufeff" + JSON_LINES),
        ("table.csv", CSV),
        ("TABLE.CSV", "\ufeff" + CSV),
    ],
)
def test_pairs_read_the_same_from_every_format(write: Write, name: str, content: str) -> None:
    assert load_pairs(write(content, name), "question", "answer") == PAIRS


@pytest.mark.parametrize(
    ("name", "field", "content"),
    [
        ("plain.txt", None, "  one \n\n* * *\ntwo\r\nthree"),
        ("no-ending", None, "one\ntwo\nthree\n"),
        ("list.json", None, '["one",\n"two" , "three"]'),
        ("lines.jsonl", None, '"one"\n"two"\n"three"\n'),
        ("objects.json", "t", '[{"t": "one"}, {"t": "two", "x": 1}, {"t": "three"}]'),
        ("one-column.csv", None, "passage\none\n\ntwo\nthree\n"),
        ("columns.csv", "t", "x,t\n1,one\n2,two\n3,three\n"),
    ],
)
def test_texts_read_the_same_from_every_format(
    write: Write, name: str, field: str | None, content: str
) -> None:
    assert load_texts(write(content, name), field) == ("one", "two", "three")


def test_other_line_separators_stay_inside_a_text(write: Write) -> None:
    text = "one\u2028two\x85three"
    assert load_texts(write(json.dumps(text, ensure_ascii=False), "a.jsonl"), None) == (text,)
    assert load_texts(write(text, "a.txt"), None) == (text,)


@pytest.mark.parametrize(
    ("name", "content", "line", "said"),
    [
        ("a.jsonl", '{"q": "x", "a": "y"}\n{"q": "x"}\n', 2, "has no field a"),
        ("a.jsonl", '{"q": "x", "a": "y"}\n\n{"q": 1, "a": "y"}\n', 3, "field q must be text"),
        ("a.jsonl", '{"q": "x", "a": null}\n', 1, "has no field a"),
        ("a.jsonl", '{"q": "x", "a": " . "}\n', 1, "no letter and no digit"),
        ("a.jsonl", '{"q": "x", "a": "\\ud800"}\n', 1, "surrogate"),
        ("a.jsonl", '{"q": "x"\n', 1, "is not a JSON value"),
        ("a.jsonl", '"x"\n', 1, "must be an object"),
        ("a.jsonl", "[" * 100_000, 1, "is not JSON from here on"),
        ("a.json", '[\n{"q": "x", "a": "y"},\n{"q": "x"}\n]', 3, "has no field a"),
        ("a.json", '[\n{"q": "x", "a": "y"}\n{"q": "x"}\n]', 3, "expected a comma"),
        ("a.json", '[\n{"q": "x", "a": "y"},\n]', 3, "expected a comma or the end"),
        ("a.json", '[\n{"q": "x", "a": "y"}\n] x', 3, "after the end"),
        ("a.json", '[\n{"q": "x", "a": "y"}', 2, "expected a comma or the end"),
        ("a.json", '[\n{"q": "x",\n"a" "y"}]', 3, "is not JSON from here on"),
        ("a.csv", "q,a\nx,y\nx\n", 3, "has 1 cells; the header has 2"),
        ("a.csv", 'q,a\n"x\nx",y\nx,y,z\n', 4, "has 3 cells; the header has 2"),
        ("a.csv", "q,b\nx,y\n", 2, "has no field a"),
        ("a.csv", "q,q\nx,y\n", 1, "names a column twice"),
        ("a.csv", 'q,a\nx,"y\n', 2, "is not CSV"),
        ("a.csv", "q,a\n", 0, "holds no rows"),
        ("a.json", "[]", 0, "holds no rows"),
        ("a.json", "", 0, "holds no rows"),
        ("a.txt", "x\ty\n", 0, "pairs need a JSON, JSON Lines or CSV file"),
    ],
)
def test_a_wrong_row_names_file_and_line(
    write: Write, name: str, content: str, line: int, said: str
) -> None:
    path = write(content, name)
    with pytest.raises(PolicyError) as caught:
        load_pairs(path, "q", "a")
    first = caught.value.problems[0]
    assert (first.file, first.line) == (str(path), line)
    assert said in first.message


@pytest.mark.parametrize(
    ("name", "field", "content", "said"),
    [
        ("a.txt", "t", "one\n", "plain lines have no fields"),
        ("a.csv", None, "x,y\n1,2\n", "columns; name one with `field`"),
        ("a.jsonl", None, '{"t": "one"}\n', "fields; name one with `field`"),
        ("a.jsonl", None, "3\n", "must be text"),
        ("a.txt", None, "* * *\n", "holds no rows"),
    ],
)
def test_a_text_file_of_the_wrong_shape_is_refused(
    write: Write, name: str, field: str | None, content: str, said: str
) -> None:
    with pytest.raises(PolicyError, match=said):
        load_texts(write(content, name), field)


def test_a_file_wrong_on_every_line_gives_up_after_twenty_problems(write: Write) -> None:
    with pytest.raises(PolicyError) as caught:
        load_texts(write("{}\n" * 1000, "a.jsonl"), "t")
    assert [problem.line for problem in caught.value.problems] == list(range(1, 21))


@pytest.mark.parametrize("name", ["big.jsonl", "big.json", "big.csv"])
def test_a_hundred_thousand_rows_load_with_growing_progress(write: Write, name: str) -> None:
    count = 100_000
    rows = [f'{{"q": "Question {i}?", "a": "Answer {i}."}}' for i in range(count)]
    content = {
        "big.jsonl": "\n".join(rows),
        "big.json": "[" + ",\n".join(rows) + "]",
        "big.csv": "q,a\n" + "".join(f"Question {i}?,Answer {i}.\n" for i in range(count)),
    }[name]
    reports: list[tuple[str, int, int]] = []
    pairs = load_pairs(
        write(content, name), "q", "a", progress=lambda *report: reports.append(report)
    )
    assert len(pairs) == count
    assert pairs[-1] == Pair(f"Question {count - 1}?", f"Answer {count - 1}.")
    assert len(reports) > 10
    assert reports == sorted(reports, key=lambda report: report[1])
    assert reports[-1] == (name, len(content), len(content))
