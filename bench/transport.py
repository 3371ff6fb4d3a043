"""Which HTTP client the proxy should talk to the model server with.

    python -m bench.transport [--rounds 5] [--seconds 2] [--quick] [--python PATH]

Every client runs in a process of its own on uvloop, interleaved by rounds on one machine, against
`bench/upstream.py`: JSON exchanges (about 500 bytes up, 1 KB down) and streams of 64 events. Rates
and processor time of the client process are medians over rounds. Then each client is asked, over
real sockets with `tests/support/upstream.py`, for what the proxy needs of it: see `NEEDS`.
Missing packages are left out and named. `--python` runs the clients under another interpreter:
niquests brings a fork of urllib3 that takes the original's place, so give it its own environment.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from bench.load import bodies, percentiles
from bench.machine import free_port, machine, median_of, versions
from bench.transports import TRANSPORTS, Transport, drain, drain_many
from tests.support.upstream import Fault, Piece, Reply, ScriptedUpstream, sse

RESULT = Path(__file__).parent / "results" / "transport.json"
READ_TIMEOUT = 0.5
ANY_ERROR = (Exception,)  # each library has a tree of errors of its own


async def cancel_before_head(transport: Transport) -> bool:
    """Cancelled while it waits for an answer, it closes the socket."""
    with ScriptedUpstream() as upstream:
        upstream.reply(Reply(fault=Fault.HANG_BEFORE_HEAD))
        async with transport(upstream.url, 30) as send:
            task = asyncio.create_task(drain(send, b"{}"))
            await upstream.until(1)
            task.cancel()
            await asyncio.wait([task])
            return await upstream.requests[0].until_disconnected(2)


async def cancel_mid_stream(transport: Transport) -> bool:
    """Cancelled in the middle of a stream, it closes the socket rather than reading on."""
    with ScriptedUpstream() as upstream:
        upstream.reply(Reply.events(sse("one"), fault=Fault.HANG_MID_BODY))
        async with transport(upstream.url, 30) as send:
            started = asyncio.Event()

            async def read() -> None:
                async with send(b"{}") as chunks:
                    async for _ in chunks:
                        started.set()

            task = asyncio.create_task(read())
            await asyncio.wait_for(started.wait(), 5)
            task.cancel()
            await asyncio.wait([task])
            return await upstream.requests[0].until_disconnected(2)


async def bytes_as_they_arrive(transport: Transport) -> bool:
    """A chunk is handed on while the next one is not sent yet, and never cut or merged before."""
    gate = threading.Event()
    first, second = b"x" * 10_000, b"y" * 3
    with ScriptedUpstream() as upstream:
        upstream.reply(Reply.events([first, Piece(second, gate=gate)]))
        async with transport(upstream.url, 5) as send, send(b"{}") as chunks:
            received = b""
            async for chunk in chunks:
                received += chunk
                if received == first:
                    gate.set()
            return received == first + second


async def body_left_encoded(transport: Transport) -> bool:
    """A compressed body is handed on compressed: nothing is decoded behind the proxy's back."""
    reply = Reply.events(sse("one"), gzip=True)
    with ScriptedUpstream() as upstream:
        upstream.reply(reply)
        async with transport(upstream.url, 5) as send, send(b"{}") as chunks:
            return b"".join([chunk async for chunk in chunks]).startswith(b"\x1f\x8b")


async def read_timeout_is_per_read(transport: Transport) -> bool:
    """A stream longer than the read time-out passes; a silence longer than it ends in an error."""
    slow = Reply.events(sse(*"abcdef"), spacing=READ_TIMEOUT / 3, fault=Fault.HANG_MID_BODY)
    with ScriptedUpstream() as upstream:
        upstream.reply(slow)
        received = b""
        ended = False
        async with transport(upstream.url, READ_TIMEOUT) as send:
            with contextlib.suppress(*ANY_ERROR):
                async with asyncio.timeout(10) as guard:
                    try:
                        async with send(b"{}") as chunks:
                            async for chunk in chunks:
                                received += chunk
                    finally:
                        ended = not guard.expired()
        return ended and received == b"".join(sse(*"abcdef"))


async def backpressure(transport: Transport) -> bool:
    """While nobody reads the answer, the server cannot write it: memory stays bounded."""
    with ScriptedUpstream() as upstream:
        upstream.reply(Reply(body=[b"x" * 1_000_000] * 64))
        async with transport(upstream.url, 30) as send, send(b"{}") as chunks:
            async for _ in chunks:
                break
            held = not await upstream.requests[0].until_finished(1)
            return held and upstream.requests[0].pieces_sent < 32


