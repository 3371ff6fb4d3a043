"""V1: rows follow the batch through additions, removals, moves, preemption and late tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("vllm")

from vllm.v1.sample.logits_processor.interface import (  # noqa: E402
    BatchUpdate,
    MoveDirectionality,
)

from guard.restrict.shelf import Shelf  # noqa: E402
from guard.restrict.token_guard import TokenGuard  # noqa: E402
from guard.restrict.vllm_plugin.v1 import V1Guard  # noqa: E402
from tests.restrict.vllm_plugin.support import (  # noqa: E402
    END,
    VOCABULARY,
    engine_on,
    params,
    publish,
    token,
)

SWAP, ONE_WAY = MoveDirectionality.SWAP, MoveDirectionality.UNIDIRECTIONAL
JOHN, SMITH, ANA, LI = map(token, (" John", " Smith", " Ana", " Li"))


class Batch:
    """A runner's batch: its requests' output lists, and the plugin beside it."""

    def __init__(self, path: Path, rows: int = 4) -> None:
        self.shelf = Shelf(path)
        self.smith = publish(self.shelf, "John Smith").id
        self.li = publish(self.shelf, "Ana Li").id
        self.engine = engine_on(path)
        self.engine.follow()
        self.guard = V1Guard(self.engine, rows)
        self.rows = rows

    def update(self, removed: Any = (), added: Any = (), moved: Any = ()) -> None:
        self.guard.update(BatchUpdate(self.rows, list(removed), list(added), list(moved)))

    def add(self, index: int, *sets: str, output: list[int] | None = None, **more: Any) -> Any:
        output = [] if output is None else output
        prompt = more.pop("prompt", [])
        self.update(added=[(index, params(*sets, **more), prompt, output)])
        return output

    def banned(self, *, device: bool = False, updated: bool = True) -> dict[int, set[int]]:
        """What each row may not take in one more step; {} of a row that may take everything."""
        logits = torch.zeros((self.rows, VOCABULARY.tokens))
        if device:  # what a GPU's logits go through
            logits = logits.to(torch.float64)
        if updated:
            self.guard.update(None)
        self.guard.apply(logits)
        return {
            row: set(np.flatnonzero(np.isneginf(logits[row].numpy())).tolist())
            for row in range(self.rows)
        }


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return Batch(tmp_path)


ALL_BUT_END = set(range(VOCABULARY.tokens)) - {END}


@pytest.mark.parametrize("device", [False, True])
def test_each_row_is_under_its_own_sets(batch: Batch, device: bool) -> None:
    outputs = [batch.add(0, batch.smith), batch.add(1, batch.li), batch.add(2)]
    for output in outputs:
        output += [JOHN]
    assert SMITH in batch.banned(device=device)[0]
    assert batch.banned(device=device)[1] == set()
    assert batch.banned(device=device)[2] == set()
    outputs[1] += [ANA]
    assert LI in batch.banned(device=device)[1]


def test_removed_rows_are_free_and_their_tries_given_back(batch: Batch) -> None:
    batch.add(0, batch.smith, output=[JOHN])
    assert batch.banned()[0]
    batch.update(removed=[0])
    assert batch.banned()[0] == set()
    assert {planted.users for planted in batch.engine._tries.values()} == {0}


def test_a_slot_that_is_taken_over_starts_anew(batch: Batch) -> None:
    batch.add(0, batch.smith, output=[JOHN])
    batch.add(0, batch.smith)
    assert SMITH not in batch.banned()[0]
    batch.add(0)
    assert batch.banned()[0] == set()


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([(0, 1, SWAP)], {0: LI, 1: SMITH}),
        ([(0, 2, ONE_WAY)], {1: LI, 2: SMITH}),
        ([(1, 0, ONE_WAY)], {0: LI}),
        ([(0, 3, SWAP)], {1: LI, 3: SMITH}),
        ([(0, 1, SWAP), (1, 2, ONE_WAY)], {0: LI, 2: SMITH}),
    ],
)
def test_moves_take_a_rows_state_along(
    batch: Batch, moves: list[Any], expected: dict[int, int]
) -> None:
    batch.add(0, batch.smith, output=[JOHN])
    batch.add(1, batch.li, output=[ANA])
    batch.update(moved=moves)
    banned = batch.banned()
    assert {row for row in banned if banned[row]} == set(expected)
    assert all(one in banned[row] for row, one in expected.items())


def test_a_request_resumed_after_preemption_is_read_from_its_beginning(batch: Batch) -> None:
    output = batch.add(0, batch.smith, output=[JOHN])
    before = batch.banned()[0]
    batch.update(removed=[0])
    batch.add(2, batch.smith, output=output)
    assert batch.banned()[2] == before


def test_until_a_late_token_is_known_a_row_may_only_end(batch: Batch) -> None:
    output = batch.add(0, batch.smith, output=[JOHN, -1])
    assert batch.banned()[0] == ALL_BUT_END
    output[-1] = token(" the")
    assert SMITH not in batch.banned()[0]
    assert ALL_BUT_END - batch.banned()[0]


def test_tokens_that_are_taken_back_are_forgotten(batch: Batch) -> None:
    output = batch.add(0, batch.smith, output=[JOHN])
    assert SMITH in batch.banned()[0]
    del output[:]
    assert SMITH not in batch.banned()[0]


@pytest.mark.parametrize("sets", [("unknown",), ("known", "unknown"), (1,)])
@pytest.mark.parametrize("device", [False, True])
def test_what_is_not_understood_may_only_end(
    batch: Batch, sets: tuple[Any, ...], device: bool
) -> None:
    batch.add(0, *(batch.smith if one == "known" else one for one in sets))
    assert batch.banned(device=device)[0] == ALL_BUT_END


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_that_nothing_is_left_to_may_only_end(batch: Batch, dtype: Any) -> None:
    batch.add(0, batch.smith, output=[JOHN])
    logits = torch.full((1, VOCABULARY.tokens), -torch.inf, dtype=dtype)
    logits[0, SMITH] = 5.0  # a grammar that wants it
    batch.guard.apply(logits)
    assert torch.isfinite(logits).nonzero().tolist() == [[0, END]]


def test_the_end_of_the_prompt_is_read_only_where_it_leads_in(batch: Batch) -> None:
    batch.add(0, batch.smith, prompt=[LI] * 100 + [JOHN], lead=True)
    batch.add(1, batch.smith, prompt=[JOHN])
    banned = batch.banned()
    assert SMITH in banned[0]
    assert SMITH not in banned[1]


def test_soft_penalties_are_taken_off(batch: Batch) -> None:
    batch.engine._soft["s"] = (np.array([SMITH, LI], np.int32), np.array([2, 3], np.float32))
    batch.add(0, soft=["s"])
    logits = torch.zeros((2, VOCABULARY.tokens))
    batch.guard.apply(logits)
    assert {i: -x for i, x in enumerate(logits[0].tolist()) if x} == {SMITH: 2.0, LI: 3.0}
    assert not logits[1].any()


@pytest.mark.parametrize("updated", [False, True])
def test_a_step_is_the_same_with_tokens_known_before_or_after_the_update(
    batch: Batch, updated: bool
) -> None:
    output = batch.add(0, batch.li)
    batch.add(1, batch.smith, output=[JOHN])
    output.append(ANA)
    assert LI in batch.banned(updated=updated)[0]
    assert SMITH in batch.banned(updated=updated)[1]


def test_a_batch_in_any_order_of_events_is_what_a_walk_of_each_text_says(batch: Batch) -> None:
    random = np.random.default_rng(11)
    outputs: dict[int, list[int]] = {}
    reference = TokenGuard(VOCABULARY, end=END, rows=1, forest=batch.engine.forest)
    roots = batch.engine.hold((batch.smith, batch.li))
    assert roots is not None
    for _ in range(150):
        index = int(random.integers(batch.rows))
        happens = random.random()
        if index not in outputs:
            outputs[index] = batch.add(index, batch.smith, batch.li)
        elif happens < 0.05:
            batch.update(removed=[index])
            del outputs[index]
        elif happens < 0.1:
            del outputs[index][len(outputs[index]) // 2 :]
            batch.banned()
        for output in outputs.values():
            new = random.choice([0, 1, 2], p=[0.05, 0.9, 0.05])
            some = [JOHN, SMITH, ANA, LI, int(random.integers(1, VOCABULARY.tokens))]
            output += [int(token) for token in random.choice(some, new)]
        banned = batch.banned()
        for row, output in outputs.items():
            reference.begin(0, roots)
            reference.take([0] * len(output), output)
            assert banned[row] == reference.forbidden(0), output


def test_logits_may_be_a_part_of_wider_ones(batch: Batch) -> None:
    batch.add(0, batch.smith, output=[JOHN])
    batch.add(2, batch.li, output=[ANA])
    padded = torch.zeros((4, VOCABULARY.tokens + 7))
    batch.guard.apply(padded[:, : VOCABULARY.tokens])
    lost = torch.isneginf(padded).nonzero().tolist()
    assert [0, SMITH] in lost
    assert [2, LI] in lost
    assert all(line in (0, 2) and token < VOCABULARY.tokens for line, token in lost)


def test_both_ways_of_banning_agree_over_random_texts(batch: Batch) -> None:
    random = np.random.default_rng(7)
    output = batch.add(0, batch.smith, batch.li)
    for _ in range(60):
        assert batch.banned()[0] == batch.banned(device=True)[0]
        output.append(int(random.integers(1, VOCABULARY.tokens)))
