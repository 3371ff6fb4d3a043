"""`--set KEY=VALUE`, the values as YAML."""

from __future__ import annotations

from typing import Any

import typer
import yaml


def key_values(overrides: list[str]) -> dict[str, Any]:
    """The pairs by key. Raises `typer.BadParameter`."""
    values: dict[str, Any] = {}
    for pair in overrides:
        key, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"--set {pair}: must be KEY=VALUE")
        try:
            values[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise typer.BadParameter(f"--set {pair}: the value is not YAML") from None
    return values
