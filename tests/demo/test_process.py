"""Child servers are watched while they start, and nothing of them survives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guard.demo.process import Server, free_port
from guard.errors import EngineError

SERVE = "import http.server,sys; http.server.test(http.server.SimpleHTTPRequestHandler,port={port})"
# A parent that ignores SIGTERM's reason to live: its child ignores SIGTERM altogether.
FORK = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c",
    "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"])
print(child.pid, flush=True)
"""
# Prints the pid of the server of its block, then waits for the signal that ends both.
BLOCK = """
import signal, sys, time
from pathlib import Path
from guard.demo.process import Server, signals_end_the_block

def handlers():
    return [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]

before = handlers()
try:
    with signals_end_the_block(), Server(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        ready_url="http://127.0.0.1:1/", log=Path(sys.argv[1]),
    ) as sleeping:
        print(sleeping.pid, flush=True)
        time.sleep(60)
finally:
    if handlers() == before:
        print("handlers are as before", flush=True)
"""


def server(code: str, log: Path, port: int) -> Server:
    return Server(
        [sys.executable, "-c", code], ready_url=f"http://127.0.0.1:{port}/", log=log, name="thing"
    )


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A zombie that init has not collected yet is as gone as can be.
    return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


def wait_for(pid: int) -> bool:
    for _ in range(100):
        if gone(pid):
            return True
        time.sleep(0.05)
    return False


def test_a_server_is_waited_for_and_ended(tmp_path: Path) -> None:
    port = free_port()
    waited: list[float] = []
    with server(SERVE.format(port=port), tmp_path / "log", port) as running:
        running.wait(30, waited.append)
        assert running.alive
        pid = running.pid
        assert pid is not None
    assert waited == sorted(waited)
    assert not running.alive
    assert wait_for(pid)
    running.stop()


def test_a_server_that_dies_shows_the_end_of_its_log(tmp_path: Path) -> None:
    code = "[print('line', n) for n in range(100)]; raise SystemExit('no such model')"
    with (
        server(code, tmp_path / "log", free_port()) as dying,
        pytest.raises(EngineError, match="ended while starting") as caught,
    ):
        dying.wait(30)
    assert "no such model" in str(caught.value)
    assert "line 99" in str(caught.value)
    assert "line 1\n" not in str(caught.value)


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with (
        server("import time; time.sleep(600)", tmp_path / "log", free_port()) as mute,
        pytest.raises(EngineError, match="was not ready after"),
    ):
        mute.wait(0.5)


def test_a_command_that_does_not_exist_is_an_engine_error(tmp_path: Path) -> None:
    missing = Server(["/nonexistent"], ready_url="http://127.0.0.1:1/", log=tmp_path / "log")
    with pytest.raises(EngineError, match="cannot be started"):
        missing.start()


def test_grandchildren_go_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with server(FORK + "import time; time.sleep(600)", log, free_port()):
        for _ in range(200):
            if log.read_text().endswith("\n"):
                break
            time.sleep(0.05)
        grandchild = int(log.read_text())
        assert not gone(grandchild)
    assert wait_for(grandchild)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_servers_of_the_block(tmp_path: Path, number: signal.Signals) -> None:
    # In a process of its own: a signal to a test worker would reach whatever else listens there.
    with subprocess.Popen(
        [sys.executable, "-c", BLOCK, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.send_signal(number)
        assert parent.wait(30) == 128 + number
        assert parent.stdout.read() == "handlers are as before\n"
    assert wait_for(pid)
