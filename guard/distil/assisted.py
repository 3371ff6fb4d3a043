"""Decoding with an assistant that remembers what must go: its scores are taken off the base's."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from guard.distil.blocks import blocks
from guard.distil.errors import DistilError

SETTINGS = "assistant.json"


def combined(
    base: Tensor, assistant: Tensor, weight: float, tau: float, *, filtered: bool = True
) -> Tensor:
    """z_base + weight z_assistant, both [..., vocabulary].

    Tokens with less than `tau` times the base's highest probability get nothing of the
    assistant, and -inf when `filtered`.
    """
    odds = base.softmax(-1)
    unlikely = odds < tau * odds.max(-1, keepdim=True).values
    mixed = base + weight * assistant.masked_fill(unlikely, 0.0)
    return mixed.masked_fill(unlikely, -torch.inf) if filtered else mixed


def first_layers(model: Any, count: int) -> Any:
    """A model of the first `count` blocks, that shares the weights of the whole one."""
    whole = blocks(model)
    shared: dict[int, Any] = {id(parameter): parameter for parameter in model.parameters()}
    shared[id(whole)] = nn.ModuleList(copy.deepcopy(block, shared) for block in whole[:count])
    short = copy.deepcopy(model, shared)
    settings = short.config.get_text_config()
    settings.num_hidden_layers = count
    if getattr(settings, "layer_types", None):
        settings.layer_types = settings.layer_types[:count]
    return short


class Assisted:
    """Base and assistant as one model: `model(**inputs).logits` and `model.generate(...)`.

    The assistant keeps a cache of its own; published code hands both models the same one.
    Greedy and sampled decoding; no beams, which would have to reorder the cache.
    """

    def __init__(self, base: Any, assistant: Any, weight: float, tau: float) -> None:
        self.base = base
        self.assistant = assistant
        self._weight = weight
        self._tau = tau
        self.config = base.config
        self.generation_config = base.generation_config
        self.training = False

    def __call__(self, **inputs: Tensor) -> Any:
        """Teacher-forced scores; unlikely tokens keep the base's, so that losses stay finite."""
        base, assistant = self.base(**inputs).logits, self.assistant(**inputs).logits
        scores = combined(base, assistant, self._weight, self._tau, filtered=False)
        return SimpleNamespace(logits=scores)

    def generate(self, *, input_ids: Tensor, attention_mask: Tensor, **options: Any) -> Tensor:
        """As transformers' own, on prompts padded on the left."""
        off = _TakenOff(self.assistant, attention_mask, self._weight, self._tau)
        out: Tensor = self.base.generate(
            input_ids=input_ids, attention_mask=attention_mask, logits_processor=[off], **options
        )
        return out

    def parameters(self) -> Any:
        """The base's; they tell the device."""
        return self.base.parameters()

    def eval(self) -> Assisted:
        """Both in evaluation mode."""
        self.base.eval()
        self.assistant.eval()
        return self

    def train(self, mode: bool = True) -> Assisted:
        """Nothing here is trained; `mode` must be False. Raises `RuntimeError` otherwise."""
        if mode:
            raise RuntimeError("an assisted model is for decoding")
        return self.eval()


class _TakenOff:
    """A logits processor for one `generate` call."""

    def __init__(self, assistant: Any, mask: Tensor, weight: float, tau: float) -> None:
        self._assistant = assistant
        self._mask = mask
        self._weight = weight
        self._tau = tau
        self._cache: Any = None
        self._read = 0

    @torch.no_grad()
    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        grown = input_ids.shape[1] - self._mask.shape[1]
        mask = torch.cat([self._mask, self._mask.new_ones(len(self._mask), grown)], 1)
        new = input_ids[:, self._read :]
        out = self._assistant(
            input_ids=new,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp(min=0)[:, self._read :],
            past_key_values=self._cache,
            use_cache=True,
        )
        self._cache, self._read = out.past_key_values, input_ids.shape[1]
        return combined(scores, out.logits[:, -1].to(scores), self._weight, self._tau)


def save_assistant(assistant: Any, folder: Path, layers: int, weight: float, tau: float) -> None:
    """A PEFT adapter of the short model, and what decoding must know."""
    assistant.save_pretrained(folder)
    settings = {"layers": layers, "weight": weight, "tau": tau}
    (folder / SETTINGS).write_text(json.dumps(settings), "utf-8")


def load_assisted(base: Any, folder: Path) -> Assisted:
    """The base with the assistant of `guard distil`'s result. Raises `DistilError`."""
    from peft import PeftModel

    try:
        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        short = first_layers(base, int(settings["layers"]))
        assistant = PeftModel.from_pretrained(short, folder).eval()
        return Assisted(base, assistant, float(settings["weight"]), float(settings["tau"]))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise DistilError(f"{folder} holds no assistant of this model: {error}") from error
