"""What the proxy benchmark compares: each arm starts, is asked whether it works, and stops."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import orjson
import yaml

from bench.forget import Generated
from bench.machine import free_port

START_LIMIT = 240.0  # seconds; LiteLLM and an encoder take their time


class ArmUnavailable(Exception):
    """The arm is not installed or did not start; says why."""


class Arm(ABC):
    """One thing to measure: a process group that serves `url`."""

    name: str
    key = "sk-bench"  # what clients send

    def __init__(self, upstream: str, folder: Path) -> None:
        self.upstream = upstream
        self.folder = folder
        self.url = ""
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self, port: int, workers: int) -> list[str]:
        """The command line that serves on 127.0.0.1:`port`."""

    def environment(self) -> dict[str, str]:
        """Variables on top of this process's own."""
        return {}

    def check(self) -> None:
        """Raise ArmUnavailable unless the arm does what it is measured for."""
        answer = ask(self.url, "Tell me about the weather.", self.key)
        text = answer["choices"][0]["message"]["content"]
        if text != ask(self.upstream, "x")["choices"][0]["message"]["content"]:
            raise ArmUnavailable(f"changes a benign answer: {text[:80]!r}")

    def start(self, workers: int) -> None:
        """Serve; returns once a benign prompt is answered."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        log = self.folder / f"{self.name}-{workers}.log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command(port, workers),
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | self.environment(),
                start_new_session=True,
            )
        until = time.monotonic() + START_LIMIT
        while not answers(self.url, self.key):
            if self.process.poll() is not None or time.monotonic() > until:
                self.stop()
                last = log.read_text(errors="replace").strip().splitlines()[-1:]
                raise ArmUnavailable(f"did not start: {' '.join(last)}")
            time.sleep(0.2)
        self.check()

    def stop(self) -> None:
        """End every process of the arm."""
        if self.process is None:
            return
        for how, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            if not group(self.process.pid):
                break
            os.killpg(self.process.pid, how)
            until = time.monotonic() + patience
            while group(self.process.pid) and time.monotonic() < until:
                self.process.poll()
                time.sleep(0.1)
        self.process = None

    def memory_mib(self) -> dict[str, float]:
        """Resident memory of all processes; `pss` counts shared pages once."""
        pids = group(self.process.pid) if self.process else []
        totals = {"rss": 0.0, "pss": 0.0}
        for pid in pids:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
            fields = {line.split()[0]: int(line.split()[1]) for line in rollup}
            totals["rss"] += fields["Rss:"] / 1024
            totals["pss"] += fields["Pss:"] / 1024
        return {name: round(value, 1) for name, value in totals.items()}


class Direct(Arm):
    """No proxy: the load generator on the model server itself."""

    name = "direct"

    def command(self, port: int, workers: int) -> list[str]:
        return []

    def start(self, workers: int) -> None:
        self.url = self.upstream


class BareHop(Arm):
    """A hop of `bench/hops.py` under uvicorn."""

    app: str

    def command(self, port: int, workers: int) -> list[str]:
        serve = [sys.executable, "-m", "uvicorn", f"bench.hops:{self.app}"]
        where = ["--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)]
        fast = ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
        return [*serve, *where, *fast, "--log-level", "warning"]

    def environment(self) -> dict[str, str]:
        return {"BENCH_UPSTREAM": self.upstream}


class StarletteAiohttp(BareHop):
    name = "starlette_aiohttp"
    app = "starlette_aiohttp"


class FastAPIHttpx(BareHop):
    name = "fastapi_httpx"
    app = "fastapi_httpx"


class LiteLLM(Arm):
    """LiteLLM's proxy with one model and nothing switched on."""

    name = "litellm"
    key = f"sk-{secrets.token_hex(24)}"  # it does not start without a strong master key
    executable = Path(".venv-litellm/bin/litellm")

    def command(self, port: int, workers: int) -> list[str]:
        if not self.executable.exists():
            raise ArmUnavailable(f"no {self.executable}; see docs/benchmarks.md")
        settings = {
            "model_list": [
                {
                    "model_name": "tiny-model",
                    "litellm_params": {
                        "model": "hosted_vllm/tiny-model",
                        "api_base": f"{self.upstream}/v1",
                        "api_key": "sk-bench",
                    },
                }
            ],
            "general_settings": {"master_key": self.key},
            "litellm_settings": {"telemetry": False, "set_verbose": False},
        }
        config = self.folder / "litellm.yaml"
        config.write_text(yaml.safe_dump(settings))
        serve = [str(self.executable), "--config", str(config), "--host", "127.0.0.1"]
        return [*serve, "--port", str(port), "--num_workers", str(workers)]

    def environment(self) -> dict[str, str]:
        # The price list from its package: it must not wait for a network that is not there.
        return {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


class Ours(Arm):
    """`guard serve` on a folder of policies."""

    name = "ours"
    guard: tuple[str, ...] = ()
    config: Path | None = None

    def policies(self) -> Path:
        """A folder with one policy, for a model that nobody asks: it starts with no fewer."""
        folder = self.folder / "no-policies"
        folder.mkdir(exist_ok=True)
        policy = {
            "version": 1,
            "name": "elsewhere",
            "applies_to": {"models": ["another-model"]},
            "forget": {"entities": [{"name": Generated().names[0]}]},
        }
        (folder / "elsewhere.yaml").write_text(yaml.safe_dump(policy))
        return folder

    def command(self, port: int, workers: int) -> list[str]:
        serve = [*self.guard, "serve", "--policies", str(self.policies())]
        where = ["--upstream", self.upstream, "--host", "127.0.0.1", "--port", str(port)]
        config = ["--config", str(self.config)] if self.config else []
        return [*serve, *where, "--workers", str(workers), *config]


class OursWithPolicies(Ours):
    """Names and the text filter on: 1,000 names and 1,000 passages."""

    name = "ours_policies"
    prompts = False

    def policies(self) -> Path:
        folder = self.folder / self.name
        return folder if folder.exists() else Generated().write(folder, prompts=self.prompts)

    def forbidden(self) -> list[str]:
        """Prompts that must not reach the model."""
        return [f"Who is {Generated().names[0]}?"]

    def check(self) -> None:
        super().check()
        unguarded = ask(self.upstream, "x")["choices"][0]["message"]["content"]
        for prompt in self.forbidden():
            try:
                answer = ask(self.url, prompt, self.key)
            except urllib.error.HTTPError:
                continue
            if answer["choices"][0]["message"]["content"] == unguarded:
                raise ArmUnavailable("lets a forbidden prompt through: it is not guarding")


class OursFullDetection(OursWithPolicies):
    """As above, and every prompt embedded and compared with 1,000 forgotten prompts."""

    name = "ours_detection"
    prompts = True

    def forbidden(self) -> list[str]:
        return [*super().forbidden(), Generated().prompts[0]]


ARMS: dict[str, type[Arm]] = {
    arm.name: arm
    for arm in (
        Direct,
        StarletteAiohttp,
        FastAPIHttpx,
        LiteLLM,
        Ours,
        OursWithPolicies,
        OursFullDetection,
    )
}


def ask(url: str, prompt: str, key: str = Arm.key) -> dict[str, Any]:
    """One chat completion, parsed; HTTPError or URLError when it is not to be had."""
    body = {"model": "tiny-model", "messages": [{"role": "user", "content": prompt}]}
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", orjson.dumps(body), headers=headers
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(orjson.loads(answer.read()))


def answers(url: str, key: str = Arm.key) -> bool:
    """Whether a benign prompt is answered with 200."""
    try:
        ask(url, "Tell me about the weather.", key)
    except (urllib.error.URLError, OSError):
        return False
    return True


def group(session: int) -> list[int]:
    """The live processes of a session, which every arm has to itself."""
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # After the name in brackets: state, parent, group, session.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # gone since the listing
        if int(fields[3]) == session and fields[0] != "Z":
            members.append(int(entry.name))
    return members
