"""`guard policy`: lint, explain, schema, test. Exit codes: 0 done, 1 found something, 2 misuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from guard.cli.encoder import EncoderOption, HeadOption
from guard.cli.policy_explain import describe, panel
from guard.cli.policy_tests import TestRow, run_tests
from guard.config import DetectSettings
from guard.errors import GuardError, PolicyError, Problem
from guard.policy import PolicySet, lint, load_policy_set, policy_reference, policy_schema
from guard.policy import Progress as OnProgress

app = typer.Typer(
    name="policy",
    help="Check, explain and test forget policies before they go live.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PathArgument = Annotated[
    Path, typer.Argument(exists=True, readable=True, help="A policy file, or a directory of them.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
NameOption = Annotated[str | None, typer.Option("--policy", help="Only the policy of this name.")]

_FOUND = 1


@app.command("lint", epilog="Example: guard policy lint policies/")
def lint_command(path: PathArgument, as_json: JsonOption = False) -> None:
    """List every error and warning with its file, line and key.

    Exits with 0 when there are at most warnings, 1 with errors, 2 when the path is wrong.
    """
    with _progress(as_json) as progress:
        problems = lint(path, today=_today(), progress=progress)
        if not any(problem.level == "error" for problem in problems):
            problems += _pattern_problems(load_policy_set(path, progress=progress))
    errors = sum(problem.level == "error" for problem in problems)
    warnings = len(problems) - errors
    if as_json:
        rows = [asdict(problem) for problem in problems]
        _print_json({"problems": rows, "errors": errors, "warnings": warnings})
    else:
        console = _console()
        for problem in problems:
            _print_problem(console, problem)
        console.print(f"{_count(errors, 'error')}, {_count(warnings, 'warning')}")
    if errors:
        raise typer.Exit(_FOUND)


@app.command("explain", epilog="Example: guard policy explain policies/ --policy marie-curie")
def explain_command(
    path: PathArgument,
    name: NameOption = None,
    show: Annotated[
        bool, typer.Option("--show", help="Also print the forgotten names, prompts and texts.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what each policy will do: to whom, about what, until when.

    Without --show nothing that is to be forgotten is printed.
    """
    policies = _load(path, as_json, name)
    descriptions = [describe(policy, _today(), show=show) for policy in policies.policies]
    if as_json:
        _print_json({"set": policies.hash, "policies": descriptions})
        return
    console = _console()
    for description in descriptions:
        console.print(panel(description))
    console.print(f"{_count(len(policies), 'policy', 'policies')}, set {policies.hash[:12]}")


@app.command("schema", epilog="Example: guard policy schema > policy.schema.json")
def schema_command(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference tables instead.")
    ] = False,
) -> None:
    """Print the JSON schema of a policy file, for editors."""
    if markdown:
        typer.echo(policy_reference(), nl=False)
    else:
        _print_json(policy_schema())


@app.command("test", epilog="Example: guard policy test policies/marie-curie.yaml")
def test_command(
    path: PathArgument,
    name: NameOption = None,
    show: Annotated[
        bool, typer.Option("--show", help="Also print the text of each failed test.")
    ] = False,
    encoder: EncoderOption = None,
    head: HeadOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the tests of each policy against the real detectors and output filter.

    Each policy is tested alone and as if it were enforced today on everybody.
    Exits with 1 when a test fails.
    """
    policies = _load(path, as_json, name)
    try:
        with _progress(as_json) as progress:
            detect = DetectSettings(encoder=encoder, head=head)
            rows = list(run_tests(policies, progress, detect))
    except GuardError as error:
        typer.echo(f"The tests could not be run: {error}", err=True)
        raise typer.Exit(_FOUND) from error
    failed = sum(not row.passed for row in rows)
    if as_json:
        shown = [row.as_json(show=show) for row in rows]
        _print_json({"tests": shown, "passed": len(rows) - failed, "failed": failed})
    else:
        _print_tests(policies, rows, show=show)
    if failed:
        raise typer.Exit(_FOUND)


def _load(path: Path, as_json: bool, name: str | None) -> PolicySet:
    """The set, or just the named policy of it. Exits with 1 on problems, 2 on an unknown name."""
    try:
        with _progress(as_json) as progress:
            policies = load_policy_set(path, progress=progress)
    except PolicyError as error:
        console = Console(stderr=True, soft_wrap=True)
        for problem in error.problems:
            _print_problem(console, problem)
        raise typer.Exit(_FOUND) from error
    if name is None:
        return policies
    policy = policies.get(name)
    if policy is None:
        known = ", ".join(policy.name for policy in policies.policies)
        raise typer.BadParameter(f"there is no policy {name}; there are: {known}")
    return PolicySet((policy,))


def _pattern_problems(policies: PolicySet) -> list[Problem]:
    # Imported here: it brings the compiled matcher, which explain and schema do without.
    from guard.restrict import lint_patterns

    return [problem for policy in policies.policies for problem in lint_patterns(policy)]


def _print_problem(console: Console, problem: Problem) -> None:
    colour = "red" if problem.level == "error" else "yellow"
    console.print(f"[{colour}]{problem.level}[/] {escape(str(problem))}", highlight=False)


def _print_tests(policies: PolicySet, rows: list[TestRow], *, show: bool) -> None:
    console = _console()
    for policy in policies.policies:
        own = [row for row in rows if row.policy == policy.name]
        passed = sum(row.passed for row in own)
        mark = "[green]ok[/]" if passed == len(own) else "[red]failed[/]"
        note = "" if own else " (it has no tests)"
        console.print(f"{mark} {policy.name}: {passed} of {len(own)}{note}", highlight=False)
        for row in own:
            if not row.passed:
                text = f": {row.text}" if show else ""
                console.print(f"  {escape(row.summary())}{escape(text)}", highlight=False)


@contextmanager
def _progress(as_json: bool) -> Iterator[OnProgress]:
    """A bar on standard error that appears with the first report and goes when done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True, quiet=as_json)
    with Progress(*columns, console=console, transient=True) as bar:
        tasks = {}

        def report(label: str, done: int, total: int) -> None:
            if label not in tasks:
                tasks[label] = bar.add_task(escape(label), total=total)
            bar.update(tasks[label], completed=done, total=total)

        yield report


def _console() -> Console:
    return Console(soft_wrap=True)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _today() -> date:
    return datetime.now(UTC).date()
