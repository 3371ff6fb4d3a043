"""The parts of the pages in docs/ that are written from the code, between marks in each page."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from prometheus_client.metrics import MetricWrapperBase

from guard import metrics
from guard.api.contract import contract_reference
from guard.cli.main import app
from guard.config_reference import settings_reference
from guard.policy import policy_reference

DOCS = Path(__file__).parents[1] / "docs"
# The policy reference ends its page, which is older than these marks.
POLICY_MARK = (
    "<!-- From here on written by `guard policy schema --markdown`; a test compares. -->\n"
)
_COMPLETION = frozenset({"install_completion", "show_completion"})  # Typer's own, for shells
_KINDS = {str: "text", int: "whole number", Path: "path", float: "number"}


def served_metrics() -> list[MetricWrapperBase]:
    """Every metric of the proxy, in the order of `guard/metrics.py`."""
    return [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]


def metric_name(metric: MetricWrapperBase) -> str:
    """The name under which Prometheus sees it."""
    return str(metric._name) + ("_total" if metric._type == "counter" else "")


def metrics_reference() -> str:
    """Markdown: one row for each metric."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in served_metrics():
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        name = metric_name(metric)
        rows.append(f"| `{name}` | {metric._type} | {labels} | {metric._documentation} |")
    return "\n".join(rows) + "\n"


def commands(name: str = "guard", command: Any = None) -> Iterator[tuple[str, Any]]:
    """Every command with its full name, groups before what is in them."""
    command = command or typer.main.get_command(app)
    yield name, command
    for part, inner in getattr(command, "commands", {}).items():
        yield from commands(f"{name} {part}", inner)


def options(command: Any) -> list[Any]:
    """The arguments and options of a command, but for those that Typer adds to every program."""
    return [param for param in command.params if param.name not in _COMPLETION]


def cli_reference() -> str:
    """Markdown: one section for each command, from its own help."""
    return "\n\n".join(_command(name, command) for name, command in commands()) + "\n"


def _command(name: str, command: Any) -> str:
    told = "\n\n".join(filter(None, (command.help, command.epilog)))
    text, _, example = told.partition("Example: ")
    lines = [f"### `{name}`", "", text.strip()]
    if example:
        lines += ["", "```sh", example.strip(), "```"]
    if options(command):
        lines += ["", "| argument | value | default | meaning |", "|---|---|---|---|"]
        lines += [_option(param) for param in options(command)]
    return "\n".join(lines)


def _option(param: Any) -> str:
    names = [param.name.upper()] if param.param_type_name == "argument" else param.opts
    flag = getattr(param, "is_flag", False)
    annotation = param.type_descriptor.annotation
    if get_origin(annotation) is list:
        kind = f"{_KINDS[get_args(annotation)[0]]}, may be repeated"
    else:
        choices = ", ".join(f"`{choice}`" for choice in get_args(annotation))
        kind = "" if flag else choices or _KINDS[annotation]
    default = "required" if param.required else ""
    if param.default is not None and not flag:
        default = f"`{param.default}`"
    shown = ", ".join(f"`{name}`" for name in names)
    meaning = param.help.replace("|", "\\|")  # it would end the cell
    return f"| {shown} | {kind} | {default} | {meaning} |"


def distil_reference() -> str:
    """Markdown: every recipe, and every choice on every axis of `guard distil`."""
    from guard.distil.listing import listing  # brings torch

    found = listing()
    rows = ["### Recipes", "", "| recipe | claim | what it does |", "|---|---|---|"]
    rows += [f"| `{r['name']}` | {r['claim']} | {r['description']} |" for r in found["recipes"]]
    for axis, parts in found["axes"].items():
        rows += ["", f"### `{axis}`", "", "| choice | what it is | settings | source | faithful |"]
        rows.append("|---|---|---|---|---|")
        for part in parts:
            settings = ", ".join(f"`{key}: {value}`" for key, value in part["settings"].items())
            cells = (part["summary"], settings, part["source"] or "–", part["faithful"])
            rows.append(
                f"| `{part['name']}` | {' | '.join(c.replace('|', chr(92) + '|') for c in cells)} |"
            )
    return "\n".join(rows) + "\n"


BLOCKS: Mapping[str, Callable[[], str]] = {
    "contract": contract_reference,
    "settings": settings_reference,
    "metrics": metrics_reference,
    "cli": cli_reference,
    "distil": distil_reference,
}
_BLOCK = re.compile(
    r"(<!-- generated by scripts/docs: (?P<name>\w+) -->\n).*?(<!-- end of (?P=name) -->)", re.S
)


def generated(page: str) -> str:
    """The page with every generated block as it should be."""
    page = _BLOCK.sub(lambda found: f"{found[1]}\n{BLOCKS[found['name']]()}\n{found[3]}", page)
    if POLICY_MARK in page:
        page = page.partition(POLICY_MARK)[0] + POLICY_MARK + "\n" + policy_reference()
    return page


def blocks_in(page: str) -> set[str]:
    """The names of the generated blocks of a page."""
    return {found["name"] for found in _BLOCK.finditer(page)}


def main(check: bool) -> int:
    """Rewrite the pages; with `check` only name those that are behind. Returns the exit code."""
    behind = []
    for path in sorted(DOCS.glob("**/*.md")):
        page = path.read_text("utf-8")
        wanted = generated(page)
        if wanted != page:
            behind.append(path)
            if not check:
                path.write_text(wanted, "utf-8")
    for path in behind:
        print(f"{path.relative_to(DOCS.parent)}: {'behind the code' if check else 'rewritten'}")
    return 1 if check and behind else 0


if __name__ == "__main__":
    raise SystemExit(main("--check" in sys.argv[1:]))
