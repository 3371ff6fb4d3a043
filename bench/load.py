"""The load generator: a closed loop of keep-alive connections, as a process of its own.

    python -m bench.load --url http://127.0.0.1:9000 --concurrency 16 --seconds 3 --distinct

Raw asyncio and httptools, so that it takes as little as possible of the cores it shares with what
it measures. Prints one JSON object; times are milliseconds. A request fails when its status is
not 200 or its connection breaks; failures are counted and kept out of the times.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import httptools
import orjson
import uvloop

# The role event of a chat stream has an empty content; the first delta is the first that is not.
_FIRST_DELTA = re.compile(rb'"(?:content|text)":\s*"[^"]')

_SUBJECTS = ["the old mill", "a long winter", "my garden", "this recipe", "a train journey"]
_QUESTIONS = [
    "How would you describe {} to somebody from {name}?",
    "What should I pack for {} when I leave {name} in spring?",
    "Write two friendly sentences about {} for the {name} newsletter.",
    "Which three facts about {} matter most in {name}?",
    "Can you explain {} to the children of {name} in plain words?",
]
_SYSTEM = (
    "You are a helpful assistant. Answer in plain language, keep to the question, say so when "
    "you are not sure, and prefer short sentences. Do not use lists unless you are asked to."
)


@dataclass(slots=True)
class Timing:
    """One request in seconds on the performance counter."""

    start: float = 0.0
    first_byte: float = 0.0
    first_delta: float = 0.0
    end: float = 0.0
    reads: list[float] = field(default_factory=list)
    events: int = 0
    size: int = 0
    status: int = 0


class Connection(asyncio.Protocol):
    """One keep-alive connection that runs one request at a time."""

    def __init__(self, streamed: bool) -> None:
        self._streamed = streamed
        self._done: asyncio.Future[Timing] | None = None
        self._timing = Timing()
        self._now = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def request(self, head: bytes, body: bytes) -> asyncio.Future[Timing]:
        """Send one request; the future ends with its timing, or with ConnectionError."""
        self._done = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._timing = Timing(start=time.perf_counter())
        self._transport.write(head + body)
        return self._done

    def data_received(self, data: bytes) -> None:
        self._now = time.perf_counter()
        before = self._timing.size
        self._parser.feed_data(data)
        if self._streamed and self._timing.size > before:
            self._timing.reads.append(self._now)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(exc or ConnectionError("closed before the end of the answer"))

    def on_body(self, body: bytes) -> None:
        timing = self._timing
        timing.size += len(body)
        if not timing.first_byte:
            timing.first_byte = self._now
        if self._streamed:
            timing.events += body.count(b"data: ")
            if not timing.first_delta and _FIRST_DELTA.search(body):
                timing.first_delta = self._now

    def on_message_complete(self) -> None:
        self._timing.end = self._now
        self._timing.status = self._parser.get_status_code()
        if self._done is not None and not self._done.done():
            self._done.set_result(self._timing)

    def close(self) -> None:
        self._transport.close()


def prompts(distinct: bool, seed: int) -> Iterator[str]:
    """Short benign prompts: the same one for ever, or each with a made-up name of its own."""
    chance = random.Random(seed)
    while True:
        name = "".join(chance.choices("abcdefghijklmnoprstuvw", k=9)).title()
        question = chance.choice(_QUESTIONS).format(chance.choice(_SUBJECTS), name=name)
        yield question
        while not distinct:
            yield question


def bodies(stream: bool, distinct: bool, model: str, seed: int) -> Iterator[bytes]:
    """Chat requests of about 500 bytes."""
    for prompt in prompts(distinct, seed):
        messages = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": prompt}]
        sampling = {"temperature": 0.7, "top_p": 0.95, "max_tokens": 256, "seed": 7}
        yield orjson.dumps({"model": model, "messages": messages, **sampling, "stream": stream})


@dataclass
class Load:
    """What to send, and what came of it."""

    url: str
    concurrency: int
    seconds: float
    warmup: float
    count: int | None
    stream: bool
    distinct: bool
    model: str
    key: str
    seed: int
    timings: list[Timing] = field(default_factory=list)
    failures: int = 0

    async def run(self) -> dict[str, Any]:
        place = urlsplit(self.url)
        self._chance = random.Random(self.seed)
        self._bodies = bodies(self.stream, self.distinct, self.model, self.seed)
        self._head = (
            f"POST {place.path.rstrip('/')}/v1/chat/completions HTTP/1.1\r\n"
            f"host: {place.netloc}\r\nauthorization: Bearer {self.key}\r\n"
            "content-type: application/json\r\naccept: */*\r\ncontent-length: %d\r\n\r\n"
        ).encode()
        self._left = self.count if self.count is not None else float("inf")
        started = time.perf_counter()
        measured_from = started + self.warmup
        self._until = measured_from + self.seconds
        await asyncio.gather(
            *(
                self._client(place.hostname or "127.0.0.1", place.port or 80)
                for _ in range(self.concurrency)
            )
        )
        # By their end: of a hop slower than the warm-up is long, no request would start after it.
        kept = [timing for timing in self.timings if timing.end >= measured_from]
        return summary(kept, self.failures, time.perf_counter() - measured_from)

    async def _client(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        connection: Connection | None = None
        # Clients that start together stay together behind a fixed prefill: then each waits for
        # all the others, and what is measured is a burst.
        await asyncio.sleep(self._chance.uniform(0, self.warmup))
        while self._left > 0 and time.perf_counter() < self._until:
            self._left -= 1
            body = next(self._bodies)
            try:
                if connection is None:
                    _, connection = await loop.create_connection(
                        lambda: Connection(self.stream), host, port
                    )
                timing = await connection.request(self._head % len(body), body)
            except (OSError, httptools.HttpParserError):
                connection = None
                self.failures += 1
                await asyncio.sleep(0.01)
                continue
            if timing.status == 200:
                self.timings.append(timing)
            else:
                self.failures += 1
        if connection is not None:
            connection.close()


def summary(timings: list[Timing], failures: int, wall: float) -> dict[str, Any]:
    """Counts, rates and percentiles; milliseconds."""
    result: dict[str, Any] = {
        "requests": len(timings),
        "failures": failures,
        "bytes_per_request": round(sum(t.size for t in timings) / max(1, len(timings)), 1),
        "seconds": round(wall, 3),
        "requests_per_second": round(len(timings) / wall, 1),
        "latency_ms": percentiles([t.end - t.start for t in timings]),
        "first_byte_ms": percentiles([t.first_byte - t.start for t in timings]),
    }
    if any(t.reads for t in timings):
        gaps = [b - a for t in timings for a, b in zip(t.reads, t.reads[1:], strict=False)]
        result |= {
            "first_delta_ms": percentiles([t.first_delta - t.start for t in timings]),
            "gap_ms": percentiles(gaps),
            "events_per_request": round(sum(t.events for t in timings) / len(timings), 2),
            "reads_per_request": round(sum(len(t.reads) for t in timings) / len(timings), 2),
        }
    return result


def percentiles(seconds: list[float]) -> dict[str, float]:
    """p50, p95, p99 and mean of `seconds`, in milliseconds; empty for none."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    picks = {f"p{q}": ordered[min(len(ordered) - 1, len(ordered) * q // 100)] for q in (50, 95, 99)}
    picks["mean"] = sum(ordered) / len(ordered)
    return {name: round(value * 1000, 4) for name, value in picks.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0, help="start no request after this")
    parser.add_argument("--warmup", type=float, default=0.0, help="seconds before, not counted")
    parser.add_argument("--count", type=int, help="stop after this many requests")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--distinct", action="store_true", help="every prompt differs")
    parser.add_argument("--model", default="tiny-model")
    parser.add_argument("--key", default="sk-bench")
    parser.add_argument("--seed", type=int, default=0)
    print(json.dumps(uvloop.run(Load(**vars(parser.parse_args())).run())))


if __name__ == "__main__":
    main()
