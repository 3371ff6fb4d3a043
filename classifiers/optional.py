"""Libraries of the `detect` extra: imported by what needs them, when it needs them."""

from __future__ import annotations

import importlib
from typing import Any

from classifiers.errors import EncoderUnavailable


def optional(module: str) -> Any:
    """Import `module`; raises EncoderUnavailable, with the way to install it, where missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise EncoderUnavailable(f"{error.name or module} is not installed") from error
