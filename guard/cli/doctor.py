"""`guard doctor`: what a model server leaks or lacks, and the flag that mends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from guard.cli.progress import progress_bars
from guard.config import UpstreamSettings
from guard.doctor import Finding, Level, Patient, examine
from guard.engine.canary import ask
from guard.errors import ConfigError, EngineError, UpstreamError, UpstreamGarbage
from guard.restrict.shelf import Shelf
from guard.settings_file import load_settings
from guard.upstream import Upstream, UpstreamOptions

_COLOURS: dict[Level, str] = {
    "ok": "green",
    "note": "cyan",
    "warning": "yellow",
    "problem": "bold red",
}


def doctor(
    upstream: Annotated[str, typer.Option(help="Base address of the model server, without /v1.")],
    shelf: Annotated[
        Path | None,
        typer.Option(help="Directory shared with the model server's plugin (its GUARD_SHELF)."),
    ] = None,
    reroute: Annotated[
        str | None,
        typer.Option(help="Base address of the server that reroute.url names, without /v1."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model to ask; the first that is served when left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    timeout: Annotated[float, typer.Option(min=1.0, help="Seconds to wait for an answer.")] = 60.0,
) -> None:
    """Examine a model server: what it leaks or lacks, and the flag that mends it.

    A key for it is taken from GUARD_UPSTREAM_API_KEY, for --reroute from GUARD_REROUTE_API_KEY.
    Exit code 0: all fine; 1: a warning or a problem was found; 2: wrong use, or the server cannot
    be reached.

    Example: guard doctor --upstream http://127.0.0.1:8000 --shelf /var/lib/guard/shelf
    """
    try:
        loaded = load_settings(None, upstream=upstream)
        settings = loaded.upstream
        if reroute is not None and not reroute.startswith(("http://", "https://")):
            raise ConfigError("--reroute must begin with http:// or https://")
        if shelf is not None and not shelf.is_dir():
            raise EngineError(f"the shelf {shelf} is not a directory")
        options = UpstreamOptions(settings.url, settings.api_key, first_byte=timeout)
        second = reroute and replace(
            options, url=UpstreamSettings(url=reroute).url, api_key=loaded.reroute.api_key
        )
        with progress_bars() as progress:
            asked, found = asyncio.run(_examined(options, second or None, shelf, model, progress))
    except UpstreamError as error:
        typer.echo(f"{upstream}: {error.message}", err=True)
        raise typer.Exit(2) from None
    except (ConfigError, EngineError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if as_json:
        rows = [finding.as_row() for finding in found]
        said = {"upstream": settings.url, "model": asked, "findings": rows}
        typer.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(found)
    raise typer.Exit(1 if any(finding.is_bad for finding in found) else 0)


async def _examined(
    options: UpstreamOptions,
    reroute: UpstreamOptions | None,
    shelf: Path | None,
    model: str | None,
    progress: Callable[[str, int, int], None],
) -> tuple[str, list[Finding]]:
    """The model that was asked and what was found. Raises UpstreamError, EngineError."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Upstream(options))
        listed = await ask(client, "/v1/models")
        try:
            models = tuple(dict(model) for model in listed["data"])
            asked = model or str(models[0]["id"])
        except (KeyError, IndexError, TypeError, ValueError):
            raise UpstreamGarbage("the model server lists no model") from None
        second = None if reroute is None else await stack.enter_async_context(Upstream(reroute))
        patient = Patient(client, asked, models, None if shelf is None else Shelf(shelf), second)
        return asked, await examine(patient, progress)


def _show(found: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("check", "level", "seen", "what mends it"):
        table.add_column(title, overflow="fold")
    for finding in found:
        colour = _COLOURS[finding.level]
        level = f"[{colour}]{finding.level}[/{colour}]"
        table.add_row(finding.check, level, escape(finding.seen), escape(finding.mend or ""))
    Console().print(table)
