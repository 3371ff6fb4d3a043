"""A model server that lacks nothing which `guard doctor` looks for, over a `Fleet`."""

from __future__ import annotations

from typing import Any

from tests.support.answers import chat_completion, error, text_completion
from tests.support.fleet import Fleet
from tests.support.upstream import RecordedRequest, Reply

KEY = "server-key"


class Healthy:
    """Its tokens are the bytes of a text. What it lacks is set by attributes."""

    def __init__(self, fleet: Fleet) -> None:
        self.models: list[dict[str, Any]] = [{"id": "m"}]
        self.version: Any = {"version": "0.32.0"}
        self.keyed = True
        self.raw_logprobs = False
        self.refused: set[str] = {  # fields of completions
            "prompt_logprobs", "echo", "allowed_token_ids", "use_beam_search",
        }  # fmt: skip
        self.knows_plugin = True
        self.trims = self.rewrites = False
        self.message: dict[str, Any] = {}
        self._fleet = fleet
        self._completes = fleet.answer
        fleet.extra = {
            "/version": lambda request: self._or_missing(self.version),
            "/v1/models": self._models,
            "/v1/completions": self._completion,
            "/v1/chat/completions": lambda request: Reply.json(
                chat_completion("Blue.", message=self.message)
            ),
            "/tokenize": self._tokenize,
            "/detokenize": self._detokenize,
        }

    def _or_missing(self, said: Any) -> Reply:
        return _refused(404) if said is None else Reply.json(said)

    def _models(self, request: RecordedRequest) -> Reply:
        if self.keyed and request.headers.get("authorization") != f"Bearer {KEY}":
            return _refused(401)
        return Reply.json({"object": "list", "data": self.models})

    def _completion(self, request: RecordedRequest) -> Reply:
        asked = request.json()
        sets = asked.get("vllm_xargs", {}).get("guard_sets")
        if asked.keys() & self.refused or (isinstance(sets, str) and self.knows_plugin):
            return _refused(400)
        if isinstance(sets, str):
            return Reply.json(text_completion("?"))
        if "logprobs" in asked:
            return Reply.json(self._logprobs(asked))
        made = self._fleet.extra.pop("/v1/completions")
        try:
            return self._completes(request)
        finally:
            self._fleet.extra["/v1/completions"] = made

    def _logprobs(self, asked: dict[str, Any]) -> dict[str, Any]:
        banned = "logit_bias" in asked and not self.raw_logprobs
        listed = {" Paris": -95.0 if banned else -0.1, " Lyon": -2.0}
        answer = text_completion(" Paris", logprobs={"top_logprobs": [listed]})
        answer["choices"][0]["token_ids"] = [7]
        return answer

    def _tokenize(self, request: RecordedRequest) -> Reply:
        asked = request.json()
        text = asked["prompt"] if "prompt" in asked else self._rendered(asked["messages"])
        return Reply.json({"tokens": list(text.encode())})

    def _rendered(self, messages: list[dict[str, str]]) -> str:
        said = messages[1]["content"] if len(messages) > 1 else ""
        if self.trims:
            said = said.rstrip()
        if self.rewrites:
            said = said.upper()
        return f"<user>{messages[0]['content']}<end><assistant>{said}"

    def _detokenize(self, request: RecordedRequest) -> Reply:
        return Reply.json({"prompt": bytes(request.json()["tokens"]).decode()})


def _refused(status: int) -> Reply:
    return Reply.json(error("no", type="BadRequestError", code=status), status=status)
