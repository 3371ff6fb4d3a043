"""`guard evaluate`: evidence for one forget request, and figures from recorded logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from guard.errors import EvaluateError, GuardError

app = typer.Typer(
    help="Measure what is forgotten and what is kept.",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def evaluate(
    context: typer.Context,
    policy: Annotated[
        str | None, typer.Option(help="Name of the policy that evidence is wanted for.")
    ] = None,
    policies: Annotated[
        Path | None, typer.Option(help="Directory of forget policies that the guard obeys.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Base address of the guard, without /v1.")] = None,
    direct: Annotated[
        str | None, typer.Option(help="Base address of the model server, asked beside it.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model to ask; the first that is served when left out.")
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(help="File that holds an API key for the guard.")
    ] = None,
    probes: Annotated[
        int | None, typer.Option(min=1, help="Ask so many of the questions; all when left out.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the draw of questions.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the page and its JSON.")] = Path("evidence"),
    show_leaks: Annotated[
        bool, typer.Option("--show-leaks", help="Leaked texts in clear, not blacked out.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the evidence as JSON.")] = False,
) -> None:
    """Evidence for one forget request: asked in many ways through the guard, what leaked?

    Writes one page (NAME.html) and its data (NAME.json) with an upper bound, the policy's hash and
    the command that repeats it. The guard must obey exactly these policies. Exit code 0: nothing
    leaked; 1: something did, or no leak could have been seen; 2: wrong use, or a server failed.

    Example: guard evaluate --policy withdrawn-author --policies policies --url http://127.0.0.1:8080
    """
    if context.invoked_subcommand is not None:
        return
    if policy is None or policies is None or url is None:
        typer.echo("give --policy, --policies and --url, or a command; see --help", err=True)
        raise typer.Exit(2)
    from guard.evaluate.certificate import verdict
    from guard.evaluate.certificate.command import Question, evidence

    question = Question(policy, policies, url, direct, model, api_key_file, probes, seed)
    try:
        data = evidence(question, out, show_leaks=show_leaks)
    except (GuardError, ValueError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())
    else:
        typer.echo(f"{verdict(data)} {out / policy}.html")
    raise typer.Exit(0 if data["counted"] and not data["leaked"] else 1)


@app.command("tofu-logs")
def tofu_logs(
    model_log: Annotated[
        Path, typer.Option(help="Evaluation log of the model, as TOFU writes it.")
    ],
    retain_log: Annotated[
        Path, typer.Option(help="The same of a model trained without the forget set.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Forget quality and model utility from two logs in TOFU's format.

    Truth ratios are those of TOFU's own aggregation (`legacy-aggregate`). Forget quality is a
    p-value: the higher, the less the model differs from one that never saw the forget set.

    Example: guard evaluate tofu-logs --model-log full.json --retain-log retain90.json --json
    """
    from guard.evaluate.tofu_logs import TofuLog

    try:
        model, retain = TofuLog(model_log), TofuLog(retain_log)
        quality = model.quality_against(retain)
    except EvaluateError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    figures = {
        "forget_quality": quality.p,
        "ks_statistic": quality.statistic,
        "model_utility": model.utility(),
        "retain_model_utility": retain.utility(),
    }
    if as_json:
        typer.echo(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode())
        return
    table = Table("figure", "value", box=None, pad_edge=False)
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), f"{value:.6g}")
    Console().print(table)
