"""`guard check`: judge rows of prompts and outputs without a model server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TextIO

import orjson
import typer

from guard.check import Checker
from guard.cli.encoder import EncoderOption, HeadOption
from guard.cli.progress import progress_bars
from guard.config import DetectSettings
from guard.errors import DetectorError, GuardError, PolicyError
from guard.policy import load_policy_set


def check(
    policies: Annotated[Path, typer.Option(help="Directory of forget policies (*.yaml).")],
    rows: Annotated[
        Path, typer.Option("--in", help='JSON Lines: {"id", "prompt" | "messages" | "output"}.')
    ],
    out: Annotated[Path, typer.Option("--out", help="Where the verdicts go, in the same order.")],
    encoder: EncoderOption = None,
    head: HeadOption = None,
) -> None:
    """Judge each row by the policies: would the guard flag or filter it?

    Exit code 0: nothing was flagged; 1: something was; 2: wrong use.

    Example: guard check --policies policies --in rows.jsonl --out verdicts.jsonl
    """
    try:
        lines = rows.read_bytes().splitlines()
        with progress_bars() as progress:
            found = load_policy_set(policies, progress=progress)
            detect = DetectSettings(encoder=encoder, head=head)
            with (
                Checker.build(found, detect=detect, progress=progress) as checker,
                out.open("w") as target,
            ):
                flagged = 0
                for number, line in enumerate(lines, start=1):
                    flagged += _one(checker, rows, number, line, target)
                    progress("checking", number, len(lines))
    except (PolicyError, DetectorError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(1 if flagged else 0)


def _one(checker: Checker, rows: Path, number: int, line: bytes, target: TextIO) -> bool:
    if not line.strip():
        return False
    try:
        row: Any = orjson.loads(line)
        if not isinstance(row, dict):
            raise TypeError
        result = checker.check(row)
    except (orjson.JSONDecodeError, TypeError):
        typer.echo(f"{rows}:{number}: not a JSON object", err=True)
        raise typer.Exit(2) from None
    except GuardError as error:
        typer.echo(f"{rows}:{number}: {error}", err=True)
        raise typer.Exit(2) from None
    target.write(orjson.dumps(result.as_row(row.get("id"))).decode() + "\n")
    return result.flagged
