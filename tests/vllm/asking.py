"""The four ways to ask the same question, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from openai import OpenAI

from guard.evaluate.small_llama import prompt_of
from tests.support.tiny_llama import NAME

MAX_TOKENS = 96


@dataclass(frozen=True, slots=True)
class Got:
    """One choice of an answer. `usage` is the whole answer's."""

    text: str
    finish_reason: str | None
    usage: dict[str, Any] | None


def chat(client: OpenAI, question: str, **more: Any) -> Got:
    """`/v1/chat/completions` in one piece."""
    answer = client.chat.completions.create(
        model=NAME,
        messages=[{"role": "user", "content": question}],
        temperature=0,
        max_tokens=MAX_TOKENS,
        **more,
    )
    (choice,) = answer.choices
    usage = answer.usage.model_dump() if answer.usage else None
    return Got(choice.message.content or "", choice.finish_reason, usage)


def chat_stream(client: OpenAI, question: str, **more: Any) -> Got:
    """`/v1/chat/completions`, streamed."""
    events = client.chat.completions.create(
        model=NAME,
        messages=[{"role": "user", "content": question}],
        temperature=0,
        max_tokens=MAX_TOKENS,
        stream=True,
        stream_options={"include_usage": True},
        **more,
    )
    return _gathered(events, lambda choice: choice.delta.content or "")


def completion(client: OpenAI, question: str, **more: Any) -> Got:
    """`/v1/completions` in one piece."""
    answer = client.completions.create(
        model=NAME, prompt=prompt_of(question), temperature=0, max_tokens=MAX_TOKENS, **more
    )
    (choice,) = answer.choices
    usage = answer.usage.model_dump() if answer.usage else None
    return Got(choice.text, choice.finish_reason, usage)


def completion_stream(client: OpenAI, question: str, **more: Any) -> Got:
    """`/v1/completions`, streamed."""
    events = client.completions.create(
        model=NAME,
        prompt=prompt_of(question),
        temperature=0,
        max_tokens=MAX_TOKENS,
        stream=True,
        stream_options={"include_usage": True},
        **more,
    )
    return _gathered(events, lambda choice: choice.text)


def _gathered(events: Any, text_of: Callable[[Any], str]) -> Got:
    text, finish_reason, usage = "", None, None
    for event in events:
        usage = event.usage.model_dump() if event.usage else usage
        for choice in event.choices:
            text += text_of(choice)
            finish_reason = choice.finish_reason or finish_reason
    return Got(text, finish_reason, usage)


WAYS = (chat, chat_stream, completion, completion_stream)
