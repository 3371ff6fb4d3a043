"""Rows to token ids with labels on exactly the answer, whatever the chat template does.

Labels are unshifted, as transformers has them: `labels[i] == input_ids[i]` on answer tokens and
-100 elsewhere. The attention mask follows from lengths, never from ids: a padding token that is
also the end-of-text token hides no real one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from guard.distil.errors import DistilError
from guard.distil.rows import Row

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row: `ids`, of which those from `start` on are the answer with its end-of-turn."""

    ids: tuple[int, ...]
    start: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Right-padded rows, all tensors [rows, width] of int64; `weights` [rows] of float32."""

    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor
    weights: Tensor
    rows: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def inputs(self) -> dict[str, Tensor]:
        """What a model's forward takes; labels are left to the objectives."""
        return {"input_ids": self.input_ids, "attention_mask": self.attention_mask}

    def to(self, device: torch.device | str) -> Batch:
        """The same on another device."""
        return replace(
            self,
            input_ids=self.input_ids.to(device),
            attention_mask=self.attention_mask.to(device),
            labels=self.labels.to(device),
            weights=self.weights.to(device),
        )


class Encoder:
    """Tokenises rows for one model.

    `prompt_format` is "chat" (the tokenizer's template), or a text with `{prompt}` in it for base
    models. `max_length` is in tokens; longer rows lose the end of their answer, and a row whose
    prompt alone is longer is an error.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        max_length: int = 512,
        prompt_format: str = "chat",
        end_ids: Sequence[int] = (),
    ) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self._format = prompt_format
        eos = tokenizer.eos_token_id
        self.end_ids = {*end_ids, *([] if eos is None else [eos])}
        self._eos = eos
        pad = tokenizer.pad_token_id
        self.pad_id = int(pad if pad is not None else (eos if eos is not None else 0))
        self._memory: dict[tuple[str | None, str], Encoded] = {}
        if prompt_format == "chat" and not tokenizer.chat_template:
            raise DistilError(
                "the model has no chat template: give one to its tokenizer, or set "
                "train.prompt_format to a text with {prompt} in it"
            )
        if prompt_format != "chat" and "{prompt}" not in prompt_format:
            raise DistilError("train.prompt_format must be `chat` or a text with {prompt} in it")

    def prompt_ids(self, prompt: str, system: str | None = None) -> list[int]:
        """What the model is given before it answers."""
        return self._ids(self._render(prompt, None, system))

    def encode(self, prompt: str | None, answer: str, system: str | None = None) -> Encoded:
        """One row. Raises `DistilError` when the prompt fills `max_length`."""
        key = (prompt if system is None else f"{system}\0{prompt}", answer)
        if key not in self._memory:
            found = self._passage(answer) if prompt is None else self._turn(prompt, answer, system)
            if found.start >= self.max_length or found.start >= len(found.ids):
                raise DistilError(
                    f"a prompt of {found.start} tokens leaves no room for its answer; raise "
                    f"train.max_length ({self.max_length})"
                )
            self._memory[key] = Encoded(found.ids[: self.max_length], found.start)
        return self._memory[key]

    def batch(self, rows: Sequence[Row], weights: Sequence[float] = ()) -> Batch:
        """Rows side by side."""
        return self.collate(
            [self.encode(row.prompt, row.answer) for row in rows], tuple(rows), weights
        )

    def collate(
        self, encoded: Sequence[Encoded], rows: tuple[Row, ...], weights: Sequence[float] = ()
    ) -> Batch:
        """Pads on the right."""
        width = max(len(one.ids) for one in encoded)
        ids = torch.full((len(encoded), width), self.pad_id)
        mask = torch.zeros_like(ids)
        labels = torch.full_like(ids, IGNORED)
        for i, one in enumerate(encoded):
            length = len(one.ids)
            ids[i, :length] = torch.tensor(one.ids)
            mask[i, :length] = 1
            labels[i, one.start : length] = ids[i, one.start : length]
        weigh = torch.tensor(weights or [1.0] * len(encoded), dtype=torch.float32)
        return Batch(ids, mask, labels, weigh, rows)

    def _passage(self, text: str) -> Encoded:
        ids = self.tokenizer(text).input_ids
        ids = [*ids, self._eos] if self._eos is not None and ids[-1:] != [self._eos] else ids
        return Encoded(tuple(ids), 1)  # nothing foretells the first token

    def _turn(self, prompt: str, answer: str, system: str | None) -> Encoded:
        head = self._render(prompt, None, system)
        whole = self._render(prompt, answer, system)
        if not whole.startswith(head):
            # Some templates open the model's turn otherwise than they write it down (a thinking
            # block, say): what both share is the prompt.
            head = head[: _shared(head, whole)]
        tail = whole[len(head) :]
        if answer.strip() not in tail:
            raise DistilError("the chat template does not write the assistant's answer as given")
        start = self._ids(head)
        return Encoded(
            (*start, *self._closed(self._tail_ids(head, start, whole, tail))), len(start)
        )

    def _tail_ids(self, head: str, start: list[int], whole: str, tail: str) -> list[int]:
        # The model will see the prompt tokenised alone, so the answer is what follows that.
        ids = self._ids(whole)
        if ids[: len(start)] == start:
            return ids[len(start) :]
        return list(self.tokenizer(tail, add_special_tokens=False).input_ids)

    def _closed(self, ids: list[int]) -> list[int]:
        """Up to the first end-of-turn: what a template writes after it is never generated."""
        for i, token in enumerate(ids):
            if token in self.end_ids:
                return ids[: i + 1]
        return ids if self._eos is None else [*ids, self._eos]

    def _ids(self, text: str) -> list[int]:
        # A chat template writes its own beginning-of-text.
        special = self._format != "chat"
        ids = list(self.tokenizer(text, add_special_tokens=special).input_ids)
        if special and ids and ids[-1] == self._eos:
            ids.pop()
        return ids

    def _render(self, prompt: str, answer: str | None, system: str | None) -> str:
        if self._format != "chat":
            before = self._format.replace("{prompt}", prompt)
            before = before if system is None else f"{system}\n{before}"
            return before if answer is None else before + answer
        messages = [] if system is None else [{"role": "system", "content": system}]
        messages.append({"role": "user", "content": prompt})
        if answer is not None:
            messages.append({"role": "assistant", "content": answer})
        text: str = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=answer is None
        )
        return text


def _shared(one: str, other: str) -> int:
    """Length of the longest common beginning."""
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return i
    return min(len(one), len(other))
