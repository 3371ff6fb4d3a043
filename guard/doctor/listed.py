"""What a completion lists beside its first token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def first_listed(choice: Mapping[str, Any]) -> dict[str, float]:
    """Tokens and log-probabilities of the first place of an answer; empty where none are given."""
    try:
        (first, *_) = choice["logprobs"]["top_logprobs"]
        return {str(token): float(value) for token, value in first.items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
