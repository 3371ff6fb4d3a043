"""The engine plugin: `--logits-processors guard.restrict.vllm_plugin:GuardLogitsProcessor`.

vLLM is imported when that name is asked for, so that the parts can be used where it is not.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "GuardLogitsProcessor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from guard.restrict.vllm_plugin.processor import GuardLogitsProcessor

    return GuardLogitsProcessor
