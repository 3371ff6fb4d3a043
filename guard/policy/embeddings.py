"""The unlearn store: what a policy forgets as embeddings alone, without a word of it.

One JSON object: `format`, the encoder's `model`, `dimension`, and `rows`, base64 of half-precision
numbers, little end first. As DRAGON keeps private records (arXiv 2511.05784, section 4): embeddings
of the forgotten prompts, never of what answered them.
"""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path

import numpy as np

from guard.errors import PolicyError, Problem
from guard.policy.compiled import Embeddings
from guard.policy.files import read_text

FORMAT = "guard-embeddings-1"
MAX_BYTES = 2_000_000_000
_BYTES = 2  # of a number


def read_embeddings(path: Path) -> Embeddings:
    """The embeddings of a file. Raises PolicyError, with a single problem."""
    try:
        content = json.loads(read_text(path, limit=MAX_BYTES))
        if content["format"] != FORMAT:
            raise ValueError
        rows = base64.b64decode(content["rows"], validate=True)
        held = Embeddings(content["model"], content["dimension"], rows)
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError):
        message = "is not a file of embeddings; make one with `guard embed`"
        raise PolicyError([Problem(str(path), 0, "", message)]) from None
    width = held.dimension * _BYTES if type(held.dimension) is int else 0
    whole = isinstance(held.model, str) and width > 0 and rows and len(rows) % width == 0
    if not whole or not np.isfinite(np.frombuffer(rows, "<f2")).all():
        raise PolicyError([Problem(str(path), 0, "", "holds no whole embeddings")])
    return held


def write_embeddings(path: Path, held: Embeddings) -> None:
    """Raises OSError."""
    rows = base64.b64encode(held.rows).decode()
    content = {"format": FORMAT, "model": held.model, "dimension": held.dimension, "rows": rows}
    path.write_text(json.dumps(content) + "\n", "utf-8")
