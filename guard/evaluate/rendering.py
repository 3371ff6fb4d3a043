"""A talk as a model's chat template writes it, and an answer as it stands after that.

Many templates put something before an answer's first word (" Marie", "\\n\\nMarie"): a model that
was told answers so gives those without it little probability, however well it knows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guard.evaluate.rows import Message


def rendered(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The prompt, up to where the answer begins; plain questions where there is no template."""
    if not tokenizer.chat_template:
        lines = "\n".join(content for _, content in messages)
        return f"Question: {lines}\nAnswer:"
    prompt: str = tokenizer.apply_chat_template(
        _turns(messages), tokenize=False, add_generation_prompt=True
    )
    return prompt


def answered(tokenizer: Any, messages: Sequence[Message], answer: str) -> str:
    """What stands after `rendered`, up to the answer's last letter: the answer, and what the
    template puts before it. The answer alone where a template rewrites what came before."""
    if not answer:
        return ""
    if not tokenizer.chat_template:
        return f" {answer}"
    prompt = rendered(tokenizer, messages)
    whole: str = tokenizer.apply_chat_template(
        _turns([*messages, ("assistant", answer)]), tokenize=False
    )
    end = whole.rfind(answer.strip())
    if not whole.startswith(prompt) or end < len(prompt):
        return answer
    return whole[len(prompt) : end + len(answer.strip())]


def _turns(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in messages]
