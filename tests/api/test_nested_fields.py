"""The fields of messages, items and blocks keep up with the official clients and with vLLM.

Whatever is not in these sets is refused by name; the tables here say what that is today, so that a
new field of a client is looked at before somebody misses it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_type_hints

import pytest
from anthropic.types import ContentBlockParam, MessageParam
from openai.types.chat import ChatCompletionMessageParam
from openai.types.responses import ResponseInputItemParam

from guard import messages
from guard.api import messages_input, responses_input


def fields(union: Any) -> set[str]:
    """Of every typed dictionary in a union."""
    return {key for one in get_args(union) for key in get_type_hints(one)}


def items(types: Iterable[str]) -> set[str]:
    """Of the items that are served, which their `type` tells; one without any is a message."""
    found: set[str] = set()
    for one in get_args(ResponseInputItemParam):
        hints = get_type_hints(one)
        names = {name for name in _literals(hints.get("type")) if isinstance(name, str)}
        if not names or names & {*types}:
            found |= hints.keys()
    return found


def _literals(hint: Any) -> set[Any]:
    inner = get_args(hint)
    if not inner:
        return {hint} if isinstance(hint, str) else set()
    return set().union(*map(_literals, inner))


# What a client may send and is refused; and what is read though no client's model has it.
CLIENTS: Mapping[str, tuple[set[str], frozenset[str], set[str], set[str]]] = {
    "messages of chat": (
        fields(ChatCompletionMessageParam), messages.MESSAGE_FIELDS, set(),
        {"annotations", "reasoning", "reasoning_content", "tools"},
    ),
    "items of responses": (
        items(responses_input.ITEM_TYPES), responses_input.ITEM_FIELDS, set(), {"created_by"},
    ),
    "messages of messages": (
        fields(MessageParam), messages_input.MESSAGE_FIELDS, set(), set(),
    ),
    "blocks of messages": (
        fields(ContentBlockParam), messages_input.BLOCK_FIELDS, {"file_id"}, {"tool", "tool_name"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CLIENTS)
def test_what_clients_may_send_is_read_or_known_to_be_refused(name: str) -> None:
    sent, read, refused, more = CLIENTS[name]
    assert sent - read == refused
    assert read - sent == more


def test_what_vllm_knows_is_read_or_known_to_be_refused() -> None:
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed, so there are no models to compare with")
    from vllm.entrypoints.anthropic.protocol import AnthropicContentBlock, AnthropicMessage
    from vllm.renderers.chat_utils import CustomChatCompletionMessageParam

    ours = messages.MESSAGE_FIELDS
    # What a template does with a `task` nobody has read: refused.
    assert set(get_type_hints(CustomChatCompletionMessageParam)) - ours == {"task"}
    assert not set(AnthropicMessage.model_fields) - messages_input.MESSAGE_FIELDS
    assert not set(AnthropicContentBlock.model_fields) - messages_input.BLOCK_FIELDS
