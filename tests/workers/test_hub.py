"""Hub and workers over a real socket: own answers, errors that arrive, and what a loss does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from classifiers import QueueFull, TooManyTokens
from guard.config import Settings
from guard.errors import DetectorError
from guard.policy import Entity, Policy, PolicySet
from guard.workers import rows
from guard.workers.client import HubClient
from guard.workers.place import Place
from guard.workers.services import HubServices, RemoteAudit, RemoteNearest
from tests.support.audit import verify
from tests.support.policies import policy
from tests.workers.conftest import HashServices, connected

PROMPTS = 30
SET = PolicySet(
    tuple(policy(name=f"p{n:02}", prompts=(f"prompt number {n}",)) for n in range(PROMPTS))
)
EVERY = frozenset(range(PROMPTS))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


# --- scores ------------------------------------------------------------------------------------


async def test_many_calls_at_once_get_their_own_answers(tmp_path: Path, socket_path: Path) -> None:
    roomy = HashServices(Settings(), max_queue=1000)
    async with (
        roomy.listening(socket_path),
        connected(socket_path) as a,
        connected(socket_path) as b,
    ):
        workers = [RemoteNearest(hub, SET) for hub in (a, b)]
        found = await asyncio.gather(
            *(workers[n % 2].score([f"prompt number {n}"], EVERY) for n in range(PROMPTS))
        )
    roomy.close()
    assert [signals[0].subject for signals in found] == list(range(PROMPTS))
    assert all(signals[0].fired for signals in found)


async def test_a_set_is_sent_once_and_kept_among_the_last_three(
    services: HashServices, socket_path: Path
) -> None:
    async with services.listening(socket_path), connected(socket_path) as hub:
        sets = [
            RemoteNearest(hub, PolicySet((policy(name="p", prompts=(f"prompt {n}",)),)))
            for n in range(4)
        ]
        for remote in (*sets, sets[1]):
            await remote.prepare()
        assert len(services.built) == 4
        # The first one fell out, and is made again for whoever still asks for it.
        assert (await sets[0].score(["prompt 0"], frozenset({0})))[0].fired
        assert len(services.built) == 5


async def test_a_call_given_up_leaves_the_queue(services: HashServices, socket_path: Path) -> None:
    async with services.listening(socket_path), connected(socket_path) as hub:
        nearest = RemoteNearest(hub, SET)
        await nearest.prepare()
        services.encoder.free.clear()
        services.encoder.entered.clear()
        first = asyncio.create_task(nearest.score(["is being encoded"], EVERY))
        await until(services.encoder.entered.is_set)
        second = asyncio.create_task(nearest.score(["waits"], EVERY))
        await until(lambda: services.batched.counters.queued == 1)
        second.cancel()
        await until(lambda: services.batched.counters.queued == 0)
        services.encoder.free.set()
        assert await first
        assert services.batched.counters.cancelled == 1


async def test_the_calls_of_a_worker_that_goes_leave_the_queue(
    services: HashServices, socket_path: Path
) -> None:
    async with services.listening(socket_path):
        async with connected(socket_path) as hub:
            nearest = RemoteNearest(hub, SET)
            await nearest.prepare()
            services.encoder.free.clear()
            services.encoder.entered.clear()
            calls = [asyncio.create_task(nearest.score(["is being encoded"], EVERY))]
            await until(services.encoder.entered.is_set)
            calls.append(asyncio.create_task(nearest.score(["waits"], EVERY)))
            await until(lambda: services.batched.counters.queued == 1)
        await until(lambda: services.batched.counters.queued == 0)
        services.encoder.free.set()
        for failed in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(failed, DetectorError)


async def test_a_full_queue_is_told_to_the_worker(
    services: HashServices, socket_path: Path
) -> None:
    async with services.listening(socket_path), connected(socket_path) as hub:
        nearest = RemoteNearest(hub, SET)
        await nearest.prepare()
        with pytest.raises(QueueFull) as refused:
            await nearest.score(["a", "b", "c", "d"], EVERY)
        assert (refused.value.waiting, refused.value.limit) == (0, 3)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("word " * 65, TooManyTokens),
        ("this batch must fail", DetectorError),
        ("\ud800", DetectorError),
    ],
)
async def test_no_verdict_is_an_error_and_the_next_call_is_served(
    services: HashServices, socket_path: Path, text: str, error: type[Exception]
) -> None:
    async with services.listening(socket_path), connected(socket_path) as hub:
        nearest = RemoteNearest(hub, SET)
        with pytest.raises(error):
            await nearest.score([text], EVERY)
        assert (await nearest.score(["prompt number 7"], EVERY))[0].subject == 7


# --- the hub is lost ---------------------------------------------------------------------------


async def test_without_a_hub_every_call_fails_at_once(socket_path: Path) -> None:
    client = HubClient(socket_path)
    async with client.running():
        with pytest.raises(DetectorError, match="cannot be reached"):
            await RemoteNearest(client, SET).score(["x"], EVERY)
        with pytest.raises(OSError, match="cannot be reached"):
            await RemoteAudit(client).write({"decision": "flagged"})


@pytest.mark.parametrize("rude", [b"", b"\0\0\0\x03nop", b"\xff\xff\xff\xff"], ids=repr)
async def test_calls_under_way_fail_when_the_hub_goes(socket_path: Path, rude: bytes) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(rude)
        writer.close()

    async with await asyncio.start_unix_server(hang_up, socket_path), connected(socket_path) as hub:
        async with asyncio.timeout(10):
            with pytest.raises(DetectorError, match="went away"):
                await RemoteNearest(hub, SET).score(["x"], EVERY)


async def test_a_new_hub_gets_the_set_in_use_before_anybody_asks(
    services: HashServices, socket_path: Path, tmp_path: Path
) -> None:
    place = Place(socket_path.parent)
    place.rows.mkdir()
    rows.create(place.rows, 2, ())
    worker = HubServices(Settings(), place)
    prompt = ["prompt number 0"]
    async with services.listening(socket_path):
        running = worker.running(SET)
        await running.__aenter__()
        assert worker.ready
    await until(lambda: not worker.ready)
    successor = HashServices(Settings())
    async with successor.listening(socket_path):
        await until(lambda: worker.ready)
        assert len(successor.built) == 1
        nearest = worker.build_nearest(SET)
        assert nearest is not None
        assert (await nearest.score(prompt, EVERY))[0].subject == 0
        await running.__aexit__(None, None, None)
    successor.close()
    assert rows.claim(place.rows).number == 0


async def test_a_set_that_the_hub_cannot_build_is_not_taken_over(
    services: HashServices, socket_path: Path
) -> None:
    async with services.listening(socket_path), connected(socket_path) as hub:
        bad = RemoteNearest(hub, PolicySet((policy(name="p", prompts=("will fail",)),)))
        for _ in range(2):  # a failure is not kept as the answer
            with pytest.raises(DetectorError):
                await bad.prepare()
        assert len(services.built) == 2


# --- the audit log -----------------------------------------------------------------------------


async def test_acknowledged_records_are_on_disk_and_chained_whoever_wrote_them(
    services: HashServices, socket_path: Path, tmp_path: Path
) -> None:
    log = tmp_path / "audit.jsonl"

    async def write(audit: RemoteAudit, request: str) -> None:
        await audit.write({"request": request})
        assert f'"{request}"' in log.read_text()

    async with (
        services.listening(socket_path),
        connected(socket_path) as a,
        connected(socket_path) as b,
    ):
        await asyncio.gather(
            *(write(RemoteAudit(hub), f"{name}-{n}") for n in range(20) for name, hub in
              (("a", a), ("b", b)))
        )  # fmt: skip
    assert verify(log) == (40, None)


async def test_a_record_given_up_leaves_the_chain_whole(
    services: HashServices, socket_path: Path, tmp_path: Path
) -> None:
    async with services.listening(socket_path), connected(socket_path) as hub:
        audit = RemoteAudit(hub)
        for n in range(20):
            writing = asyncio.create_task(audit.write({"request": f"r{n}"}))
            await asyncio.sleep(0.0003 * (n % 5))
            writing.cancel()
            await asyncio.wait({writing})
        await audit.write({"request": "last"})
    count, broken = verify(tmp_path / "audit.jsonl")
    assert broken is None
    assert count >= 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
async def test_a_full_disk_is_an_os_error_in_the_worker(socket_path: Path) -> None:
    full = HashServices(Settings(audit=Path("/dev/full")))
    async with full.listening(socket_path), connected(socket_path) as hub:
        with pytest.raises(OSError):
            await RemoteAudit(hub).write({"request": "r"})
    full.close()


async def test_what_is_said_in_a_few_words_is_judged_by_the_hub(
    services: HashServices, socket_path: Path
) -> None:
    entity = Entity("Zoe", aspects=("home",))
    few = PolicySet((Policy(name="few", entities=(entity,), topics=("locks",)),))
    async with services.listening(socket_path), connected(socket_path) as hub:
        nearest = RemoteNearest(hub, few)
        await nearest.prepare()
        signals = await nearest.described(["locks"], frozenset({0, 1}), frozenset({1}))
    assert [(one.name, one.subject) for one in signals] == [("topic", 0), ("aspect", 1)]
    assert signals[0].fired
    assert signals[0].score == pytest.approx(1.0)
