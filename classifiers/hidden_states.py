"""GUARD's features of a prompt: what the served model itself makes of it.

The mean over a prompt's tokens of the hidden states of the last layer but one, of the frozen model
(GUARD, arXiv 2505.13312, section on prompt classification). Faithful: layer and mean, no gradient.
In its spirit: a token that only marks the beginning is read but not counted in the mean, since in
many models its state is a hundred times as long as any other; a long prompt is read in overlapping
windows of at most 512 tokens, where the method cuts it off there.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.content import folder_digest
from classifiers.encoder import Vectors
from classifiers.errors import EncoderUnavailable, TooManyTokens
from classifiers.optional import optional
from classifiers.windows import TextChunk, windows

LAYER = -2  # the last but one of those that transformers returns
WINDOW = 512  # tokens, markers not counted
OVERLAP = 64
DIGEST = 12  # hexadecimal digits of the weights' hash in a name
_HASHED = ("config.json", "tokenizer.json", "*.safetensors")


class HiddenStates:
    """A causal language model in a transformers folder, as an encoder whose vectors are not
    normalised. `max_batch`: texts at once.

    Runs in float32 on the processor with torch; nothing is downloaded and no code of the model's
    own is run. Raises EncoderUnavailable without torch and transformers, and where the folder
    holds no model that they can read. Callable from any thread.
    """

    def __init__(self, folder: Path, *, max_batch: int = 8) -> None:
        torch, transformers = optional("torch"), optional("transformers")
        transformers.utils.logging.disable_progress_bar()
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True
            )
            self._model = transformers.AutoModel.from_pretrained(
                str(folder), local_files_only=True, use_safetensors=True, dtype=torch.float32
            ).eval()
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise EncoderUnavailable(
                f"{folder} holds no model that can be read ({reason})"
            ) from error
        if not self._tokenizer.is_fast:
            raise EncoderUnavailable(f"{folder} has no fast tokenizer (tokenizer.json)")
        self.name = (
            f"{folder.resolve().name}@{folder_digest(folder, _HASHED)[:DIGEST]}/hidden{LAYER}"
        )
        config = self._model.config.get_text_config()
        self.dimension = int(config.hidden_size)
        # A window that begins inside a word may take more tokens alone than it did in its text.
        self.max_tokens = min(2 * WINDOW, int(config.max_position_embeddings))
        self._window = self.max_tokens // 2
        self._max_batch = max_batch
        self._lock = threading.Lock()  # torch would run several at once on the same cores

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 (n, hidden size), in the order of `texts`. Raises TooManyTokens for a text over
        `max_tokens`: cut it with `windows` first."""
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        found = self._tokenizer(list(texts), return_special_tokens_mask=True)
        rows, markers = found["input_ids"], found["special_tokens_mask"]
        longest = max(map(len, rows), default=0)
        if longest > self.max_tokens:
            raise TooManyTokens(longest, self.max_tokens)
        vectors = np.zeros((len(rows), self.dimension), dtype=np.float32)
        # A text without a token, not even a marker, has nothing to be the mean of.
        order = sorted((i for i, row in enumerate(rows) if row), key=lambda i: len(rows[i]))
        for first in range(0, len(order), self._max_batch):
            batch = order[first : first + self._max_batch]
            vectors[batch] = self._means([rows[i] for i in batch], [markers[i] for i in batch])
        return vectors

    def windows(self, text: str) -> list[TextChunk]:
        """Overlapping windows by the model's own tokens, markers not counted."""
        found = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        overlap = min(OVERLAP, self._window // 4)
        return windows(text, found["offset_mapping"], size=self._window, overlap=overlap)

    def _means(self, rows: Sequence[Sequence[int]], markers: Sequence[Sequence[int]]) -> Vectors:
        torch = optional("torch")
        width = max(1, *map(len, rows))
        ids = torch.zeros((len(rows), width), dtype=torch.long)
        # By lengths, never by ids: padding may be the token that ends a text.
        seen, counted = torch.zeros_like(ids), torch.zeros((len(rows), width))
        for place, (row, marks) in enumerate(zip(rows, markers, strict=True)):
            ids[place, : len(row)] = torch.tensor(row, dtype=torch.long)
            seen[place, : len(row)] = 1
            own = [0.0 if mark else 1.0 for mark in marks]
            # A text without a token of its own is what its markers are.
            counted[place, : len(row)] = torch.tensor(own if any(own) else [1.0] * len(row))
        with self._lock, torch.inference_mode():
            states: Any = self._model(
                input_ids=ids, attention_mask=seen, output_hidden_states=True, use_cache=False
            ).hidden_states[LAYER]
            sums = (states * counted.unsqueeze(-1)).sum(1)
            means: Vectors = (sums / counted.sum(1, keepdim=True).clamp(min=1.0)).numpy()
        return means
