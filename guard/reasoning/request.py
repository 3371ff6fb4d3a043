"""The request that is sent in place of a flagged one, and the reading of its answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from guard.errors import UpstreamGarbage
from guard.treatments import Finish, Told

# How the model samples and how much: nothing else of a flagged request goes on. Tools, schemas,
# stop strings and templates are text or forms that an answer could be forced through.
_SAMPLING = (
    "model", "temperature", "top_p", "top_k", "min_p", "seed", "frequency_penalty",
    "presence_penalty", "repetition_penalty", "n", "priority",
)  # fmt: skip
_LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_FINISHES: Mapping[str, Finish] = {"stop": "stop", "length": "length"}


def put(request: Mapping[str, Any], prompts: Sequence[str], most: int, *, chat: bool) -> bytes:
    """The request of `prompts`, one for a chat. At most `most` tokens an answer, or what the
    client's request says where that is less."""
    asked = [request[name] for name in _LENGTHS if type(request.get(name)) is int]
    body = {name: request[name] for name in _SAMPLING if request.get(name) is not None}
    body["max_tokens"] = min([most, *(length for length in asked if length > 0)])
    if chat:
        body["messages"] = [{"role": "user", "content": prompts[0]}]
        # Many templates know this switch: reasoning about the policy text would be thrown away.
        body["chat_template_kwargs"] = {"enable_thinking": False}
    else:
        body["prompt"] = [f"{prompt}\n\nAnswer:" for prompt in prompts]
    return orjson.dumps(body)


def answered(body: bytes, lanes: int) -> tuple[list[Told], int]:
    """The plain text of each lane of a whole answer, and the tokens of all.

    Reasoning and tool calls are left out, thinking that a server left in the text too. Raises
    UpstreamGarbage.
    """
    try:
        answer: Any = orjson.loads(body)
        found: dict[int, Told] = {}
        for choice in answer["choices"]:
            holder = choice["message"]["content"] if "message" in choice else choice["text"]
            finish = _FINISHES.get(choice["finish_reason"], "content_filter")
            found[choice["index"]] = Told(_aloud(holder), finish)
        tokens = (answer.get("usage") or {}).get("completion_tokens")
        said = [found[lane] for lane in range(lanes)]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise UpstreamGarbage("the model server's answer has an odd structure") from None
    return said, tokens if type(tokens) is int else 0


def _aloud(content: Any) -> str:
    if not isinstance(content, str):
        return ""
    text = content.rpartition("</think>")[2]
    return "" if "<think>" in text else text.strip()
