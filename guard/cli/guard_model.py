"""`guard detector guard-model`: fine-tune what writes the instructions of `action: reason`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from guard.cli.overrides import key_values
from guard.cli.progress import progress_bars
from guard.errors import GuardError


def guard_model(
    model: Annotated[Path, typer.Option(help="Folder of a causal model.")],
    out: Annotated[Path, typer.Option(help="Folder for the result; must not exist.")],
    writer: Annotated[
        str | None,
        typer.Option(help="A model server, without /v1, to write the instructions; else rules do."),
    ] = None,
    writer_model: Annotated[str | None, typer.Option(help="The model to ask there.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Train and write all weights, in place of an adapter.")
    ] = False,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE: changes a setting, as train.batch=16."),
    ] = None,
    chat_template: Annotated[
        Path | None,
        typer.Option(help="A Jinja file, where the tokenizer has no template; serve with it too."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of data and training.")] = 0,
    device: Annotated[str, typer.Option(help="auto or cpu.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the card as JSON.")] = False,
) -> None:
    """Fine-tune a model to write the instructions of `action: reason`, from invented data alone.

    As in DRAGON: questions about people who don't exist, each with an instruction that says what is
    asked, what the policy covers and how to answer. Instructions come from rules, or from the model
    at --writer (its key: GUARD_MODEL_API_KEY); only those are learned that the server would let
    pass. The card in OUT has hashes, settings, and figures on held-out people and wordings before
    and after. A run that was cut off goes on when the same command is given again.

    Exit code 0: written; 2: wrong use, or no such server.
    """
    if (writer is None) != (writer_model is None):
        raise typer.BadParameter("--writer and --writer-model belong together")
    run = {"model": model, "out": out, "device": device, "chat_template": chat_template}
    values: dict[str, Any] = {"data.seed": seed, "train.full": full}
    try:
        card = _run(key_values(overrides or []) | values, run, writer, writer_model)
    except ImportError as error:
        typer.echo(f"{error}: pip install 'guard-forget[distil]'", err=True)
        raise typer.Exit(2) from None
    except GuardError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo("Interrupted; the same command goes on from the last checkpoint.", err=True)
        raise typer.Exit(2) from None
    if os.environ.get("RANK", "0") == "0":  # `accelerate launch` starts several
        _print_card(card, out, as_json)


def _run(
    values: dict[str, Any], run: dict[str, Any], writer: str | None, writer_model: str | None
) -> dict[str, Any]:
    """`run`: what `Options` takes."""
    from guard.reasoning.training.run import Options
    from guard.reasoning.training.run import guard_model as make
    from guard.reasoning.training.settings import read_settings
    from guard.reasoning.training.writer import model_writer

    data, sft = read_settings(values)
    if writer is not None and writer_model is not None:
        key = os.environ.get("GUARD_MODEL_API_KEY")
        run |= {"writer": model_writer(writer, writer_model, key), "writer_name": writer_model}
    with progress_bars() as progress:
        run |= {
            "progress": progress,
            "report": lambda now: progress("training", now.step, now.total),
        }
        return make(data, sft, Options(**run))


def _print_card(card: dict[str, Any], out: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(card, indent=2))
        return
    typer.echo(f"{card['form']} written to {out}")
    before, after = card["held_out"]["before"], card["held_out"]["after"]
    for name in after:
        typer.echo(f"  {name}: {before[name]} before, {after[name]} after")
