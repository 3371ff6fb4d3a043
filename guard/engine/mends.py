"""What mends an engine whose plugin is not proved: said by `guard doctor` and by `/readyz`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guard.engine.canary import Why

PROCESSED = "--logprobs-mode processed_logprobs"
FLAG = "--logits-processors guard.restrict.vllm_plugin:GuardLogitsProcessor"
MENDS: Mapping[Why, tuple[str, str]] = {
    "no_engine": (
        "no engine reports on the shelf: the plugin is not loaded, or has another shelf",
        f"start every vLLM with {FLAG} and GUARD_SHELF set to this directory; under the V1 runner "
        "speculative decoding drops processors: leave it off",
    ),
    "not_held": (
        "an engine does not hold what is on the shelf",
        "GUARD_SHELF_NODES larger, and the same directory for every rank",
    ),
    "off": (
        "an engine ignores the canary: its plugin is off, or it has none",
        f"start every replica with {FLAG}; leave speculative decoding off under the V1 runner",
    ),
    "unproved": (
        "not every engine has been seen to obey the canary",
        "try again once every replica listens; a model that says no letter cannot be proved",
    ),
    "unreachable": ("no answer to a completion", "serve /v1/completions"),
    "shelf": ("the shelf cannot be used", "let the guard and the engines write to it"),
}


def shows_banned(mode: Any) -> bool:
    """Whether an engine lists banned tokens with their own log-probabilities, in the mode that it
    reports (None where it reports none)."""
    return mode is not None and not str(mode).startswith("processed")
