"""`guard`: one file a command."""

from __future__ import annotations

import typer

from guard import __version__
from guard.cli.check import check
from guard.cli.demo import demo
from guard.cli.doctor import doctor
from guard.cli.policy import app as policy
from guard.cli.serve import serve

app = typer.Typer(
    name="guard",
    help="An OpenAI-compatible proxy that makes a deployed language model forget.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve)
app.command()(check)
app.command()(demo)
app.command()(doctor)
app.add_typer(policy, name="policy")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"guard {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", help="Print the version.", callback=_version, is_eager=True
    ),
) -> None:
    """An OpenAI-compatible proxy that makes a deployed language model forget."""


def main() -> None:
    """The console script."""
    app()
