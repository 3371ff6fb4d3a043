"""Tables compiled ahead: the same bans as found on the way, room that is given back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.errors import EngineError
from guard.restrict.completions import Completions
from guard.restrict.forest import Forest
from guard.restrict.outlook import outlook
from guard.restrict.planter import Planter
from guard.restrict.token_guard import TokenGuard
from guard.restrict.trie import build_trie
from tests.restrict.test_token_guard import END, GUARD, PHRASES, PLAIN, ROOT, VOCABULARY


def planted(*, cache: Path | None = None, **room: int) -> tuple[TokenGuard, int, Planter]:
    """A guard whose trie's completions were compiled before any row began."""
    forest, completions = Forest(1 << 12), Completions(1 << 12, **room)
    planter = Planter(VOCABULARY, forest, completions, cache=cache)
    guard = TokenGuard(VOCABULARY, end=END, rows=2, forest=forest, completions=completions)
    trie = build_trie([p.symbols for p in PHRASES], [p.flag for p in PHRASES])
    root = forest.plant(trie, outlook(trie))
    planter.planted(root, root + trie.nodes)
    return guard, root, planter


COMPILED, COMPILED_ROOT, _ = planted()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PLAIN), max_size=14))
def test_what_was_compiled_forbids_what_would_be_found(tokens: list[int]) -> None:
    COMPILED.begin(0, [COMPILED_ROOT])
    GUARD.begin(0, [ROOT])
    for token in tokens:
        assert COMPILED.forbidden(0) == GUARD.forbidden(0)
        COMPILED.take([0], [token])
        GUARD.take([0], [token])
    assert not COMPILED._memory.used.any(), "nothing had to be found"


def test_a_trie_that_is_gone_is_as_if_it_had_never_been() -> None:
    guard, root, planter = planted()
    planter.felled(root, root + guard.forest.used - 1)
    guard.begin(0, [root])
    guard.take([0], [next(iter(PLAIN))])
    GUARD.begin(0, [ROOT])
    GUARD.take([0], [next(iter(PLAIN))])
    assert guard.forbidden(0) == GUARD.forbidden(0)
    assert guard._memory.used.any(), "found on the way again"


@pytest.mark.parametrize("room", [{"rows": 1}, {"intervals": 1}])
def test_no_room_is_an_error_that_takes_nothing(room: dict[str, int]) -> None:
    with pytest.raises(EngineError):
        planted(**room)


def test_a_kept_table_is_taken_from_disk(tmp_path: Path) -> None:
    planted(cache=tmp_path)
    (kept,) = tmp_path.glob("*.npz")
    before = kept.stat().st_mtime_ns
    guard, root, _ = planted(cache=tmp_path)
    guard.begin(0, [root])
    GUARD.begin(0, [ROOT])
    assert guard.forbidden(0) == GUARD.forbidden(0)
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("content", [b"", b"not a table", b"PK\x03\x04half"])
def test_a_damaged_table_is_compiled_again(tmp_path: Path, content: bytes) -> None:
    planted(cache=tmp_path)
    (kept,) = tmp_path.glob("*.npz")
    kept.write_bytes(content)
    guard, root, _ = planted(cache=tmp_path)
    guard.begin(0, [root])
    GUARD.begin(0, [ROOT])
    assert guard.forbidden(0) == GUARD.forbidden(0)
