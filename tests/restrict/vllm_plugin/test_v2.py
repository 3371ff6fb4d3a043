"""The V2 side forbids what the host's walk forbids, whatever the runner does with its rows."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from guard.restrict.device.torch_step import TorchStep
from guard.restrict.vocabulary import build_vocabulary
from tests.restrict.test_token_guard import NAMES, PHRASES, PLAIN, RUNS, VOCABULARY, phrase, token
from tests.restrict.vllm_plugin.running import END, Runner, asked, banned


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Rows so small only wait for one another where two threads share a busy core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def runner(**settings: int) -> Runner:
    made = Runner(VOCABULARY, **settings)
    made.engine.plant("all", PHRASES)
    made.engine.plant("two", NAMES, RUNS)
    made.engine.plant("none", [])
    return made


def tokens(*pieces: str) -> list[int]:
    return [token(piece) for piece in pieces]


@pytest.mark.parametrize(
    "taken",
    [
        [],
        [" John"],
        [" John", "-"],
        [" John", " ", "S", "m", "i"],
        ["J", "o", "h", "n", " "],
        [" the", " blue"],
        ["Mü"],
        ["M", "u\u0308l", "l", "e"],
        ["習"],
        [" John", "Ѕ"],
        [" Ana", "1"],
        ["x ab y"],
        ["a", "1", "@"],
        ["x", "John", "Smi"],
        ["X", "\u0301", "aB"],
        ["x", "1", "Jo"],
    ],
)
@pytest.mark.parametrize("sets", [("all",), ("two",), ("two", "all")])
def test_table_of_texts(taken: list[str], sets: tuple[str, ...]) -> None:
    made = runner()
    made.admit(2, asked(*sets))
    made.check([(2, ())])
    for one in tokens(*taken):
        made.commit(2, [one])
        made.check([(2, ())])


@pytest.mark.parametrize("seed", range(8))
def test_random_texts_in_bytes_and_broken_bytes(seed: int) -> None:
    random_ = random.Random(seed)
    made = runner()
    for slot, sets in enumerate([("all",), ("two",), ("none",), ("all", "two")]):
        made.admit(slot, asked(*sets))
    for _ in range(10):
        batch = random_.sample(range(4), random_.randint(1, 4))
        made.check([(slot, ()) for slot in batch])
        for slot in batch:
            made.commit(slot, [likely(random_)])


def likely(random_: random.Random) -> int:
    """A token of any kind, more often one of those that phrases are made of."""
    if random_.random() < 0.4:
        return random_.choice(range(257, VOCABULARY.tokens))
    if random_.random() < 0.4:
        return 1 + random_.choice([*"習近ü".encode(), *b"abA lJohn Smith", 0xE7, 0xC3])
    return random_.choice([*PLAIN, END])


@pytest.mark.parametrize("seed", range(6))
def test_drafts_are_walked_and_forgotten_when_rejected(seed: int) -> None:
    random_ = random.Random(seed)
    made = runner(drafts=3)
    for slot in range(3):
        made.admit(slot, asked("all") if slot else None)
    for _ in range(6):
        batch = [
            (slot, [likely(random_) for _ in range(random_.randint(0, 3))])
            for slot in random_.sample(range(3), 3)
        ]
        made.check(batch)
        for slot, drafts in batch:
            accepted = random_.randint(0, len(drafts))
            made.commit(slot, [*drafts[:accepted], likely(random_)])


def test_applied_twice_and_in_chunks_is_as_once() -> None:
    made = runner(drafts=2)
    for slot in range(3):
        made.admit(slot, asked())
        made.commit(slot, tokens(" John"))
    batch: list[tuple[int, Sequence[int]]] = [
        (0, tokens(" ", "S")), (2, ()), (1, tokens("-", " the")),
    ]  # fmt: skip
    once = made.logits(batch)
    again = made.logits(batch)
    assert torch.equal(once, again)
    apart = torch.cat([made.logits([one]) for one in batch])
    assert torch.equal(once, apart)
    made.check(batch)


def test_a_slot_changes_hands() -> None:
    made = runner()
    made.admit(1, asked())
    made.commit(1, tokens(" John"))
    made.check([(1, ())])
    assert not made.admit(1, None)
    made.commit(1, tokens(" John"))
    made.check([(1, ())])
    assert made.engine.released == [made.engine.sets["all"]]
    made.admit(1, asked("none"))
    made.check([(1, ())])
    made.admit(1, asked())
    made.check([(1, ())])


def test_a_preempted_request_goes_on_in_another_slot() -> None:
    made = runner()
    made.admit(0, asked(), output=tokens(" the", " John"))
    made.check([(0, ())])
    made.commit(0, tokens(" "))
    request = made.slots[0]
    made.admit(0, asked())
    made.admit(3, asked(), request.prompt, request.output)
    made.check([(3, ()), (0, ())])


def test_rows_of_an_unfinished_prefill_read_nothing_twice() -> None:
    made = runner()
    made.admit(0, asked(), output=tokens(" the", " John"))
    for _ in range(3):  # sampled, and thrown away
        made.check([(0, ())])
    made.commit(0, tokens("S"))
    made.check([(0, ())])


def test_the_end_of_a_prompt_leads_a_raw_completion() -> None:
    made = runner()
    made.admit(0, asked(lead=True), prompt=[*[7] * 80, *tokens(" John")])
    made.admit(1, asked(), prompt=tokens(" John"))
    logits = made.logits([(0, ()), (1, ())])
    assert token(" Smith") in banned(logits[0])
    assert token(" Smith") not in banned(logits[1])
    made.check([(0, ()), (1, ())])


@pytest.mark.parametrize("unknown", [("gone",), ("all", "gone"), ("all",) * 9])
def test_what_is_not_known_may_only_end(unknown: tuple[str, ...]) -> None:
    made = runner()
    made.admit(0, asked(*unknown))
    logits = made.logits([(0, ())])
    assert torch.nonzero(torch.isfinite(logits[0])).flatten().tolist() == [END]
    assert logits[0, END] == 0.0


@pytest.mark.parametrize("bad", [-1, VOCABULARY.tokens, 10**9])
def test_an_unknown_token_loses_the_row(bad: int) -> None:
    made = runner(drafts=1)
    made.admit(0, asked())
    made.check([(0, [bad])])
    made.check([(0, ())])  # as a draft, it is gone with the step
    made.commit(0, [bad])
    made.check([(0, ())])
    made.commit(0, tokens("a"))
    made.check([(0, ())])


def test_a_row_with_nothing_left_may_only_end() -> None:
    made = runner()
    made.admit(0, asked())
    made.admit(1, None)
    logits = torch.full((2, VOCABULARY.tokens), -torch.inf)
    logits[0, token("ab")] = 3.0  # a grammar that allows nothing but a forbidden token
    logits = made.logits([(0, ()), (1, ())], logits)
    assert torch.nonzero(torch.isfinite(logits)).tolist() == [[0, END]]


def test_a_row_that_has_fallen_behind_may_only_end() -> None:
    made = runner()
    made.admit(0, asked())
    made.check([(0, ())])
    made.commit(0, tokens(" John", " the"))  # more than a step can commit
    assert torch.isfinite(made.logits([(0, ())])).sum() == 1
    made.check([(0, ())])


def test_penalties_are_subtracted_beside_the_bans() -> None:
    made = runner()
    made.engine.soft_sets["near"] = (
        np.array([token(" lamp"), token("ab")], dtype=np.int32),
        np.array([1.5, 2.5], dtype=np.float32),
    )
    made.admit(0, asked(soft=("near",)))
    made.admit(1, asked(soft=("near",)))
    made.admit(2, asked(soft=("unknown",)))
    logits = made.logits([(slot, ()) for slot in range(3)])
    assert logits[:, token(" lamp")].tolist() == [-1.5, -1.5, 0.0]
    assert torch.isneginf(logits[:, token("ab")]).all()
    made.admit(0, asked())
    made.admit(1, None)
    logits = made.logits([(slot, ()) for slot in range(2)])
    assert logits[:, token(" lamp")].tolist() == [0.0, 0.0]


def test_logits_may_be_wider_or_narrower_than_the_vocabulary() -> None:
    made = runner()
    made.admit(0, asked())
    wide = made.logits([(0, ())], torch.zeros((1, VOCABULARY.tokens + 9)))
    assert banned(wide[0]) == made.expected(0)
    narrow = made.logits([(0, ())], torch.zeros((1, 40)))
    assert banned(narrow[0]) == {one for one in made.expected(0) or () if one < 40}


@pytest.mark.parametrize(
    "out", [["ab"], [" John", " Smith"], ["習", "近"], [" the", " blue", " lamp"]]
)
@pytest.mark.parametrize("lead", [[], ["x"]])
def test_what_is_out_is_not_avoided_any_more(out: list[str], lead: list[str]) -> None:
    """A match that got in all the same, and then a character that is not complete."""
    made = runner(drafts=2)
    made.admit(0, asked())
    for one in [*tokens(*lead, *out), 1 + 0xE7, 1 + 0xBF]:
        made.check([(0, [one, 1 + 0xE7])])
        made.commit(0, [one])
    made.check([(0, ())])


def test_inside_a_character_a_token_that_breaks_it_again_is_seen_too() -> None:
    pieces = [b"John", b"\xe7", b"\xbf Smith", b"\xbfSmith", b" Smith", b"\xbf\x80 Smith", b"x"]
    made = Runner(build_vocabulary([None, *pieces]))
    made.engine.plant("all", [phrase("John Smith")])
    made.admit(0, asked())
    for taken in (1, 2):
        made.check([(0, ())])
        made.commit(0, [taken])
    made.check([(0, ())])
    # The last one would make U+7FC0 of it; it is forbidden as after a broken character.
    assert banned(made.logits([(0, ())])[0]) == {3, 4, 5, 6}


class NoWaiting(TorchDispatchMode):
    """Fails on what would wait for a device."""

    WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "item", "equal")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = func.name().split("::")[1].split(".")[0]
        assert name not in self.WAITS, name
        if name in ("index", "index_put_", "index_put", "_index_put_impl_"):
            assert all(at is None or at.dtype != torch.bool for at in args[1]), name
        return func(*args, **(kwargs or {}))


def test_no_operation_waits_for_the_device() -> None:
    made = runner(drafts=1)
    made.guard._step = TorchStep(  # as it runs where looking at a tensor is not free
        made.guard._step._tables, made.guard._store, end=END, shortcuts=False
    )
    made.admit(0, asked(soft=("near",)), output=tokens(" John"))
    made.admit(1, asked(), output=tokens("a"))
    batch: list[tuple[int, Sequence[int]]] = [(0, [1 + 0xE7]), (1, ())]
    with NoWaiting():
        made.guard.apply_staged_writes()
        made.guard.apply(torch.zeros((3, VOCABULARY.tokens)), made.context(batch))
    made.check(batch)
