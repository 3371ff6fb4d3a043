"""Ordinary text that every machine with this project has: the prose of Python's documentation.

Paragraphs of docstrings of the standard library and of installed packages, without code, tables and
markup, in a fixed order.
"""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

_PROSE = re.compile(r"[A-Z][A-Za-z0-9,;:'\"()`/\-\s.]+[.!?]")
_QUOTED = re.compile('"""(.*?)"""', re.DOTALL)
_WORDS = 12  # a shorter paragraph is a label or a signature


def paragraphs() -> Iterator[str]:
    """One paragraph after another, each once."""
    seen: set[str] = set()
    paths = sysconfig.get_paths()
    library, installed = Path(paths["stdlib"]), Path(paths["purelib"])
    sources = [path for path in sorted(library.rglob("*.py")) if "site-packages" not in path.parts]
    sources += sorted(installed.rglob("*.py"))
    for source in sources:
        for text in _docstrings(source):
            for paragraph in text.split("\n\n"):
                flat = " ".join(paragraph.split())
                if len(flat.split()) >= _WORDS and _PROSE.fullmatch(flat) and flat not in seen:
                    seen.add(flat)
                    yield flat


def _docstrings(source: Path) -> list[str]:
    """What stands in triple quotes. A parser would be exact, and take a hundred times as long."""
    try:
        return _QUOTED.findall(source.read_text("utf-8"))
    except (UnicodeDecodeError, OSError):
        return []