async def truncation_is_an_error(transport: Transport) -> bool:
    """A body without its end raises; it does not look like a whole one."""
    with ScriptedUpstream() as upstream:
        upstream.reply(Reply.events(sse("one"), fault=Fault.CLOSE_MID_BODY))
        async with transport(upstream.url, 5) as send:
            with contextlib.suppress(*ANY_ERROR):
                await drain(send, b"{}")
                return False
            return True


NEEDS: dict[str, Callable[[Transport], Awaitable[bool]]] = {
    need.__name__: need
    for need in (
        cancel_before_head,
        cancel_mid_stream,
        bytes_as_they_arrive,
        body_left_encoded,
        read_timeout_is_per_read,
        backpressure,
        truncation_is_an_error,
    )
}


async def measure(name: str, url: str, concurrency: int, seconds: float, stream: bool) -> Any:
    """Exchanges a second, latency, and processor time of this process an exchange."""
    body = next(bodies(stream, False, "tiny-model", 0))
    async with TRANSPORTS[name](f"{url}/v1/chat/completions", 30) as send:
        await drain_many(send, body, concurrency, 0.3)
        size, reads = await drain(send, body)
        cpu, wall = time.process_time(), time.perf_counter()
        times = await drain_many(send, body, concurrency, seconds)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {
        "per_second": round(len(times) / wall, 1),
        "cpu_us": round(cpu / len(times) * 1e6, 1),
        "latency_ms": percentiles(times),
        "bytes": size,
        "reads": reads,
    }


async def needs_met(name: str) -> dict[str, bool]:
    return {need: await check(TRANSPORTS[name]) for need, check in NEEDS.items()}


def child(options: argparse.Namespace) -> None:
    """One measurement in this process, printed as JSON."""
    if options.seconds:
        job = measure(
            options.child, options.url, options.concurrency, options.seconds, options.stream
        )
    else:
        job = needs_met(options.child)
    print(json.dumps(uvloop.run(job)))


def run_child(python: str, name: str, *arguments: str) -> Any:
    command = [python, "-W", "ignore", "-m", "bench.transport", "--child", name, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def installed(python: str) -> dict[str, str | None]:
    script = "import json, sys; from bench.machine import versions; "
    script += "print(json.dumps(versions(sys.argv[1:])))"
    packages = [*TRANSPORTS, "uvloop"]
    return dict(json.loads(subprocess.check_output([python, "-c", script, *packages], text=True)))


def compare(options: argparse.Namespace) -> dict[str, Any]:
    found = installed(options.python)
    names = [name for name in TRANSPORTS if found[name]]
    shapes = {"json": (0.0, False), "stream": (4.0, True)}
    cells: dict[tuple[str, str, int], list[Any]] = {}
    for spacing, stream in shapes.values():
        port = free_port()
        upstream = [sys.executable, "-m", "bench.upstream", "--port", str(port)]
        with subprocess.Popen([*upstream, "--spacing-ms", str(spacing)]) as server:
            time.sleep(1.5)
            for round_ in range(options.rounds):
                for concurrency in (16, 64):
                    # Each round starts with another client: none always follows the same one.
                    for name in names[round_ % len(names) :] + names[: round_ % len(names)]:
                        arguments = [
                            f"--url=http://127.0.0.1:{port}",
                            f"--concurrency={concurrency}",
                            f"--seconds={options.seconds}",
                            *(["--stream"] if stream else []),
                        ]
                        key = (name, "stream" if stream else "json", concurrency)
                        measured = run_child(options.python, name, *arguments)
                        cells.setdefault(key, []).append(measured)
                        print(*key, measured["per_second"], measured["cpu_us"], flush=True)
            server.terminate()
    rows = [
        {"client": name, "shape": shape, "concurrency": concurrency, **median_of(rounds)}
        for (name, shape, concurrency), rounds in cells.items()
    ]
    return {
        "machine": machine(),
        "versions": found | versions(["uvloop"]),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "missing": [name for name in TRANSPORTS if not found[name]],
        "needs": {name: run_child(options.python, name, "--seconds=0") for name in names},
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the clients")
    parser.add_argument("--out", type=Path, default=RESULT)
    for hidden in ("--child", "--url"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--concurrency", type=int, default=16, help=argparse.SUPPRESS)
    parser.add_argument("--stream", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options)
        return
    if options.quick:
        options.rounds, options.seconds = 1, 0.5
    result = compare(options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["needs"], indent=1))


if __name__ == "__main__":
    main()
