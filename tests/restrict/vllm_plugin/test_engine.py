"""One rank follows the shelf: what it holds, who uses it, and what it says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guard.restrict.shelf import Shelf, held_by_all
from guard.restrict.vllm_plugin.engine import Engine
from tests.restrict.vllm_plugin.support import END, VOCABULARY, engine_on, phrase, publish


class Noted:
    """A backend that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int, int]] = []

    def planted(self, root: int, end: int) -> None:
        self.said.append(("planted", root, end))

    def felled(self, root: int, end: int) -> None:
        self.said.append(("felled", root, end))


def withdraw(shelf: Shelf, name: str) -> None:
    (shelf.path / "manifests" / f"{name}.json").unlink()


def test_a_set_is_held_once_it_is_in_memory_and_said(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    engine = engine_on(tmp_path)
    name = publish(shelf, "John Smith").id
    assert engine.hold([name]) is None
    engine.follow()
    assert held_by_all(shelf.engines(), name)
    assert engine.hold([name]) is not None


def test_an_unknown_or_unreadable_set_is_none_even_beside_a_known_one(tmp_path: Path) -> None:
    engine = engine_on(tmp_path)
    name = publish(Shelf(tmp_path), "John Smith").id
    engine.follow()
    assert engine.hold([name, "unknown"]) is None
    assert engine.hold(None) is None
    assert engine.hold([]) == ()


def test_the_backend_is_ready_before_the_set_is_said_to_be_held(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    name = publish(shelf, "John Smith").id
    engine = engine_on(tmp_path)

    class Checks(Noted):
        def planted(self, root: int, end: int) -> None:
            super().planted(root, end)
            assert not held_by_all(shelf.engines(), name)
            assert engine.hold([name]) is None

    engine.backend = noted = Checks()
    engine.follow()
    assert [what for what, *_ in noted.said] == ["planted"]
    assert held_by_all(shelf.engines(), name)


def test_a_withdrawn_set_leaves_memory_when_its_last_user_does(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    engine = engine_on(tmp_path)
    engine.backend = noted = Noted()
    name = publish(shelf, "John Smith").id
    engine.follow()
    roots = engine.hold([name])
    assert roots is not None
    used = engine.forest.used
    withdraw(shelf, name)
    engine.follow()
    assert engine.hold([name]) is None
    assert engine.forest.used == used
    engine.release(roots)
    engine.follow()
    assert engine.forest.used == 0
    assert [what for what, *_ in noted.said] == ["planted", "felled"]


def test_a_merged_trie_takes_over_under_the_same_name(tmp_path: Path) -> None:
    from guard.restrict.shelf import shard_name

    shelf = Shelf(tmp_path)
    engine = engine_on(tmp_path)
    shards = {shard_name([p]): [p] for p in map(phrase, ("John Smith", "Ana Li"))}
    first = next(iter(shards))
    one = shelf.publish({first: shards[first]})
    both = shelf.publish(shards)
    withdraw(shelf, one.id)
    engine.follow()
    before = engine.hold([both.id])
    assert before is not None
    assert len(before) == 2
    shelf.tidy(both, shards)
    engine.follow()
    after = engine.hold([both.id])
    assert after is not None
    assert len(after) == 1
    assert not set(after) & set(before), "who began under the old tries keeps them"


def test_no_room_is_said_and_costs_no_other_set(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf(tmp_path)
    engine = engine_on(tmp_path, nodes=64)
    small = publish(shelf, "John Smith").id
    engine.follow()
    large = publish(shelf, *(f"Ana Li {chr(97 + i) * 30}" for i in range(20))).id
    for _ in range(3):
        engine.follow()
    assert held_by_all(shelf.engines(), small)
    assert not held_by_all(shelf.engines(), large)
    assert engine.hold([large]) is None
    (said,) = shelf.engines()["e"]
    assert said["refused"]
    assert len(caplog.records) == 1, "said once, not at every look"
    assert "Ana" not in caplog.text


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04half"])
def test_a_damaged_trie_is_not_held_until_it_is_whole(tmp_path: Path, content: bytes) -> None:
    shelf = Shelf(tmp_path)
    engine = engine_on(tmp_path)
    manifest = publish(shelf, "John Smith")
    path = tmp_path / "tries" / f"{manifest.tries[0]}.npz"
    whole = path.read_bytes()
    path.write_bytes(content)
    engine.follow()
    assert engine.hold([manifest.id]) is None
    path.write_bytes(whole)
    engine.follow()
    assert engine.hold([manifest.id]) is not None


def test_reports_count_who_was_served_and_say_the_facts(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    facts: dict[str, Any] = {"runner": "v1", "logprobs_mode": "processed_logprobs"}
    engine = engine_on(tmp_path, rank=1, ranks=2, facts=facts)
    name = publish(shelf, "John Smith").id
    engine.follow()
    engine.hold([name])
    engine._report()
    (said,) = shelf.engines()["e"]
    assert said["served"] == {name: 1}
    assert (said["rank"], said["ranks"], said["runner"]) == (1, 2, "v1")
    assert not held_by_all(shelf.engines(), name), "the other rank has said nothing"


def test_a_rank_that_never_samples_says_nothing(tmp_path: Path) -> None:
    engine_on(tmp_path, reports=False).follow()
    assert Shelf(tmp_path).engines() == {}


def test_the_thread_goes_on_when_the_shelf_is_away(tmp_path: Path) -> None:
    engine = Engine(Shelf(tmp_path / "s"), VOCABULARY, end=END, nodes=1 << 12, name="e")
    (tmp_path / "s" / "engines").rename(tmp_path / "away")
    (tmp_path / "s" / "engines").write_text("")
    engine.start()
    engine.stop()
    assert engine._thread is not None
    assert not engine._thread.is_alive()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], None),
        (["gone"], None),
        (["a"], ([1, 5], [1.0, 2.0])),
        (["a", "gone"], ([1, 5], [1.0, 2.0])),
        (["a", "b"], ([1, 3, 5], [1.0, 4.0, 3.0])),
    ],
)
def test_soft_penalties_are_joined_by_the_larger(
    tmp_path: Path, names: list[str], expected: tuple[list[int], list[float]] | None
) -> None:
    import numpy as np

    engine = engine_on(tmp_path)
    engine._soft = {
        "a": (np.array([1, 5], np.int32), np.array([1, 2], np.float32)),
        "b": (np.array([3, 5], np.int32), np.array([4, 3], np.float32)),
    }
    found = engine.soft(names)
    assert (found and (found[0].tolist(), found[1].tolist())) == expected


def test_soft_penalties_on_the_shelf_are_held_as_tokens_and_said(tmp_path: Path) -> None:
    from guard.restrict.soft import SoftPenalties

    shelf = Shelf(tmp_path)
    engine = engine_on(tmp_path)
    soft = SoftPenalties({"smith": 2.5, "john": 1.0}, "some id")
    shelf.publish_soft(soft)
    engine.follow()
    assert held_by_all(shelf.engines(), soft.id, "soft")
    found = engine.soft([soft.id])
    assert found is not None
    by_token = dict(zip(found[0].tolist(), found[1].tolist(), strict=True))
    assert {VOCABULARY.bytes_of(token): value for token, value in by_token.items()} == {
        b" Smith": 2.5, b" John": 1.0,
    }  # fmt: skip
    (tmp_path / "soft" / f"{soft.id}.json").unlink()
    engine.follow()
    assert engine.soft([soft.id]) is None
