import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers import BatchedEncoder, Closed, QueueFull
from tests.classifiers.conftest import HashEncoder


async def held(encoder, batched):
    """A request that occupies the worker until `encoder.free` is set."""
    encoder.free.clear()
    encoder.entered.clear()
    task = asyncio.create_task(batched.encode(["held"]))
    await asyncio.to_thread(encoder.entered.wait, 20)
    return task


@settings(max_examples=40, deadline=None)
@given(
    requests=st.lists(
        st.tuples(st.lists(st.text(alphabet="ab", max_size=2), max_size=7), st.booleans()),
        min_size=1,
        max_size=8,
    ),
    max_batch=st.integers(1, 5),
    cache_size=st.sampled_from([0, 3, 100]),
)
def test_any_interleaving_gives_each_request_its_own_rows(requests, max_batch, cache_size):
    encoder = HashEncoder()
    batched = BatchedEncoder(encoder, max_batch=max_batch, cache_size=cache_size)

    async def run():
        tasks = []
        for texts, pause in requests:
            tasks.append(asyncio.create_task(batched.encode(texts)))
            await asyncio.sleep(0.001 if pause else 0)
        return await asyncio.gather(*tasks)

    answers = asyncio.run(run())
    batched.close()
    for (texts, _), rows in zip(requests, answers, strict=True):
        assert rows.shape == (len(texts), encoder.dimension)
        for text, row in zip(texts, rows, strict=True):
            assert np.array_equal(row, encoder.row(text))
    assert all(0 < len(batch) == len(set(batch)) <= max_batch for batch in encoder.batches)


async def test_what_waits_shares_a_batch_and_requests_take_turns(hash_encoder, batched):
    first = await held(hash_encoder, batched)
    long = asyncio.create_task(batched.encode(["l1", "l2", "l3", "l4", "l5", "l6"]))
    await asyncio.sleep(0)
    short = asyncio.create_task(batched.encode(["s"]))
    await asyncio.sleep(0)
    assert batched.counters.queued == 7
    hash_encoder.free.set()
    await asyncio.gather(first, long, short)
    assert hash_encoder.batches == [["held"], ["l1", "s", "l2", "l3"], ["l4", "l5", "l6"]]


async def test_a_full_queue_takes_nothing_of_a_request(hash_encoder, batched):
    first = await held(hash_encoder, batched)
    waiting = asyncio.create_task(batched.encode([f"w{n}" for n in range(10)]))
    await asyncio.sleep(0)
    with pytest.raises(QueueFull) as caught:
        await batched.encode(["x", "y", "z"])
    assert (caught.value.waiting, caught.value.limit) == (10, 12)
    fits = asyncio.create_task(batched.encode(["x", "y"]))
    hash_encoder.free.set()
    await asyncio.gather(first, waiting, fits)


async def test_cancelling_takes_waiting_texts_out(hash_encoder, batched):
    first = await held(hash_encoder, batched)
    gone = asyncio.create_task(batched.encode(["g1", "g2", "g3"]))
    stays = asyncio.create_task(batched.encode(["s"]))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert (batched.counters.queued, batched.counters.cancelled) == (1, 3)
    hash_encoder.free.set()
    await asyncio.gather(first, stays)
    assert hash_encoder.batches == [["held"], ["s"]]


async def test_cancelling_during_its_batch_harms_nobody(hash_encoder, batched):
    first = await held(hash_encoder, batched)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    hash_encoder.free.set()
    assert np.array_equal((await batched.encode(["next"]))[0], hash_encoder.row("next"))


async def test_an_error_reaches_only_those_in_its_batch(hash_encoder, batched):
    first = await held(hash_encoder, batched)
    bad = asyncio.create_task(batched.encode(["fail", "b1", "b2", "b3", "b4"]))
    await asyncio.sleep(0)
    hash_encoder.free.set()
    assert len(await first) == 1
    with pytest.raises(RuntimeError, match="this batch fails"):
        await bad
    assert len(await batched.encode(["fine", "b4"])) == 2
    assert batched.counters.queued == 0


async def test_rows_that_do_not_fit_fail_the_request_not_the_worker(hash_encoder, batched):
    hash_encoder.dimension = 7
    hash_encoder.row = lambda text: np.zeros(8, np.float32)
    with pytest.raises(ValueError, match="came back as"):
        await asyncio.wait_for(batched.encode(["x"]), 20)


async def test_counters_and_cache(hash_encoder, batched):
    await batched.encode(["a", "b", "a"])
    await batched.encode(["a", "c"])
    counters = batched.counters
    assert (counters.batches, counters.texts, counters.cache_hits) == (2, 3, 1)
    assert counters.queued == 0 and counters.busy_seconds > 0
    await batched.encode([f"n{n}" for n in range(8)])  # cache_size is 8: the rest is pushed out
    before = batched.counters.texts
    await batched.encode(["a"])
    assert batched.counters.texts == before + 1


async def test_close_refuses_what_waits_and_what_comes(hash_encoder, batched):
    first = await held(hash_encoder, batched)
    waiting = asyncio.create_task(batched.encode(["w"]))
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(batched.close))
    with pytest.raises(Closed):
        await waiting
    with pytest.raises(Closed):
        await batched.encode(["later"])
    hash_encoder.free.set()
    await closing
    assert len(await first) == 1


@pytest.mark.parametrize("wrong", [{"max_batch": 0}, {"max_queue": 0}, {"cache_size": -1}])
def test_bounds_that_cannot_work_are_refused(hash_encoder, wrong):
    with pytest.raises(ValueError):
        BatchedEncoder(hash_encoder, **wrong)
