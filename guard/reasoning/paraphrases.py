"""Other wordings of forgotten prompts, written by a model and held against the original."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from classifiers import Encoder
from guard.policy import Embeddings
from guard.reasoning.candidates import candidates as several
from guard.upstream import UpstreamOptions

CANDIDATES = 4
"""Wordings of one prompt, of which the nearest is kept (DRAGON, arXiv 2511.05784, section 4)."""
_TOKENS = 128
_SECONDS = 120.0  # until the answer to one prompt
_HALF = "<f2"

Write = Callable[[str], Sequence[str]]
"""Wordings of a prompt."""


def writer(url: str, model: str, api_key: str | None, candidates: int = CANDIDATES) -> Write:
    """A model at an OpenAI-compatible address (without `/v1`) that words prompts anew.

    What it returns raises UpstreamError when the server fails.
    """
    options = UpstreamOptions(url=url, api_key=api_key, first_byte=_SECONDS)

    async def asked(prompt: str) -> Sequence[str]:
        text = f"Ask the same in other words. Write the question alone.\n\n{prompt}"
        texts = await several(
            options, model, text, count=candidates, tokens=_TOKENS, least=candidates
        )
        return [one for one in texts if one != prompt]

    return lambda prompt: asyncio.run(asked(prompt))


def embedded(prompts: Sequence[str], encoder: Encoder, write: Write | None) -> Iterator[Embeddings]:
    """Each prompt as embeddings of its windows; with `write` those of its nearest other wording
    besides, which stands in the paper for the prompt itself."""
    for prompt in prompts:
        texts = [chunk.text for chunk in encoder.windows(prompt)]
        rows = encoder.encode(texts)
        others = write(prompt) if write is not None else ()
        if others:
            found = encoder.encode([encoder.windows(text)[0].text for text in others])
            nearest = int(np.argmax(found @ rows[0]))
            rows = np.concatenate([rows, found[nearest : nearest + 1]])
        model = encoder.name.partition("/")[0]
        yield Embeddings(model, encoder.dimension, rows.astype(_HALF).tobytes())
