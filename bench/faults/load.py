"""The clients: streams whose answers are compared with what is right, and a probe for recovery."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import orjson

from bench.faults.model import WHOLE
from bench.faults.scenes import FORBIDDEN, Scene, said

MESSAGE = "I can't help with that."
_LEAVES = 0.08  # the share of clients that hang up somewhere in their stream
_PROBE_SECONDS = 0.25
_PATIENCE = 120.0
# A run of so many characters of a forbidden text is a leak wherever it appears; ordinary answers
# have shorter ones by chance ("... river while old ...").
_RUN = 18
_BROKEN = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass
class Tally:
    """What became of the streams that ended in one phase.

    `leaked`: characters of forbidden text that reached a client; `wrong`: benign streams that
    ended as if all were well and were not what the model said, or said what it did not.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    leaked: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, scene: Scene, outcome: str, leaked: int, wrong: bool) -> None:
        self.outcomes[f"{scene.kind}: {outcome}"] += 1
        self.leaked += leaked
        self.wrong += wrong
        if (leaked or wrong) and len(self.examples) < 5:
            self.examples.append(f"{scene.number} {scene.kind} {outcome} leaked {leaked}")


def leaked_characters(scene: Scene, status: int, answer: bytes) -> int:
    """The longest run of forbidden text in what a client received, in characters."""
    raw = answer.decode("utf-8", "replace")
    whole = max(_longest_run(raw, forbidden) for forbidden in FORBIDDEN)
    if status != 200 or scene.kind == "benign":
        return whole
    text = said(answer)
    if text in (MESSAGE, ""):
        return whole
    if scene.kind in ("named", "paraphrased"):  # nothing that the model said may come out
        return max(whole, len(text))
    beyond = len(text) - len(scene.before) if text.startswith(scene.before) else 0
    strange = 0 if scene.before.startswith(text) or beyond else len(text)
    return max(whole, beyond, strange)


def _longest_run(text: str, forbidden: str) -> int:
    """Length of the longest run of `forbidden` in `text`; 0 below `_RUN` characters, or all."""
    best, least = 0, min(_RUN, len(forbidden))
    for start in range(len(forbidden) - least + 1):
        size = least
        while start + size <= len(forbidden) and forbidden[start : start + size] in text:
            best = max(best, size)
            size += 1
    return best


def judged(scene: Scene, status: int, answer: bytes, whole: bool) -> tuple[str, bool]:
    """What became of an answer, and whether a benign request got a wrong one."""
    if status != 200:
        return f"HTTP {status}", status < 429
    right = b"".join(scene.events)
    if scene.kind != "benign":
        if not whole:
            return "broken off", False
        if b'"error"' in answer:
            return "ended with an error", False
        if scene.kind == "reasoned" and said(answer) != MESSAGE:
            return "answered", False
        return ("refused or cut" if b"content_filter" in answer else "ended"), False
    if answer == right and whole:
        return "right", False
    events, _, error = answer.rpartition(b'data: {"error"')
    if error and whole:
        # Garbage that names nobody may be passed on before it: what the model said, we compare.
        return "ended with an error", not scene.before.startswith(said(events))
    if not whole:
        end = answer.rfind(b"\n\n") + 2
        return "broken off", not scene.before.startswith(said(answer[:end]))
    return "not what the model said", True


class Load:
    """So many streams at once, each followed by another. `tally` is that of the present phase."""

    def __init__(self, url: str, streams: int) -> None:
        self._url = f"{url}/v1/chat/completions"
        self._streams = streams
        self._number = 0
        self._chance = random.Random(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self.tally = Tally()
        self.probes: list[tuple[float, bool]] = []
        self.open = 0

    async def run(self, over: asyncio.Event) -> None:
        """Stream until `over`; streams under way then end by themselves."""
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        timeout = aiohttp.ClientTimeout(total=None, sock_read=_PATIENCE)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            probing = asyncio.create_task(self._probe(session))
            clients = [
                asyncio.create_task(self._client(session, over)) for _ in range(self._streams)
            ]
            await asyncio.wait(clients)
            probing.cancel()
            await asyncio.wait({probing})
            for client in clients:
                client.result()

    def hang_up(self) -> None:
        """All streams that are open now lose their client."""
        for task in list(self._tasks):
            task.cancel()

    async def _client(self, session: aiohttp.ClientSession, over: asyncio.Event) -> None:
        await asyncio.sleep(self._chance.uniform(0, 10))  # not all in one burst
        while not over.is_set():
            self._number += 1
            task = asyncio.create_task(self._stream(session, Scene(self._number)))
            self._tasks.add(task)
            await asyncio.wait({task})
            self._tasks.discard(task)
            if not task.cancelled():
                task.result()

    async def _stream(self, session: aiohttp.ClientSession, scene: Scene) -> None:
        leaves = self._chance.randint(0, 12) if self._chance.random() < _LEAVES else None
        answer, status, whole, reads = bytearray(), 0, False, 0
        self.open += 1
        try:
            async with session.post(self._url, data=scene.body()) as response:
                status = response.status
                async for chunk in response.content.iter_any():
                    answer += chunk
                    reads += 1
                    if leaves is not None and reads > leaves:
                        break
                else:
                    whole = True
        except _BROKEN:
            whole = False
        finally:
            self.open -= 1
            self._note(scene, status, bytes(answer), whole, leaves is not None)
        if not whole or status != 200:
            await asyncio.sleep(self._chance.uniform(2.0, 8.0))  # as clients back off

    def _note(self, scene: Scene, status: int, answer: bytes, whole: bool, leaving: bool) -> None:
        leaked = leaked_characters(scene, status, answer) if status else 0
        if not status:
            self.tally.add(scene, "no answer", leaked, False)
            return
        outcome, wrong = judged(scene, status, answer, whole)
        if leaving and not whole:
            outcome = "hung up"
        self.tally.add(scene, outcome, leaked, wrong)

    async def _probe(self, session: aiohttp.ClientSession) -> None:
        """A short benign request four times a second: is the service there?"""
        pending: set[asyncio.Task[None]] = set()
        try:
            while True:
                asking = asyncio.create_task(self._ask(session))
                pending.add(asking)
                asking.add_done_callback(pending.discard)
                await asyncio.sleep(_PROBE_SECONDS)
        finally:
            for asking in list(pending):
                asking.cancel()

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        started, good = time.monotonic(), False
        word = "".join(self._chance.choices("abcdefghijklmnop", k=8))
        messages = [{"role": "user", "content": f"How is the weather in {word}?"}]
        body = orjson.dumps({"model": "tiny-model", "messages": messages})
        try:
            timeout = aiohttp.ClientTimeout(total=30.0)
            async with session.post(self._url, data=body, timeout=timeout) as response:
                answer = await response.read()
                good = response.status == 200 and WHOLE.encode() in answer
        except _BROKEN:
            good = False
        self.probes.append((started, good))

    def recovered(self, since: float) -> float | None:
        """Seconds from `since` to the first probe after which all succeed; None: not yet."""
        after = sorted((start, good) for start, good in self.probes if start >= since)
        failed = [start for start, good in after if not good]
        good_from = [start for start, good in after if good and (not failed or start > failed[-1])]
        return round(good_from[0] - since, 2) if good_from else None
