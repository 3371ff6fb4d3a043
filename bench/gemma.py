"""Gemma 3 270M in this process: tokens one by one, with something to say which, and perplexity."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from guard.demo.model import demo_model
from guard.restrict.token_bytes import token_bytes


class Gemma:
    """The model in float32, one text at a time, with its key-value cache."""

    def __init__(self) -> None:
        folder = demo_model()
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self.model: Any = loaded.eval()
        self.size = int(self.model.get_input_embeddings().weight.shape[0])
        self.pieces = token_bytes(self.tokenizer, self.size)
        ends = self.model.generation_config.eos_token_id
        self.ends: list[int] = [ends] if isinstance(ends, int) else ends
        # Beside the ends: markup and control tokens, which stand where an answer is over.
        added = self.tokenizer.added_tokens_decoder
        silent = (token for token, piece in enumerate(self.pieces) if not piece)
        self.banned = sorted({*self.ends, *added, *silent})

    def ids(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer(text).input_ids
        return found

    def text(self, tokens: list[int]) -> str:
        return b"".join(self.pieces[token] or b"" for token in tokens).decode("utf-8", "replace")

    def decode(self, prompt: str, count: int, choose: Callable[[Any], int]) -> list[int]:
        """`count` tokens; `choose` gets the logits, float32 numpy (1, vocabulary)."""
        tokens: list[int] = []
        step, cache = self.ids(prompt), None
        with torch.inference_mode():
            while len(tokens) < count:
                output = self.model(
                    input_ids=torch.tensor([step]),
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=1,
                )
                logits = output.logits[:, -1].numpy()
                logits[:, self.banned] = -np.inf
                tokens.append(choose(logits))
                if tokens[-1] in self.banned:  # a restriction left nothing but the end
                    return tokens[:-1]
                step, cache = tokens[-1:], output.past_key_values
        return tokens

    def perplexity(self, prompt: str, tokens: list[int]) -> tuple[float, float]:
        """Of the tokens after the prompt: under the model as it is, and under the model without
        the tokens that no arm may take (an answer of fixed length has to go on where the model
        would end it; the second figure leaves that out)."""
        ids = self.ids(prompt)
        with torch.inference_mode():
            logits = self.model(input_ids=torch.tensor([[*ids, *tokens]])).logits[0]
            logits = logits[len(ids) - 1 : -1].float()
            at = torch.arange(len(tokens)), torch.tensor(tokens)
            plain = torch.log_softmax(logits, dim=-1)[at].mean()
            logits[:, self.banned] = -torch.inf
            going_on = torch.log_softmax(logits, dim=-1)[at].mean()
        return math.exp(-float(plain)), math.exp(-float(going_on))
