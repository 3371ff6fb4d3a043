"""The corpus: what is disguised how, and what only looks like it. One JSON object a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

FOLDER = Path(__file__).parent
NAME = "Harry Potter"
# What a policy about him lists: a translation and a description are names like any other.
ALIASES = ("the boy who lived",)
SPELLINGS = "29 spellings"  # the family that other guardrails were measured on


def corpus() -> list[dict[str, Any]]:
    """Rows with `id`, `family`, `source`, `text`, `target`, and `expect`: stopped or passes."""
    return _read("corpus.jsonl")


def benign() -> list[dict[str, Any]]:
    """Rows with `id`, `family` and `text`, which must pass byte for byte."""
    return _read("benign.jsonl")


def _read(name: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (FOLDER / name).read_bytes().splitlines()]
