"""Reads the settings file: every mistake with its file, line, key and the allowed keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from guard.config import Settings, UpstreamSettings
from guard.errors import ConfigError, PolicyError
from guard.policy.source import validated
from guard.policy.yaml_tree import read_tree


def load_settings(
    path: Path | None, *, upstream: str | None = None, shelf: Path | None = None
) -> Settings:
    """Defaults, then the file, then the keys in the environment and the command line.

    Raises ConfigError with every problem of the file.
    """
    try:
        settings = Settings() if path is None else validated(read_tree(path), Settings)
    except PolicyError as error:
        raise ConfigError(str(error)) from None
    over: dict[str, Any] = {}
    if upstream is not None:
        if not upstream.startswith(("http://", "https://")):
            raise ConfigError("--upstream must begin with http:// or https://")
        over["url"] = UpstreamSettings(url=upstream).url
    if key := os.environ.get("GUARD_UPSTREAM_API_KEY"):
        over["api_key"] = key
    changed: dict[str, Any] = {}
    if over:
        changed["upstream"] = settings.upstream.model_copy(update=over)
    if key := os.environ.get("GUARD_MODEL_API_KEY"):
        changed["guard_model"] = settings.guard_model.model_copy(update={"api_key": key})
    if key := os.environ.get("GUARD_REROUTE_API_KEY"):
        changed["reroute"] = settings.reroute.model_copy(update={"api_key": key})
    if shelf is not None:
        changed["engine"] = settings.engine.model_copy(update={"shelf": shelf})
    return settings.model_copy(update=changed)
