"""A comparison as a page for people and as JSON for programs, in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from guard.errors import EvaluateError
from guard.evaluate.compare import Comparison
from guard.evaluate.report.data import report_data
from guard.evaluate.report.page import page, pictures

PAGE, DATA = "report.html", "report.json"

__all__ = ["DATA", "PAGE", "report_data", "write_report"]


def write_report(
    folder: Path, result: Comparison, *, command: str, show_leaks: bool = False
) -> dict[str, Any]:
    """Writes the page, its pictures and the JSON, and gives back the last.

    An earlier report there becomes rows of this one.

    Raises EvaluateError where the folder cannot be written.
    """
    data = report_data(
        result, command=command, show_leaks=show_leaks, earlier=_earlier(folder / DATA)
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = page(result, data)
        (folder / PAGE).write_text(written, "utf-8")
        for name, picture in pictures(result).items():
            (folder / f"{name}.svg").write_text(picture + "\n", "utf-8")
        (folder / DATA).write_bytes(orjson.dumps(data) + b"\n")
    except OSError as error:
        raise EvaluateError(f"{folder}: {error}") from error
    return data


def _earlier(path: Path) -> list[dict[str, Any]]:
    """Earlier runs, then the last one. A file that is no report is left out."""
    try:
        last = orjson.loads(path.read_bytes())
        run = {
            "date": last["provenance"]["date"],
            "hash": last["hash"],
            "summary": last["summary"],
        }
        return [*last["earlier"], run]
    except (OSError, ValueError, LookupError, TypeError):
        return []
