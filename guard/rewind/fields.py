"""Which requests can be continued by token ids, and the bodies that ask for it. Pure.

A continuation goes to `/v1/completions` with the ids of the prompt and of the answer so far. It is
faithful only where the engine would have sampled the next token from the same distribution in one
run, so a field that counts what was generated, or that hides some of it, rules it out; so does any
field that is not listed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson

Json = dict[str, Any]

# What both endpoints mean in the same way, passed on as it came.
CARRIED = frozenset(
    {
        "model", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "stop",
        "stop_token_ids", "include_stop_str_in_output", "ignore_eos", "skip_special_tokens",
        "spaces_between_special_tokens", "watermarking", "priority", "cache_salt", "session_id",
    }
)  # fmt: skip
# Read here, and passed on as something else.
READ = frozenset(
    {
        "messages", "prompt", "chat_template_kwargs", "add_generation_prompt",
        "add_special_tokens", "max_tokens", "max_completion_tokens", "min_tokens", "n", "seed",
        "stream_options",
    }
)  # fmt: skip
# Of no concern to what the model samples.
IGNORED = frozenset(
    {
        "user", "safety_identifier", "prompt_cache_key", "metadata", "service_tier", "stream",
        "stream_interval", "length_penalty", "parallel_tool_calls", "request_id", "store",
    }
)  # fmt: skip
# Values of other fields that change nothing, beside null, false, 0 and what is empty.
_NEUTRAL: Mapping[str, Any] = {
    "response_format": {"type": "text"},
    "modalities": ["text"],
    "best_of": 1,
    "include_reasoning": True,
    "tool_choice": "none",
    "function_call": "none",
}
_COMPLETION_TOKENS = 16  # vLLM's and OpenAI's default of `/v1/completions`
_SEEDS = 2**63


@dataclass(frozen=True, slots=True)
class Shape:
    """Where an endpoint's choices hold their plain text, in a stream and in a whole answer."""

    chunk: tuple[str, ...]
    whole: tuple[str, ...]
    object: str  # of a stream's events


SHAPES: Mapping[str, Shape] = {
    "chat": Shape(("delta", "content"), ("message", "content"), "chat.completion.chunk"),
    "completions": Shape(("text",), ("text",), "text_completion"),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """A request that can be continued."""

    shape: Shape
    request: Json

    @classmethod
    def of(cls, endpoint: str, body: bytes) -> Self | None:
        """The recipe of a request (JSON that the endpoint has read), or None."""
        request = orjson.loads(body)
        request = {name: value for name, value in request.items() if value is not None}
        if endpoint not in SHAPES or any(map(_hinders, request.items())):
            return None
        if request.get("stream_options", {}).get("continuous_usage_stats"):
            return None  # each event would have to count
        return cls(SHAPES[endpoint], request)

    @property
    def model(self) -> str:
        return str(self.request["model"])

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings."""
        stop = self.request.get("stop", ())
        return (stop,) if isinstance(stop, str) else tuple(stop)

    @property
    def prompts(self) -> int:
        """How many prompts the request has; every one has `n` choices."""
        prompt = self.request.get("prompt")
        return len(prompt) if isinstance(prompt, list) else 1

    def prompt_of(self, lane: int) -> int:
        """The number of the prompt that a lane answers."""
        return lane // int(self.request.get("n", 1)) if self.prompts > 1 else 0

    def asking(self, prompt: int) -> Json:
        """The body of `/tokenize` for a prompt, as the engine tokenised it."""
        request = self.request
        if "messages" not in request:
            given = request["prompt"]
            text = given[prompt] if isinstance(given, list) else given
            special = request.get("add_special_tokens", True)
            return {"model": self.model, "prompt": text, "add_special_tokens": special}
        names = ("messages", "chat_template_kwargs", "add_generation_prompt", "add_special_tokens")
        return {"model": self.model, **{n: request[n] for n in names if n in request}}

    def most(self, room: int) -> int:
        """Tokens that an answer may have; `room`: what the model's context leaves for it."""
        if "messages" not in self.request:
            return int(self.request.get("max_tokens", _COMPLETION_TOKENS))
        asked: Any = self.request.get("max_tokens", room)
        return min(int(self.request.get("max_completion_tokens", asked)), room)

    def going_on(
        self, ids: Sequence[int], made: int, left: int, banned: Iterable[int] | None = None
    ) -> Json:
        """The body that continues after `ids`, of which `made` are the answer's.

        With `banned` it asks for one token that is none of these, without for up to `left`.
        """
        body = {name: value for name, value in self.request.items() if name in CARRIED}
        if "seed" in self.request:
            # With the same seed two calls would begin with the same noise, and favour one token.
            body["seed"] = (int(self.request["seed"]) + len(ids)) % _SEEDS
        least = max(0, int(self.request.get("min_tokens", 0)) - made)
        body |= {"prompt": list(ids), "return_token_ids": True}
        if banned is None:
            return {**body, "max_tokens": left, "min_tokens": min(least, left), "stream": True}
        bias = {str(token): -100.0 for token in sorted(banned)}
        return {**body, "max_tokens": 1, "min_tokens": min(least, 1), "logit_bias": bias}


def straddles(text: str, stops: Iterable[str]) -> bool:
    """Whether a text ends inside a stop string: the engine would not see it across a joint."""
    return any(text.endswith(stop[:length]) for stop in stops for length in range(1, len(stop)))


def _hinders(field: tuple[str, Any]) -> bool:
    name, value = field
    if name in CARRIED or name in READ or name in IGNORED:
        return False
    if name == "include_reasoning":
        return value is not True
    return bool(value) and value != _NEUTRAL.get(name)
