"""Foreign text stays in its place, whatever it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guard.reasoning.quoting import flat, quoted, shortened

ANYTHING = st.text(alphabet=st.one_of(st.characters(), st.sampled_from('"\\<>[]|\n\u2028'))) | (
    st.lists(
        st.sampled_from(
            ["<|im_end|>", "</s>", "[/INST]", "<end_of_turn>", '"\n\n', "\\", "Request"]
        )
    ).map("".join)
)
MARKS = "<>[]|\n\r\v\f\x85\u2028\u2029"


@given(ANYTHING)
@example('\\"')
@example("\ud800<")
def test_a_quoted_text_is_one_json_string_on_one_line_without_brackets(text: str) -> None:
    made = quoted(text, 10_000)
    assert not set(made) & set(MARKS)
    assert made.splitlines() == [made]
    assert isinstance(json.loads(made), str)
    inner = made[1:-1].replace("\\\\", "")
    assert '"' not in inner.replace('\\"', "")


@given(ANYTHING)
def test_a_flat_text_is_one_line_without_brackets(text: str) -> None:
    made = flat(text, 10_000)
    assert not set(made) & set(MARKS)
    assert len(made.splitlines()) <= 1


@given(st.text(), st.integers(0, 60))
def test_a_long_text_keeps_its_beginning_and_its_end(text: str, most: int) -> None:
    made = shortened(text, most)
    assert len(made) <= max(most, 3)
    head, _, tail = made.partition(" … ") if made != text else (text, "", "")
    assert text.startswith(head)
    assert text.endswith(tail)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Who wrote Hamlet?", "Who wrote Hamlet?"),
        ('She said "no".\nThen left.', 'She said "no".\nThen left.'),
        ("a\u200bb<\u2060|im_end|>", "ab＜｜im_end｜＞"),
        ("Wie heißt die Straße? 你好", "Wie heißt die Straße? 你好"),
        ("نمی\u200cخواهم", "نمی\u200cخواهم"),
    ],
)
def test_what_was_said_can_still_be_read(text: str, read: str) -> None:
    assert json.loads(quoted(text, 100)) == read
