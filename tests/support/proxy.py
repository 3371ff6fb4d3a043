"""The proxy for tests: a real uvicorn on a real socket, in a thread of this process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import openai
import uvicorn
import yaml

from guard.api.app import create_app
from guard.config import Settings
from guard.serving import Worker

WAIT = 20.0


def write_policy(directory: Path, name: str = "tests", **fields: Any) -> Path:
    """Write a policy file; `names`, `texts` and `prompts` go below `forget`."""
    forget: dict[str, Any] = {}
    if "names" in fields:
        forget["entities"] = [{"name": name} for name in fields.pop("names")]
    for key in ("texts", "prompts"):
        if key in fields:
            forget[key] = list(fields.pop(key))
    content = {"version": 1, "name": name, "forget": forget, "action": "refuse", **fields}
    path = directory / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return path


class Proxy:
    """A running proxy. A context manager; `url` ends without a slash."""

    def __init__(self, policies: Path, upstream_url: str, **settings: Any) -> None:
        settings["upstream"] = {"url": upstream_url, **settings.get("upstream", {})}
        self.worker = Worker(Settings.model_validate(settings), policies)
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(self.worker),
                loop="uvloop",
                http="httptools",
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="on",
                timeout_graceful_shutdown=2,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + WAIT
        while not self._server.started:
            assert self._thread.is_alive(), "the proxy did not start"
            assert time.monotonic() < deadline, "the proxy did not start in time"
            time.sleep(0.01)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(WAIT)
        assert not self._thread.is_alive(), "the proxy did not stop"

    def openai(self, api_key: str = "none") -> openai.OpenAI:
        """The official client, pointed here."""
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=api_key, max_retries=0)

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        """POST JSON, or bytes as they are."""
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return httpx.post(self.url + path, **content, timeout=WAIT, **options)

    def chat(self, prompt: str, **fields: Any) -> httpx.Response:
        """A chat request of one user message."""
        return self.post("/v1/chat/completions", chat_body(prompt, **fields))


def chat_body(prompt: Any, **fields: Any) -> Mapping[str, Any]:
    """The body of such a request."""
    return {"model": "m", "messages": [{"role": "user", "content": prompt}], **fields}


def until(condition: Any, what: str, wait: float = WAIT) -> None:
    """Wait for a condition of another thread, `wait` seconds at most."""
    deadline = time.monotonic() + wait
    while not condition():
        assert time.monotonic() < deadline, f"timed out: {what}"
        time.sleep(0.01)
