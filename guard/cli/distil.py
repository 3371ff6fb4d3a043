"""`guard distil`: bake policies into weights by a published method."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from guard.cli.overrides import key_values
from guard.errors import GuardError, PolicyError

if TYPE_CHECKING:
    from guard.distil.trainer import OnReport, Report


def distil(
    policies: Annotated[
        Path | None, typer.Option(help="A policy file, or a directory of them.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Folder of the base model.")] = None,
    recipe: Annotated[str, typer.Option(help="A shipped recipe, or a YAML file.")] = "npo-kl",
    out: Annotated[Path | None, typer.Option(help="Folder for the result; must not exist.")] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE: changes a key of the recipe, as forget.beta=0.2."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    device: Annotated[str, typer.Option(help="auto or cpu.")] = "auto",
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Bake in policies of `mode: shadow` too.")
    ] = False,
    list_: Annotated[
        bool, typer.Option("--list", help="Print the recipes and every choice on every axis.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Turn forget policies into an adapter, or whole weights, that vLLM serves.

    A run that was cut off goes on when the same command is given again.

    Exit code 0: written; 1: stopped early, with what is within the retain budget; 2: wrong use.

    Example: guard distil --policies policies --model models/llama --recipe npo-kl --out adapter
    """
    try:
        if list_:
            _print_choices(as_json)
            return
        if policies is None or model is None or out is None:
            raise typer.BadParameter("give --policies, --model and --out (or --list)")
        run = {"model": model, "out": out, "seed": seed, "device": device, "shadow": shadow}
        card = _run(policies, recipe, key_values(overrides or []), as_json, run)
    except ImportError as error:
        typer.echo(f"{error}: pip install 'guard-forget[distil]'", err=True)
        raise typer.Exit(2) from None
    except (PolicyError, GuardError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo("Interrupted; the same command goes on from the last checkpoint.", err=True)
        raise typer.Exit(2) from None
    if _speaks():
        _print_card(card, out, as_json)
    raise typer.Exit(1 if "stopped" in card["outcome"] else 0)


def _run(
    policies: Path, recipe: str, overrides: dict[str, Any], quiet: bool, run: dict[str, Any]
) -> dict[str, Any]:
    """`run`: what `Options` takes."""
    from guard.distil.recipe import load_recipe
    from guard.distil.run import Options, distil
    from guard.policy import load_policy_set

    found, chosen = load_policy_set(policies), load_recipe(recipe, overrides)
    with _bar(quiet or not _speaks()) as report:
        return distil(found, chosen, Options(**run, report=report, warn=_warn))


def _print_card(card: dict[str, Any], out: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(card, indent=2))
        return
    typer.echo(f"{card['form']} written to {out}")
    for name, value in sorted(card["outcome"].items()):
        typer.echo(f"  {name}: {value}")


def _warn(warning: str) -> None:
    typer.echo(f"warning: {warning}", err=True)


def _speaks() -> bool:
    """Whether this is the process that prints: `accelerate launch` starts several."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def _bar(quiet: bool) -> Iterator[OnReport]:
    """One bar with losses, memory and time left, where somebody watches."""
    console = Console(stderr=True, quiet=quiet)
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bars:
        task = bars.add_task("", total=None)

        def report(now: Report) -> None:
            losses = " ".join(f"{name} {value:.3f}" for name, value in now.losses.items())
            memory, left = now.memory_bytes / 2**30, round(now.seconds_left)
            text = f"{losses} · {memory:.1f} GiB · {left // 60}:{left % 60:02d} left"
            bars.update(task, completed=now.step, total=now.total, description=text)

        yield report


def _print_choices(as_json: bool) -> None:
    from guard.distil.listing import listing

    found = listing()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    console = Console(soft_wrap=True)
    table = Table("recipe", "claim", "what it does", title="Recipes")
    for recipe in found["recipes"]:
        table.add_row(recipe["name"], recipe["claim"], recipe["description"])
    console.print(table)
    for axis, parts in found["axes"].items():
        table = Table("choice", "settings", "what it is", "source", title=axis)
        for part in parts:
            settings = ", ".join(f"{key}={value}" for key, value in part["settings"].items())
            table.add_row(part["name"], settings, part["summary"], part["source"])
        console.print(table)
