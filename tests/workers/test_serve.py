"""Two real workers and a hub: one encoder, one audit log, one set of limits, and no way to die
that leaves something open or running."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.audit import verify
from tests.support.proxy import chat_body, write_policy
from tests.support.upstream import Piece, RecordedRequest, Reply, ScriptedUpstream, chat_completion
from tests.workers.served import REPLACED, Served, alive, family, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

NAME = "Ottoline Varga"
LATER = "Bartholomew Quill"
FORGOTTEN = "Who keeps the lighthouse at Ravensmoor harbour?"
PARAPHRASE = "Who looks after the lighthouse in Ravensmoor harbour?"
HELD = "please wait"
KEY = "sk-tests"


@pytest.fixture(scope="module")
def gate() -> threading.Event:
    return threading.Event()


@pytest.fixture(scope="module")
def model(gate: threading.Event) -> Iterator[ScriptedUpstream]:
    """A model server that holds back its answer to `HELD` until the gate is open."""
    plain = Reply.json(chat_completion("A fine day."))
    held = Reply(headers=plain.headers, body=[Piece(bytes(plain.body[0]), gate=gate)])  # type: ignore[arg-type]

    def answer(request: RecordedRequest) -> Reply:
        return held if HELD.encode() in request.body else plain

    with ScriptedUpstream().handle(answer) as server:
        yield server
        gate.set()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serve")


@pytest.fixture(scope="module")
def served(folder: Path, model: ScriptedUpstream) -> Iterator[Served]:
    policies = folder / "policies"
    policies.mkdir()
    write_policy(policies, "lighthouse", names=[NAME], prompts=[FORGOTTEN])
    settings = {"audit": str(folder / "audit.jsonl"), "limits": {"max_in_flight": 3}}
    with Served(folder, policies, model.url, **settings) as server:
        yield server


def refused(answer: httpx.Response) -> bool:
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["choices"][0]["finish_reason"] == "content_filter")


def metric(served: Served, name: str) -> float:
    lines = httpx.get(f"{served.url}/metrics", timeout=60).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@pytest.mark.encoder
def test_every_worker_asks_the_one_encoder_and_writes_to_the_one_log(
    served: Served, folder: Path
) -> None:
    records = verify(folder / "audit.jsonl")[0]
    for worker in served.workers:
        with served.only(worker):
            assert refused(served.chat(PARAPHRASE))
            assert not refused(served.chat("What is the boiling point of water?"))
            assert refused(served.chat(f"Who is {NAME}?"))
    assert verify(folder / "audit.jsonl") == (records + 4, None)
    assert metric(served, "guard_requests_total") >= 6
    # Each worker asked thrice; the hub computed each text once and kept its verdict.
    until(lambda: metric(served, "guard_detector_repeated") == 3, "the detectors' counters")
    assert metric(served, "guard_encoder_texts") == 3


@pytest.mark.encoder
def test_requests_in_flight_are_limited_over_all_workers(
    served: Served, gate: threading.Event
) -> None:
    one, other = served.workers
    gate.clear()
    with ThreadPoolExecutor(3) as threads:
        with served.only(one):
            held = [threads.submit(served.chat, HELD) for _ in range(2)]
            until(lambda: sum(served.in_flight()) == 2, "two requests in one worker")
        with served.only(other):
            held.append(threads.submit(served.chat, HELD))
            until(lambda: sorted(served.in_flight())[-2:] == [1, 2], "one in the other")
            answer = served.chat("anything")
            assert (answer.status_code, answer.json()["error"]["code"]) == (
                429,
                "too_many_requests",
            )
        gate.set()
        assert [request.result().status_code for request in held] == [200] * 3
    until(lambda: sum(served.in_flight()) == 0, "nothing in flight")


def test_the_rate_of_a_key_is_one_over_all_workers(tmp_path: Path, model: ScriptedUpstream) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    write_policy(policies, names=[NAME])
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    keys = [{"name": "tests", "sha256": digest, "requests_per_minute": 3}]
    with Served(tmp_path, policies, model.url, keys=keys) as server:
        if time.monotonic() % 60 > 45:  # all within one minute of the limiter's clock
            time.sleep(60 - time.monotonic() % 60)
        one, other = server.workers
        with server.only(one):
            assert [server.chat("hi", KEY).status_code for _ in range(2)] == [200, 200]
        with server.only(other):
            assert [server.chat("hi", KEY).status_code for _ in range(2)] == [200, 429]


def test_who_may_be_asking_closes_an_idle_connection_first(
    served: Served, model: ScriptedUpstream
) -> None:
    """Else a request now and then meets a connection that the other side is just closing."""

    def asked(client: httpx.Client) -> object:
        answer = client.post(f"{served.url}/v1/chat/completions", json=chat_body("hi"))
        assert answer.status_code == 200, answer.text
        return answer.extensions["network_stream"].get_extra_info("client_addr")

    with httpx.Client(limits=httpx.Limits(keepalive_expiry=60), timeout=60) as client:
        first = asked(client)
        until(lambda: model.open_connections == 0, "the guard has closed its own", wait=10)
        time.sleep(3)  # past the 5 s that servers and clients keep one by default
        assert asked(client) == first


@pytest.mark.encoder
def test_an_edited_policy_is_obeyed_by_every_worker(served: Served, folder: Path) -> None:
    asked = f"Tell me about {LATER}."
    drawn = "Which colour is the door of the mill?"
    write_policy(folder / "policies", "later", names=[LATER], prompts=[drawn])
    for worker in served.workers:
        with served.only(worker):
            until(lambda: refused(served.chat(asked)), "the new name is forgotten")
            assert refused(served.chat("What colour is the mill's door?"))
            assert refused(served.chat(PARAPHRASE))


@pytest.mark.encoder
def test_a_killed_hub_fails_closed_and_comes_back(
    served: Served, folder: Path, model: ScriptedUpstream
) -> None:
    before = served.hub
    os.kill(before, signal.SIGKILL)
    until(lambda: not served.ready(), "/readyz without a hub")
    answer = served.chat(PARAPHRASE)
    assert answer.status_code == 503 or refused(answer)
    until(lambda: served.hub != before and served.ready(), "another hub")
    for worker in served.workers:
        with served.only(worker):
            until(served.ready, "every worker has found it")
            assert refused(served.chat(PARAPHRASE))
    assert verify(folder / "audit.jsonl")[1] is None


@pytest.mark.encoder
@pytest.mark.timeout(420)
def test_a_killed_worker_is_replaced_and_what_it_had_in_flight_is_forgotten(
    served: Served, gate: threading.Event
) -> None:
    victim, other = served.workers
    gate.clear()
    with ThreadPoolExecutor(2) as threads:
        with served.only(victim):
            held = [threads.submit(served.chat, HELD) for _ in range(2)]
            until(lambda: sum(served.in_flight()) == 2, "two requests in flight", REPLACED)
        os.kill(victim, signal.SIGKILL)
        for request in held:
            with pytest.raises(httpx.TransportError):
                request.result()
    gate.set()
    until(
        lambda: len(served.workers) == 2 and victim not in served.workers,
        "another worker",
        REPLACED,
    )
    until(lambda: sum(served.in_flight()) == 0, "nothing in flight")
    (new,) = set(served.workers) - {other}
    with served.only(new):
        until(served.ready, "the new worker is ready")
        assert refused(served.chat(PARAPHRASE))
    until(lambda: metric(served, "guard_in_flight") == 0, "its gauges are gone")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_and_no_file_outlives_the_parent(
    tmp_path_factory: pytest.TempPathFactory, model: ScriptedUpstream, end: signal.Signals
) -> None:
    folder = tmp_path_factory.mktemp("end")
    policies = folder / "policies"
    policies.mkdir()
    write_policy(policies, names=[NAME])
    with Served(folder, policies, model.url) as server:
        assert refused(server.chat(f"Who is {NAME}?"))
        processes = family(server.process.pid)
        assert {server.hub, *server.workers} < processes
        server.process.send_signal(end)
        server.process.wait(60)
        until(lambda: not any(map(alive, processes)), f"all of {processes} have ended")
        until(lambda: not list(folder.glob("guard-*")), "the private directory is gone")
        assert "Traceback" not in server.log or end == signal.SIGKILL


@pytest.mark.parametrize(
    ("policy", "settings", "says"),
    [
        ("version: 1\nname: broken\nnonsense: 1\n", {}, "nonsense"),
        (None, {"audit": "/proc/nowhere/audit.jsonl"}, "cannot write the audit log"),
    ],
)
def test_it_does_not_start_on_what_it_cannot_enforce(
    tmp_path: Path, policy: str | None, settings: dict[str, str], says: str
) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    if policy is None:
        write_policy(policies, names=[NAME])
    else:
        (policies / "p.yaml").write_text(policy)
    server = Served(tmp_path, policies, "http://127.0.0.1:9", **settings)
    assert server.process.wait(60) == 2
    assert says in server.log
    assert not list(tmp_path.glob("guard-*"))


def test_a_lone_worker_imports_none_of_this() -> None:
    code = (
        "import sys, guard.cli.main, guard.api.app, guard.serving\n"
        "sys.exit(any(name.startswith('guard.workers') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
