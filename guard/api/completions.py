"""`/v1/completions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guard.api.surface import MAX_LANES, Surface, read_common
from guard.asked import Asked, Turn
from guard.messages import wrong_type


class Completions(Surface):
    """A prompt, or several, in; `choices[].text` out."""

    name = "completions"
    path = "/v1/completions"
    id_prefix = "cmpl"
    whole_object = "text_completion"
    chunk_object = "text_completion"

    def read(self, request: Mapping[str, Any]) -> Asked:
        model, stream, count, usage = read_common(request)
        prompts, unreadable = _prompts(request.get("prompt"))
        lanes = len(prompts) * count
        if lanes > MAX_LANES:
            raise wrong_type("n", f"such that prompts times n is at most {MAX_LANES}")
        others = self.other_texts(request, "prompt")
        leads = {
            index * count + choice: prompt
            for index, prompt in enumerate(prompts)
            for choice in range(count)
        }
        return Asked(
            model=model,
            stream=stream,
            lanes=lanes,
            include_usage=usage,
            texts=(*prompts, *others),
            turns=tuple(Turn("user", prompt) for prompt in prompts),
            leads=leads if unreadable is None else {},
            unreadable=unreadable,
        )

    def said(self, text: str, *, chunk: bool) -> dict[str, Any]:
        return {"text": text}


def _prompts(prompt: Any) -> tuple[list[str], str | None]:
    """The prompts; for token ids as many empty ones, and that they cannot be read."""
    if isinstance(prompt, str):
        return [prompt], None
    if not isinstance(prompt, list) or not prompt:
        raise wrong_type("prompt", "a string, or a non-empty list of strings")
    if all(isinstance(item, str) for item in prompt):
        return list(prompt), None
    if all(type(item) is int for item in prompt):
        return [""], "token ids"
    if all(isinstance(item, list) for item in prompt):
        return ["" for _ in prompt], "token ids"
    raise wrong_type("prompt", "a string, or a list of strings only")
