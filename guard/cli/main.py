"""`guard`: one file a command."""

from __future__ import annotations

import typer

from guard import __version__
from guard.cli.audit import app as audit
from guard.cli.check import check
from guard.cli.compare import compare
from guard.cli.demo import demo
from guard.cli.detector import app as detector
from guard.cli.distil import distil
from guard.cli.doctor import doctor
from guard.cli.embed import embed
from guard.cli.evaluate import app as evaluate
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
app.command()(compare)
app.command()(demo)
app.command()(distil)
app.command()(doctor)
app.command()(embed)
app.add_typer(evaluate, name="evaluate")
app.add_typer(policy, name="policy")
app.add_typer(audit, name="audit")
app.add_typer(detector, name="detector")


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
