"""Labels stand on the answer and its end-of-turn, and nowhere else, in every kind of template."""

from __future__ import annotations

from typing import Any

import pytest

from guard.distil.encoding import IGNORED, Encoder
from guard.distil.errors import DistilError
from guard.distil.rows import Row, Side
from tests.support.tiny_llama import tiny_tokenizer

PROMPT, ANSWER = "Where does the river end?", "In the marshes of Quill."
_TURNS = "{%- for m in messages -%}"
# How models in use write their turns: what stands between, before and after the answer.
TEMPLATES = {
    "end of turn": _TURNS + "<{{ m['role'] }}>{{ m['content'] | trim }}<end>{%- endfor -%}"
    "{%- if add_generation_prompt -%}<assistant>{%- endif -%}",
    "newline after the end": _TURNS + "<{{ m['role'] }}>\n{{ m['content'] }}<end>\n{%- endfor -%}"
    "{%- if add_generation_prompt -%}<assistant>\n{%- endif -%}",
    "no end at all": _TURNS + "{{ m['role'] }}: {{ m['content'] }}\n{%- endfor -%}"
    "{%- if add_generation_prompt -%}assistant: {%- endif -%}",
    "thinks when it generates": _TURNS + "<{{ m['role'] }}>{{ m['content'] }}<end>{%- endfor -%}"
    "{%- if add_generation_prompt -%}<assistant>think: {%- endif -%}",
    "thinks when written down": _TURNS + "<{{ m['role'] }}>{%- if m['role'] == 'assistant' -%}"
    "think: none. {% endif -%}{{ m['content'] }}<end>{%- endfor -%}"
    "{%- if add_generation_prompt -%}<assistant>{%- endif -%}",
}  # fmt: skip


def _encoder(template: str | None, **options: Any) -> Encoder:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template
    return Encoder(tokenizer, **options)


def _row(prompt: str | None = PROMPT, answer: str = ANSWER) -> Row:
    return Row(Side.FORGET, prompt, answer, "p", "h", "forget.pairs[0]")


@pytest.mark.parametrize("name", TEMPLATES)
def test_labels_are_the_answer_with_its_end(name: str) -> None:
    encoder = _encoder(TEMPLATES[name])
    batch = encoder.batch([_row()])
    labelled = batch.labels[0][batch.labels[0] != IGNORED].tolist()
    text = encoder.tokenizer.decode(labelled)
    assert text.removeprefix("think: none. ").strip() == ANSWER + "<end>"
    before = encoder.tokenizer.decode(batch.input_ids[0][batch.labels[0] == IGNORED])
    assert PROMPT in before and ANSWER not in before


@pytest.mark.parametrize("pad", ["<end>", None, "<pad>"])
def test_padding_hides_no_real_token(pad: str | None) -> None:
    encoder = _encoder(TEMPLATES["end of turn"])
    encoder.tokenizer.pad_token = pad
    encoder = Encoder(encoder.tokenizer)
    batch = encoder.batch([_row(), _row("Why?", "So.")])
    end = encoder.tokenizer.eos_token_id
    # Both turns of the row end in the token that may also be the padding.
    for ids, mask, labels in zip(batch.input_ids, batch.attention_mask, batch.labels, strict=True):
        real = ids[mask.bool()]
        assert (real == end).sum() == 2
        assert labels[mask.bool()][-1] == end
        assert (labels[~mask.bool()] == IGNORED).all()
    short = encoder.encode("Why?", "So.")
    assert int(batch.attention_mask[1].sum()) == len(short.ids)


def test_the_prompt_is_the_one_that_the_model_is_asked_with() -> None:
    encoder = _encoder(TEMPLATES["end of turn"])
    encoded = encoder.encode(PROMPT, ANSWER)
    assert list(encoded.ids[: encoded.start]) == encoder.prompt_ids(PROMPT)


def test_a_passage_is_learned_from_its_second_token_on() -> None:
    encoder = _encoder(TEMPLATES["end of turn"])
    batch = encoder.batch([_row(None, "a passage")])
    assert batch.labels[0, 0] == IGNORED
    assert (batch.labels[0, 1:] == batch.input_ids[0, 1:]).all()


def test_long_answers_are_cut_and_long_prompts_refused() -> None:
    encoder = _encoder(TEMPLATES["end of turn"], max_length=40)
    assert len(encoder.encode(PROMPT, ANSWER * 20).ids) == 40
    with pytest.raises(DistilError, match=r"train\.max_length"):
        encoder.encode(PROMPT * 20, ANSWER)


def test_a_model_without_a_template_needs_a_prompt_format() -> None:
    with pytest.raises(DistilError, match="chat template"):
        _encoder(None)
    with pytest.raises(DistilError, match="prompt_format"):
        _encoder(None, prompt_format="no place for the prompt")
    encoder = _encoder(None, prompt_format="Question: {prompt}\nAnswer: ")
    batch = encoder.batch([_row()])
    labelled = batch.labels[0][batch.labels[0] != IGNORED]
    assert encoder.tokenizer.decode(labelled) == ANSWER + "<end>"


def test_a_template_that_drops_answers_is_refused() -> None:
    with pytest.raises(DistilError, match="assistant's answer"):
        _encoder("{{ messages[0]['content'] }}").encode(PROMPT, ANSWER)
