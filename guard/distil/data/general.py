"""General rows: everyday questions that ship with guard, none about anybody in particular."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from guard.distil.rows import Row, Side

_FILE = Path(__file__).with_name("general.yaml")


@cache
def general_rows() -> tuple[Row, ...]:
    """Shipped questions with short answers, written for this project."""
    pairs = yaml.safe_load(_FILE.read_text("utf-8"))
    return tuple(
        Row(
            side=Side.GENERAL,
            prompt=pair["prompt"],
            answer=pair["answer"],
            policy="",
            policy_hash="",
            source=f"general[{i}]",
            answered_by="project",
        )
        for i, pair in enumerate(pairs)
    )
