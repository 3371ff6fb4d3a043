"""The demo's talk on a terminal, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from guard.demo.talk import Answer, Turn


def show_turn(console: Console, turn: Turn) -> None:
    """One question: both answers beside each other, what was decided, and the times."""
    table = Table(
        title=escape(turn.question.text), title_justify="left", title_style="bold", expand=True
    )
    for heading in ("asked directly", "through the guard"):
        table.add_column(heading, ratio=1)
    guarded = escape(turn.guarded.text.strip()) or "[dim](nothing came out)[/dim]"
    if turn.guarded.text != turn.direct.text:
        guarded = f"[yellow]{guarded}[/yellow]"
    table.add_row(escape(turn.direct.text.strip()), guarded)
    table.add_row(_times(turn.direct), _times(turn.guarded), style="dim")
    table.caption = escape(_reason(turn))
    table.caption_justify = "left"
    console.print(table)
    console.print()


def show_end(console: Console, turns: Sequence[Turn], faults: Sequence[str]) -> None:
    """The verdict on the whole talk."""
    if not faults:
        forgotten = sum(turn.question.forgotten for turn in turns)
        console.print(
            f"[green]Forgotten[/green] in {forgotten} of {forgotten} questions about it; "
            f"{len(turns) - forgotten} benign answers came through word for word."
        )
    for fault in faults:
        console.print(f"[red]{escape(fault)}[/red]")


def show_use(console: Console, guard_url: str, policy: Path) -> None:
    """How to go on by oneself."""
    console.print("\nIt keeps serving. Point any OpenAI client at it:")
    console.print(f"  export OPENAI_BASE_URL={guard_url}/v1", highlight=False, soft_wrap=True)
    console.print(
        f"Edit {escape(str(policy))} (its names, prompts or message) and ask again: "
        "the next request obeys. Ctrl-C ends the demo.",
        highlight=False,
        soft_wrap=True,
    )


def _times(answer: Answer) -> str:
    return f"first text {answer.first:.0f} ms, all {answer.total:.0f} ms"


def _reason(turn: Turn) -> str:
    decision = turn.decision
    if decision.flagged and decision.signal:
        return f"{turn.outcome}; by {decision.signal}, score {decision.score:.2f}"
    return turn.outcome
