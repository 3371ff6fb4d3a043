"""Requests whose input is one item or block, whatever it is."""

from __future__ import annotations

from typing import Any


def item(**fields: Any) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": "hi"}, fields]}


def block(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [fields]}]}
