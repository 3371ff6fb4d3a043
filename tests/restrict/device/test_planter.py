"""Tries come and go on the device; tables come from the cache where it has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from guard.errors import EngineError
from guard.restrict import planter as planters
from guard.restrict import table_cache
from guard.restrict.device.store import SlotStore
from guard.restrict.device.tables import DeviceTables
from guard.restrict.forest import Forest
from guard.restrict.outlook import outlook
from guard.restrict.planter import Planter
from guard.restrict.segments import Segments
from guard.restrict.trie import build_trie
from tests.restrict.test_token_guard import NAMES, PHRASES, RUNS, VOCABULARY
from tests.restrict.vllm_plugin.running import asked
from tests.restrict.vllm_plugin.test_v2 import runner, tokens


def parts(
    *, rows: int = 256, spans: int = 4096, cache: Path | None = None
) -> tuple[Planter, Forest]:
    forest = Forest(1024)
    tables = DeviceTables(
        VOCABULARY, forest, torch.device("cpu"), rows=rows, spans=spans, searched=True
    )
    return Planter(VOCABULARY, forest, tables, cache=cache), forest


def plant(forest: Forest, planter: Planter, one: int) -> tuple[int, int]:
    phrases = (PHRASES, NAMES, RUNS)[one]
    trie = build_trie([p.symbols for p in phrases], [p.flag for p in phrases])
    root = forest.plant(trie, outlook(trie))
    planter.planted(root, root + trie.nodes)
    return root, root + trie.nodes


def test_a_place_is_taken_again() -> None:
    made = runner()
    engine = made.engine
    (root,) = engine.sets.pop("all")
    nodes = min(root for roots in engine.sets.values() for root in roots) - root
    engine.backend.felled(root, root + nodes - 1)
    engine.forest.fell(root)
    trie = build_trie([p.symbols for p in NAMES], [p.flag for p in NAMES])
    again = engine.forest.plant(trie, outlook(trie))
    assert again == root
    engine.backend.planted(again, again + trie.nodes)
    engine.sets["all"] = (again,)
    made.admit(0, asked("all", "two"))
    made.check([(0, ())])
    for one in tokens(" John", " ", "Mü", "習"):
        made.commit(0, [one])
        made.check([(0, ())])


@pytest.mark.parametrize(("rows", "spans"), [(2, 4096), (256, 3)])
def test_no_room_is_said_and_takes_nothing(rows: int, spans: int) -> None:
    planter, forest = parts(rows=rows, spans=spans)
    for _ in range(3):
        with pytest.raises(EngineError, match="no room"):
            plant(forest, planter, 0)
    planter.felled(0, 1)  # never there: nothing to give back


def test_a_cached_table_is_not_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planter, forest = parts(cache=tmp_path / "tables")
    root, _ = plant(forest, planter, 0)
    monkeypatch.setattr(planters, "compile_table", None)
    other, woods = parts(cache=tmp_path / "tables")
    plant(woods, other, 0)
    for name in ("entry", "place", "pool", "shapes"):
        one, two = (getattr(made._held[root], name) for made in (planter, other))
        np.testing.assert_array_equal(one, two)


def test_a_damaged_or_forbidden_cache_is_none(tmp_path: Path) -> None:
    planter, forest = parts(cache=tmp_path)
    plant(forest, planter, 0)
    (file,) = tmp_path.glob("*.npz")
    file.write_bytes(file.read_bytes()[:100])
    planter, forest = parts(cache=tmp_path)
    plant(forest, planter, 0)
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert not table_cache.TableCache(blocked / "no").store("x", planter._held[0])


def test_segments_are_first_fit_and_never_overlap() -> None:
    segments = Segments(10, "places")
    a, b, c = (segments.take(size) for size in (4, 3, 3))
    assert (a, b, c) == (0, 4, 7)
    with pytest.raises(EngineError, match="0 of 10 left"):
        segments.take(1)
    segments.give_back(b)
    assert segments.take(2) == 4
    assert segments.take(0) == 6  # nothing takes a place too, so that it can be given back
    assert segments.used == 10


def test_penalties_without_room_are_left_out_and_given_back() -> None:
    store = SlotStore(2, torch.device("cpu"), soft=3)
    two = (np.arange(2, dtype=np.int32), np.ones(2, dtype=np.float32))
    store.stage(0, (), 0, ("a", two))
    store.stage(1, (), 0, ("b", two))
    store.flush()
    assert store.slots[:2, -1].tolist() == [2, 0]
    store.stage(0, (), 0, None)
    store.stage(1, (), 0, ("b", two))
    store.flush()
    assert store.slots[:2, -1].tolist() == [0, 2]
