"""The shelf: what a proxy puts there is what an engine reads, and only what is new is compiled."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from guard.errors import EngineError
from guard.restrict.folding import fold_words
from guard.restrict.outlook import FARTHEST, outlook
from guard.restrict.phrases import Phrase, join
from guard.restrict.shelf import FRESH, Shelf, held_by_all, manifest_id, shard_name
from guard.restrict.trie import BOUNDED, build_trie


def shard(*names: str) -> tuple[str, list[Phrase]]:
    folded = [tuple(fold_words(name)) for name in names]
    phrases = [Phrase(join(words), True, "name", "p", words) for words in folded]
    return shard_name(phrases), phrases


ONE, TWO, THREE = shard("John Smith"), shard("Ana Li", "Li Ana"), shard("Basil Ko")


def tries(shelf: Shelf) -> set[str]:
    return {path.stem for path in (shelf.path / "tries").glob("*.npz")}


def test_an_engine_reads_what_a_proxy_published(tmp_path: Path) -> None:
    published = Shelf(tmp_path).publish(dict([ONE, TWO]))
    read = Shelf(tmp_path).manifest(published.id)
    assert read == published
    trie, ahead = Shelf(tmp_path).trie(published.tries[0])
    symbols = [p.symbols for p in (*ONE[1], *TWO[1])]
    expected = build_trie(sorted(symbols), [BOUNDED] * 3)
    assert np.array_equal(trie.labels, expected.labels)
    assert np.array_equal(ahead.shape, outlook(expected).shape)


def test_adding_a_policy_compiles_only_that_policy_until_tidied(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    first = shelf.publish(dict([ONE, TWO]))
    more = shelf.publish(dict([ONE, TWO, THREE]))
    assert set(more.tries) == {*first.tries, manifest_id([THREE[0]])}
    tidy = shelf.tidy(more, dict([ONE, TWO, THREE]))
    assert (tidy.id, len(tidy.tries)) == (more.id, 1)
    assert shelf.manifest(more.id) == tidy


def test_publishing_the_same_set_again_writes_nothing(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    assert shelf.publish(dict([ONE])) == shelf.publish(dict([ONE]))
    assert len(tries(shelf)) == 1


def test_the_name_of_a_set_is_its_content_in_any_order() -> None:
    assert manifest_id([ONE[0], TWO[0]]) == manifest_id([TWO[0], ONE[0], ONE[0]])
    assert manifest_id([ONE[0]]) != manifest_id([TWO[0]])
    assert shard("Ana Li", "Li Ana")[0] == shard("Li Ana", "Ana Li")[0]


def test_what_nobody_keeps_leaves_the_shelf(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    kept, gone = shelf.publish(dict([ONE])), shelf.publish(dict([TWO]))
    long_ago = time.time() - 1000
    for path in tmp_path.glob("*/*"):
        os.utime(path, (long_ago, long_ago))
    assert shelf.keep([kept.id, "never published"]) == {"never published"}
    shelf.withdraw(unused_for=100)
    assert shelf.manifests() == {kept.id}
    assert tries(shelf) == set(kept.tries)
    with pytest.raises(EngineError):
        shelf.trie(gone.tries[0])


def test_a_trie_whose_manifest_is_being_written_stays(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    name = shelf.publish(dict([ONE]))
    (tmp_path / "manifests" / f"{name.id}.json").unlink()
    shelf.withdraw(unused_for=100)
    assert tries(shelf) == set(name.tries)


@pytest.mark.parametrize(
    ("ranks", "held"),
    [
        ([], False),
        ([["m"]], True),
        ([["m"], ["m", "n"]], True),
        ([["m"], []], False),
        ([["m"], None], False),  # the second rank has said nothing yet
    ],
)
def test_a_set_is_held_when_every_rank_holds_it(
    tmp_path: Path, ranks: list[list[str] | None], held: bool
) -> None:
    shelf = Shelf(tmp_path)
    for rank, manifests in enumerate(ranks):
        if manifests is not None:
            said = {"engine": "e", "rank": rank, "ranks": len(ranks), "manifests": manifests}
            shelf.report("e", rank, said)
    assert held_by_all(shelf.engines(), "m") is held


def test_an_engine_that_is_silent_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(tmp_path)
    shelf.report("e", 0, {"rank": 0, "ranks": 1, "manifests": ["m"]})
    later = time.time() + FRESH + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert shelf.engines() == {}
    assert not held_by_all(shelf.engines(), "m")


@pytest.mark.parametrize("content", [b"", b"not a trie", b"PK\x03\x04half"])
def test_a_damaged_trie_is_an_error_of_its_own(tmp_path: Path, content: bytes) -> None:
    shelf = Shelf(tmp_path)
    name = shelf.publish(dict([ONE])).tries[0]
    (tmp_path / "tries" / f"{name}.npz").write_bytes(content)
    with pytest.raises(EngineError):
        shelf.trie(name)


@pytest.mark.parametrize("content", ["", "[]", "{", "null"])
def test_a_damaged_manifest_is_none(tmp_path: Path, content: str) -> None:
    shelf = Shelf(tmp_path)
    (tmp_path / "manifests" / "m.json").write_text(content)
    assert shelf.manifest("m") is None


def test_a_shelf_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError):
        Shelf(tmp_path / "file")


def test_reach_counts_letters_to_the_nearest_phrase_and_equal_ends_have_equal_shapes() -> None:
    trie = build_trie([b"ab cd", b"xy cd", b"xyz"], [BOUNDED] * 3)
    ahead = outlook(trie)
    assert ahead.reach[0] == 3  # "xyz"
    assert [int(ahead.reach[end]) for end in trie.ends] == [FARTHEST] * 3
    a, x = 1, 2
    assert ahead.shape[a] != ahead.shape[x]
    assert len(np.unique(ahead.shape)) < trie.nodes


def test_soft_penalties_are_kept_and_withdrawn_like_sets(tmp_path: Path) -> None:
    from guard.restrict.soft import SoftPenalties

    shelf = Shelf(tmp_path)
    kept, gone = (SoftPenalties({word: 4.0}, f"{word}-id") for word in ("radium", "polonium"))
    for soft in (kept, gone):
        assert shelf.publish_soft(soft) == soft.id
    long_ago = time.time() - 1000
    for path in tmp_path.glob("soft/*"):
        os.utime(path, (long_ago, long_ago))
    shelf.keep([], [kept.id])
    shelf.withdraw(unused_for=100)
    assert shelf.softs() == {kept.id}
    assert shelf.soft(kept.id) == {"radium": 4.0}
    assert shelf.soft(gone.id) is None


@pytest.mark.parametrize(
    ("mode", "folders", "files"),
    [(0o2770, 0o2770, 0o660), (0o755, 0o700, 0o600), (0o700, 0o700, 0o600), (None, 0o700, 0o600)],
)
def test_a_group_may_use_only_a_shelf_that_was_made_for_it(
    tmp_path: Path, mode: int | None, folders: int, files: int
) -> None:
    path = tmp_path / "shelf"
    if mode is not None:
        path.mkdir()
        path.chmod(mode)
    shelf = Shelf(path)
    shelf.publish(dict([ONE]))
    shelf.report("e", 0, {})
    modes = {p: p.stat().st_mode & 0o7777 for p in path.rglob("*")}
    assert {m for p, m in modes.items() if p.is_dir()} == {folders}
    assert {m for p, m in modes.items() if p.is_file()} == {files}
    if mode is None:
        assert path.stat().st_mode & 0o777 == 0o700
