"""The strings of a JSON text, in any division of it into pieces."""

from __future__ import annotations

import json
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from guard.restrict.json_strings import CLOSES, KEY, OPENS, TEXT, Mark, Strings

LETTERS = st.characters(exclude_characters='"\\')
VALUES = st.recursive(
    st.text(LETTERS, max_size=5) | st.integers(0, 9) | st.none(),
    lambda inner: (
        st.dictionaries(st.text(LETTERS, max_size=3), inner, max_size=3) | st.lists(inner)
    ),
    max_leaves=8,
)


def marks(text: str, size: int) -> list[Mark]:
    strings = Strings()
    return [
        mark
        for start in range(0, len(text), size)
        for mark in strings.feed(text[start : start + size])
    ]


def outermost(found: list[Mark]) -> Iterator[tuple[str, bool]]:
    """The strings of level 0 as they are written, and whether each is a key."""
    said: list[str] | None = None
    last = None
    for mark in found:
        if mark.kind == OPENS and mark.level == 0:
            if last is not None:
                yield last, False
            said, last = [], None
        elif mark.kind == TEXT and said is not None:
            said.append(mark.text)
        elif mark.kind == CLOSES and mark.level == 0:
            assert said is not None
            said, last = None, "".join(said)
        elif mark.kind == KEY and said is None:
            assert last is not None
            yield last, True
            last = None
    if last is not None:
        yield last, False


def inside(value: object) -> list[tuple[str, bool]]:
    if isinstance(value, str):
        return [(value, False)]
    if isinstance(value, dict):
        return [each for key, item in value.items() for each in [(key, True), *inside(item)]]
    return [each for item in value for each in inside(item)] if isinstance(value, list) else []


@settings(max_examples=80, deadline=None)
@given(VALUES, st.integers(1, 5))
def test_the_strings_of_json_are_told_apart_and_keys_from_values(value: object, size: int) -> None:
    found = outermost(marks(json.dumps(value), size))
    assert [(json.loads(f'"{text}"'), key) for text, key in found] == inside(value)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["x", "a b", "y:", ""]), max_size=3), st.integers(1, 3))
def test_json_inside_a_string_has_its_strings_a_level_down(words: list[str], times: int) -> None:
    text = json.dumps(words)
    for _ in range(times):
        text = json.dumps(text)
    levels = [mark.level for mark in marks(text, 2) if mark.kind == OPENS]
    assert levels == [*range(times), *([times] * len(words))]


def joined(found: list[Mark]) -> list[tuple[str, int, str]]:
    """What is said, whatever the pieces."""
    said: list[tuple[str, int, str]] = []
    for mark in found:
        if mark.kind == TEXT and said and said[-1][0] == TEXT:
            said[-1] = (TEXT, 0, said[-1][2] + mark.text)
        elif mark.kind != KEY:  # told as soon as it is known
            said.append((mark.kind, mark.level, mark.text))
    return said


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from(['"', "\\", "a", ": ", ","]), max_size=24).map("".join),
    st.integers(1, 4),
)
def test_any_division_gives_the_same_strings(text: str, size: int) -> None:
    assert joined(marks(text + "a", size)) == joined(marks(text + "a", 100))


def test_places_are_those_in_the_piece() -> None:
    text = '{"a": "b \\"c\\" d"}'
    for mark in marks(text, len(text)):
        assert text[mark.at :].startswith(mark.text)
        if mark.kind == OPENS:
            assert text[mark.at - 1] == '"'
