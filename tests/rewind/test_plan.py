"""Back to which token: any vocabulary, any cut."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.rewind.plan import Bans, Known, Place, Prompt, joined, length_of, shared

PIECES = st.lists(st.text("ab ☕", min_size=1, max_size=4), min_size=1, max_size=12)


class Words:
    """A tokenizer of given pieces and single letters: greedily the longest."""

    def __init__(self, pieces: Sequence[str]) -> None:
        letters = "abcdefghijklmnopqrstuvwxyz ☕<>"
        self.all = sorted({*pieces, *letters}, key=lambda piece: (-len(piece), piece))

    def encode(self, text: str) -> tuple[int, ...]:
        ids = []
        while text:
            piece = next(piece for piece in self.all if text.startswith(piece))
            ids.append(self.all.index(piece))
            text = text[len(piece) :]
        return tuple(ids)

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self.all[token] for token in ids)


@given(PIECES, st.text("ab ☕", max_size=20), st.data())
def test_a_prefix_in_common_ends_before_the_cut(
    pieces: list[str], text: str, data: st.DataObject
) -> None:
    words = Words(pieces)
    prompt = Prompt(words.encode("<u>"), "<u>", 100)
    cut = data.draw(st.integers(0, len(text)))
    full, short = (
        joined(prompt, words.encode("<u>" + t), words.encode(t)) for t in (text, text[:cut])
    )
    source = shared(prompt, full, short)
    counts = list(source.before(cut))
    assert counts == sorted(counts, reverse=True)
    for count in counts:
        decoded = words.decode(source.ids[:count])
        length = length_of(decoded, prompt, text, 0, cut)
        assert length is not None
        assert decoded == "<u>" + text[:length]
        assert words.decode(source.ids) == "<u>" + text
    assert all(count < len(full) for count in counts)


@pytest.mark.parametrize(
    ("decoded", "released", "cut", "length"),
    [
        ("<u>It was", 0, 7, 6),
        ("<u>It was", 6, 6, 6),
        ("<u>It was", 7, 9, None),  # before what the client has
        ("<u>It was", 0, 5, None),  # past the match's start
        ("<u>It wos", 0, 9, None),  # another text
        ("<v>It was", 0, 9, None),  # another prompt
        ("<u>", 0, 0, 0),
        ("<", 0, 9, None),
    ],
)
def test_only_an_exact_beginning_will_do(
    decoded: str, released: int, cut: int, length: int | None
) -> None:
    prompt = Prompt((1, 2), "<u>", 100)
    assert length_of(decoded, prompt, "It was Harry", released, cut) == length


def test_a_token_across_the_joint_is_not_the_prompts() -> None:
    prompt = Prompt((1, 2), "Har", 100)
    assert joined(prompt, (1, 2, 3), (9,)) == (1, 2, 3)
    assert joined(prompt, (1, 7), (3,)) == (1, 2, 3)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=20), st.integers(0, 60))
def test_known_tokens_end_at_marks(steps: list[tuple[int, int]], cut: int) -> None:
    known = Known((0,))
    known.add((), 0)
    length = 0
    for tokens, letters in steps:
        length += letters
        known.add(tuple(range(tokens)), length)
    at = {mark.tokens: mark.length for mark in reversed(known.marks)}
    for count in known.before(cut):
        assert at[count] <= cut
        assert count < len(known.ids)


def test_bans_add_up_at_a_place() -> None:
    bans = Bans()
    assert bans.add(Place((1, 2), 5, 7)) == {7}
    assert bans.add(Place((1, 2), 5, 8)) == {7, 8}
    assert bans.add(Place((1,), 2, 7)) == {7}
    assert bans.add(Place((1, 2), 5, 7)) is None
