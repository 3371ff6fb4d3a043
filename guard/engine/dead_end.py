"""A grammar that allows only what is forbidden.

vLLM applies a request's grammar first and our bans after it. Where both together leave no token,
the plugin leaves the end of the text, the grammar rejects it, and vLLM ends the request in an
error: HTTP 500, or an error event inside a stream. To the client that is an answer that was
filtered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

# What vLLM says of a request whose generation it ended (seen of 0.32).
_MESSAGE, _TYPE, STATUS = "Internal server error", "InternalServerError", 500
# Fields of a request from which vLLM makes a grammar.
_GRAMMARS = frozenset(
    {"structured_outputs", "response_format", "tools", "tool_choice", "functions", "text",
     "output_config", "output_format"}
)  # fmt: skip


def gave_up(answer: Any) -> bool:
    """Whether an error, as parsed, is one that ended a generation."""
    error = answer.get("error") if isinstance(answer, Mapping) else None
    if not isinstance(error, Mapping):
        return False
    return (error.get("message"), error.get("type")) == (_MESSAGE, _TYPE)


def body_gave_up(body: bytes) -> bool:
    """The same of an error's bytes."""
    try:
        return gave_up(orjson.loads(body))
    except orjson.JSONDecodeError:
        return False


def has_grammar(request: bytes) -> bool:
    """Whether a request, which is a JSON object, may bind its answer to a grammar."""
    asked = orjson.loads(request)
    return any(asked.get(field) is not None for field in _GRAMMARS)
