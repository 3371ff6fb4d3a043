"""An OpenAI-compatible endpoint: a model server, or the guard in front of one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx

from guard.errors import EvaluateError
from guard.evaluate.arms.base import Asked, Losses, Reply
from guard.evaluate.rows import Message, content_hash

TRIES = 3
PASSING = (502, 503, 504)  # an overloaded server's: asked again before a long run is given up
_BROKEN = (httpx.NetworkError, httpx.RemoteProtocolError)  # so too a connection that broke
# Many servers close what was idle for 5 s, httpx's own limit too: one just closing is not used.
_IDLE_SECONDS = 2.0
REFUSED = "refused_request"  # finish reason where a begun answer is not continued (status 400)


class Endpoint:
    """`url` is the base address without /v1.

    `revision`: whatever names the state of what answers there (a policy hash, a model hash), since
    an address does not; `weights`: the arm whose weights stand behind it. Up to `connections`
    requests are under way at a time, so times are those under that load.
    """

    control: bool = False

    def __init__(
        self,
        name: str,
        url: str,
        model: str,
        *,
        what: str,
        revision: str,
        weights: str,
        system: str = "",
        api_key: str | None = None,
        connections: int = 4,
        timeout: float = 120.0,
    ) -> None:
        self.name, self.what, self.weights = name, what, weights
        self.identity = content_hash(["endpoint", model, revision, system])
        self._system = system
        self._model = model
        self._connections = connections
        self._client = httpx.Client(
            base_url=url.rstrip("/").removesuffix("/v1"),
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=timeout,
            trust_env=False,
            limits=httpx.Limits(max_connections=connections, keepalive_expiry=_IDLE_SECONDS),
        )

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def answer(self, asked: Sequence[Asked]) -> Iterator[Reply]:
        """Through /v1/chat/completions, in order. Raises EvaluateError on a server's failure."""
        with ThreadPoolExecutor(self._connections) as pool:
            yield from pool.map(self._answer, asked)

    def losses(self, pairs: Sequence[tuple[tuple[Message, ...], str]]) -> list[Losses] | None:
        """None: token by token an endpoint says too little for honest probabilities."""
        return None

    def _answer(self, asked: Asked) -> Reply:
        try:
            response = self._post(self._body(asked))
            seconds = response.elapsed.total_seconds()  # of the last try
            # Not to go on with an answer that the client began is the proxy's contract. Any other
            # 400 is no answer: a prompt that the model has no room for would pass for a refusal.
            if response.status_code == 400 and asked.opening:
                return Reply("", REFUSED, seconds)
            content = response.raise_for_status().json()
            choice = content["choices"][0]
            text = choice["message"].get("content") or ""
            usage = content.get("usage") or {}
            return Reply(
                text=text,
                finish_reason=choice.get("finish_reason"),
                seconds=seconds,
                prompt_tokens=int(usage.get("prompt_tokens", 0)),
                completion_tokens=int(usage.get("completion_tokens", 0)),
            )
        except (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise EvaluateError(f"{self.name}: no usable answer: {error}") from error

    def _post(self, body: dict[str, Any]) -> httpx.Response:
        for wait in range(1, TRIES):
            with suppress(*_BROKEN):
                response = self._client.post("/v1/chat/completions", json=body)
                if response.status_code not in PASSING:
                    return response
            time.sleep(wait)
        return self._client.post("/v1/chat/completions", json=body)

    def _body(self, asked: Asked) -> dict[str, Any]:
        messages = [{"role": role, "content": content} for role, content in asked.messages]
        if self._system:
            messages.insert(0, {"role": "system", "content": self._system})
        body: dict[str, Any] = {
            "model": self._model,
            "messages": messages,
            "max_tokens": asked.sampling.max_tokens,
            "temperature": asked.sampling.temperature,
            "seed": asked.sampling.seed,
        }
        if asked.opening:
            body["messages"] = [*messages, {"role": "assistant", "content": asked.opening}]
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        return body
