"""`guard compare`: ways to forget side by side, in one report."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from guard.cli.progress import progress_bars
from guard.errors import GuardError

if TYPE_CHECKING:
    from guard.evaluate.compare import Plan, Progress
    from guard.evaluate.fictional import Corpus
    from guard.evaluate.subjects import Subject


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
    teach: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|demo",
            help="Compare on this model, in the transformers layout, once it has been taught the "
            "invented corpus; `demo`: the model of the demo (270 M weights).",
        ),
    ] = None,
    chat_template: Annotated[
        Path | None,
        typer.Option(help="With --teach: a file, for a model whose tokenizer has none."),
    ] = None,
    people: Annotated[
        int, typer.Option(min=8, help="Without --config: how many people are invented.")
    ] = 12,
    seed: Annotated[
        int, typer.Option(help="Without --config: of the corpus and of the model.")
    ] = 0,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            help="Without --config: runs, each with the next seed, so another corpus and model; "
            "the report of each is in a folder of its own, beside seeds.html with mean and spread.",
        ),
    ] = 1,
    attack_rows: Annotated[
        int,
        typer.Option(min=1, help="Without --config: questions a part under each attack."),
    ] = 2,
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
    from guard.evaluate.building import plan_of
    from guard.evaluate.corpus_plan import corpus_plan
    from guard.evaluate.fictional import Corpus
    from guard.evaluate.provenance import command_line
    from guard.evaluate.report import PAGE
    from guard.evaluate.report.seeds import SEEDS_PAGE, write_seeds
    from guard.evaluate.settings import load_compare_settings

    if (config is not None) + tiny + (teach is not None) != 1:
        typer.echo("give one of --config, --tiny and --teach", err=True)
        raise typer.Exit(2)
    if config is not None and seeds > 1:
        typer.echo("--seeds goes with --tiny or --teach", err=True)
        raise typer.Exit(2)
    reports: dict[int, dict[str, Any]] = {}
    try:
        # A run that is told to end takes its servers with it.
        with signals_end_the_block(), progress_bars() as progress:
            for drawn in range(seed, seed + seeds):
                folder = out if seeds == 1 else out / f"seed-{drawn}"
                if config is not None:
                    planned = plan_of(load_compare_settings(config), config.parent)
                else:
                    corpus = Corpus(people, drawn)
                    subject = _subject(teach, chat_template, corpus, progress)
                    planned = corpus_plan(folder, corpus, subject, attack_rows=attack_rows)
                reports[drawn] = _run(planned, folder, progress, show_leaks)
        summary: Any = reports[seed]["summary"]
        if seeds > 1:
            summary = write_seeds(out, reports, command=command_line())
    except GuardError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    page = out / (PAGE if seeds == 1 else SEEDS_PAGE)
    if as_json:
        told = {"report": str(page), "summary": summary}
        typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(reports[seed]["summary"])
        typer.echo(f"The report is in {page}")
    known = all(any(cell["signal"] for cell in found["cells"]) for found in reports.values())
    raise typer.Exit(0 if known else 1)


def _subject(teach: str | None, template: Path | None, corpus: Corpus, step: Progress) -> Subject:
    """The model to compare on, which knows the corpus."""
    from guard.demo.model import CHAT_TEMPLATE, demo_model
    from guard.evaluate.subjects import taught_subject, tiny_subject

    if teach is None:
        return tiny_subject(corpus, step)
    if teach == "demo":
        return taught_subject(demo_model(), template or CHAT_TEMPLATE, corpus, step)
    return taught_subject(Path(teach), template, corpus, step)


def _run(
    planned: AbstractContextManager[Plan], out: Path, progress: Progress, show_leaks: bool
) -> dict[str, Any]:
    from guard.evaluate.answers import Answers
    from guard.evaluate.compare import compare as run
    from guard.evaluate.provenance import command_line
    from guard.evaluate.readings import Readings
    from guard.evaluate.report import write_report

    with planned as plan:
        readings = Readings(out / "readings")
        result = run(plan, Answers(out / "answers", progress), progress, readings)
    return write_report(out, result, command=command_line(), show_leaks=show_leaks)


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
