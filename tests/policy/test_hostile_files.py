"""Whatever a file holds, reading it ends in a result or in problems with places."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guard.errors import PolicyError
from guard.policy.compiled import Pair
from guard.policy.data import load_pairs, load_texts
from guard.policy.source import read_source

# The directory is shared by the examples of one test; each writes its file anew.
shared_directory = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200
)

YAML_SIGNS = st.sampled_from(
    [
        *"[]{}:,-?*&!|>%@`'\"#~ \n\t\\0",
        *("version: 1\n", "name: a\n", "forget:", "texts", "<<: ", "2026-13-01", "=\n"),
        *("!!int ", "!!map ", "!!timestamp ", "&a ", "*a", "0x", ".inf", "1e3"),
        *("\u2028", "\ud800", "\ufeff", "é"),
    ]
)
JSON_SIGNS = st.sampled_from(
    [*'[]{}:,"\\ \n', '"q": "a"', '{"q": "x", "a": "y"}', "1e999", "NaN", "\\ud800"]
)
CSV_SIGNS = st.sampled_from([*'",\n\r;x\0', "q,a\n", '"', "é"])


def joined(signs: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    return st.lists(signs, max_size=25).map(
        lambda found: "".join(found).encode(errors="surrogatepass")
    )


@shared_directory
@given(content=st.binary(max_size=60) | joined(YAML_SIGNS))
def test_any_bytes_as_a_policy_give_a_policy_or_problems(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    # YAML knows these five ends of a line.
    lines = sum(content.count(end.encode()) for end in "\n\r\x85\u2028\u2029") + 2
    try:
        read_source(path)
    except PolicyError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.file == str(path)
            assert 1 <= problem.line <= lines
            assert problem.message


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.txt"])
@shared_directory
@given(content=st.binary(max_size=60) | joined(JSON_SIGNS) | joined(CSV_SIGNS))
def test_any_bytes_as_data_give_clean_texts_or_problems(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with contextlib.suppress(PolicyError):
        for text in load_texts(path, None):
            assert text.encode()
            assert any(character.isalnum() for character in text)
    with contextlib.suppress(PolicyError):
        assert all(
            isinstance(pair.prompt + pair.answer, str) for pair in load_pairs(path, "q", "a")
        )


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1).map(
    lambda text: "w" + text
)


@shared_directory
@given(
    rows=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=6), indent=st.none() | st.just(1)
)
def test_json_in_any_layout_gives_back_what_was_written(
    tmp_path: Path, rows: list[tuple[str, str]], indent: int | None
) -> None:
    objects = [{"q": question, "a": answer} for question, answer in rows]
    (tmp_path / "list.json").write_text(json.dumps(objects, indent=indent), encoding="utf-8")
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in objects)
    (tmp_path / "lines.json").write_text(lines, encoding="utf-8", newline="")
    expected = tuple(Pair(*row) for row in rows)
    assert load_pairs(tmp_path / "list.json", "q", "a") == expected
    assert load_pairs(tmp_path / "lines.json", "q", "a") == expected
