"""The detectors' sentence encoder for metrics: loaded at the first text, each text once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Meaning:
    """Called with texts, gives unit vectors (texts, 384), float32.

    Raises EncoderUnavailable where a package of the `detect` extra is missing.
    """

    def __init__(self) -> None:
        self._encode: object | None = None
        self._known: dict[str, NDArray[np.float32]] = {}

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors in the order of the texts, each cut to what the encoder reads at once."""
        from classifiers.encoder import MiniLM

        if not isinstance(self._encode, MiniLM):
            self._encode = MiniLM()
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            # Answers of a comparison are shorter than the window; a longer one counts by its
            # beginning, and one without a token by a full stop.
            cut = [
                windows[0].text if (windows := self._encode.windows(text)) else "."
                for text in missing
            ]
            vectors = self._encode.encode(cut)
            self._known.update(zip(missing, vectors, strict=True))
        return np.stack([self._known[text] for text in texts])
