"""`guard compare`: ways to forget side by side, in one report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from guard.cli.progress import progress_bars
from guard.errors import GuardError


def compare(
    out: Annotated[Path, typer.Option(help="Folder of the report and of the answers' cache.")],
    config: Annotated[
        Path | None, typer.Option(help="Arms, suites and attacks (YAML); see docs/comparing.md.")
    ] = None,
    tiny: Annotated[
        bool,
        typer.Option(
            "--tiny",
            help="Compare on a tiny model that is trained here on an invented corpus (minutes); "
            "starts vLLM and guards in front of it.",
        ),
    ] = False,
    people: Annotated[
        int, typer.Option(min=8, help="With --tiny: how many people are invented.")
    ] = 14,
    seed: Annotated[int, typer.Option(help="With --tiny: of the corpus and of the model.")] = 0,
    attack_rows: Annotated[
        int, typer.Option(min=1, help="With --tiny: questions a part under each attack.")
    ] = 4,
    show_leaks: Annotated[
        bool, typer.Option("--show-leaks", help="Leaked texts in clear, not blacked out.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Compare ways to forget: what each forgets, keeps, leaks under attack and costs.

    Writes report.html and report.json. A run that was ended goes on where it was; a later one
    shows the earlier runs beside it. Exit code 1: the undefended model knew too little everywhere,
    so nothing could be compared.

    Example: guard compare --tiny --out comparison
    """
    from guard.demo.process import signals_end_the_block
    from guard.evaluate.answers import Answers
    from guard.evaluate.building import plan_of
    from guard.evaluate.compare import compare as run
    from guard.evaluate.provenance import command_line
    from guard.evaluate.report import PAGE, write_report
    from guard.evaluate.settings import load_compare_settings
    from guard.evaluate.tiny_comparison import tiny_plan

    if (config is None) == (not tiny):
        typer.echo("give either --config or --tiny", err=True)
        raise typer.Exit(2)
    try:
        # A run that is told to end takes its servers with it.
        with signals_end_the_block(), progress_bars() as progress:
            if config is not None:
                planned = plan_of(load_compare_settings(config), config.parent)
            else:
                planned = tiny_plan(
                    out, people=people, seed=seed, attack_rows=attack_rows, step=progress
                )
            with planned as plan:
                result = run(plan, Answers(out / "answers", progress), progress)
        data = write_report(out, result, command=command_line(), show_leaks=show_leaks)
    except GuardError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if as_json:
        summary = {"report": str(out / PAGE), "summary": data["summary"]}
        typer.echo(orjson.dumps(summary, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(data["summary"])
        typer.echo(f"The report is in {out / PAGE}")
    raise typer.Exit(0 if any(cell["signal"] for cell in data["cells"]) else 1)


def _show(summary: list[dict[str, object]]) -> None:
    heads = ("attacker", "rank", "way", "leaks at worst", "kept")
    table = Table(*heads, box=None, pad_edge=False)
    for line in summary:
        worst, kept = line["worst"], line["kept"]
        leak = f"{worst['value']:.0%}" if isinstance(worst, dict) else "-"
        known = f"{kept:.0%}" if isinstance(kept, float) else "-"
        rank = str(line["rank"] or ("control" if line["control"] else "-"))
        table.add_row(str(line["attacker"]), rank, str(line["arm"]), leak, known)
    Console().print(table)
