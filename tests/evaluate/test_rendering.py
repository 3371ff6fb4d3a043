"""An answer stands after its prompt as the model's chat template writes it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from guard.demo.model import CHAT_TEMPLATE
from guard.evaluate.rendering import answered, rendered
from guard.evaluate.rows import ask
from guard.evaluate.small_llama import CHAT_TEMPLATE as TINY

SPACED = CHAT_TEMPLATE.read_text()
# Thinking models drop what they thought from turns that are over: the prompt is no beginning then.
REWRITING = (
    "{%- for m in messages -%}<{{ m.role }}>{{ m.content }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}<assistant><think>{%- endif -%}"
)
TALK = (*ask("Who?"), ("assistant", "She."), ("user", "When?"))


def tokenizer(template: str | None) -> Any:
    if template is None:
        return SimpleNamespace(chat_template=None)
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    words = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"a": 0}, "a")))
    words.chat_template = template
    words.bos_token = "<bos>"
    return words


@pytest.mark.parametrize(
    ("template", "answer", "prompt_end", "after"),
    [
        (SPACED, "Marie Curie.", "Answer:", " Marie Curie."),
        (SPACED, "She. She.", "Answer:", " She. She."),
        (SPACED, " Marie", "Answer:", " Marie"),
        (SPACED, "", "Answer:", ""),
        (TINY, "Marie Curie.", "<assistant>", "Marie Curie."),
        (REWRITING, "Marie", "<think>", "Marie"),
        (None, "Marie", "Answer:", " Marie"),
    ],
)
@pytest.mark.parametrize("talk", [ask("Who?"), TALK])
def test_an_answer_follows_its_prompt(
    talk: tuple[tuple[str, str], ...],
    template: str | None,
    answer: str,
    prompt_end: str,
    after: str,
) -> None:
    model = tokenizer(template)
    assert rendered(model, talk).endswith(prompt_end)
    assert answered(model, talk, answer) == after


@given(st.text(alphabet="abc .", min_size=1).filter(str.strip))
def test_nothing_of_an_answer_is_lost(answer: str) -> None:
    for template in (SPACED, TINY, REWRITING, None):
        said = answered(tokenizer(template), ask("abc?"), answer)
        assert said.strip() == answer.strip()
