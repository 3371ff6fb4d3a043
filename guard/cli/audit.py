"""`guard audit`: read the audit log. Exit codes: 0 whole, 1 broken, 2 wrong use."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer

from guard.audit_check import Checked, check_log

app = typer.Typer(
    name="audit", help="Check the audit log.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("verify", epilog="Example: guard audit verify /var/lib/guard/audit.jsonl")
def verify_command(
    file: Annotated[Path, typer.Argument(help="The audit log, JSON Lines.")],
    noted: Annotated[
        str | None,
        typer.Option(help="A hash that you noted earlier: without it the end may be cut off."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check that no record was changed, taken out, put in or moved.

    Exits with 0 when the log is whole, 1 when it is not, 2 when it cannot be read. A last line
    without its end is what a crash leaves: it was never acknowledged, and the next start cuts it.
    """
    try:
        checked = check_log(file, noted)
    except OSError as error:
        typer.echo(f"{file}: {error.strerror}", err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(orjson.dumps({**asdict(checked), "whole": checked.whole}).decode())
    else:
        for line in _told(checked):
            typer.echo(line)
    if not checked.whole:
        raise typer.Exit(1)


def _told(checked: Checked) -> list[str]:
    span = "" if checked.first_time is None else f", {checked.first_time} to {checked.last_time}"
    lines = [f"{checked.records} good records{span}", f"last hash: {checked.last}"]
    if checked.unfinished:
        lines.append("the last line is unfinished: a crash; it was never acknowledged")
    if checked.broken is not None:
        lines.append(f"BROKEN: line {checked.broken} is not the record that followed")
    elif checked.noted is False:
        lines.append("BROKEN: no record has the noted hash; the end was cut off, or all of it")
    if checked.whole:
        lines.append("whole")
    return lines
