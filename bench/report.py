"""Renders `bench/results/proxy.json`: all of it in `docs/benchmarks.md`, the headline in README.md.

python -m bench.report            # fill the marked blocks
python -m bench.report --check    # exit 1 when a page does not show these results
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.proxy import RESULT

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
FRONT = ROOT / "README.md"

ARM_NAMES = {
    "direct": "direct, no proxy",
    "starlette_aiohttp": "Starlette + aiohttp",
    "fastapi_httpx": "FastAPI + httpx",
    "litellm": "LiteLLM",
    "ours": "guard, no policies",
    "ours_policies": "guard, names and texts",
    "ours_detection": "guard, prompts too",
}


def number(value: Any, digits: int = 0) -> str:
    """A figure for a table cell; a dash where there is none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    names = list(head)
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *map(list, rows)]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def cells(result: dict[str, Any], scene: str) -> dict[tuple[str, int, int], dict[str, Any]]:
    """The rows of one scene by arm, workers and concurrency."""
    return {
        (row["arm"], row["workers"], row["concurrency"]): row
        for row in result["rows"]
        if row["scene"] == scene
    }


def throughput(result: dict[str, Any]) -> list[str]:
    found = cells(result, "json")
    lines = []
    for workers in sorted({key[1] for key in found}):
        lines += [f"**JSON, {workers} worker{'s' * (workers > 1)}**: requests per second, then", ""]
        lines[-2] += " p50 / p95 / p99 in ms, at so many connections."
        columns = sorted({key[2] for key in found if key[1] == workers})
        rows = []
        for arm in (arm for arm in ARM_NAMES if any(k[:2] == (arm, workers) for k in found)):
            line = [ARM_NAMES[arm]]
            for column in columns:
                row = found[arm, workers, column]
                times = " / ".join(
                    number(row["latency_ms"].get(p), 2) for p in ("p50", "p95", "p99")
                )
                line += [number(row["requests_per_second"]), times]
            rows.append(line)
        head = [name for c in columns for name in (f"{c}: req/s", "ms")]
        lines += table(["", *head], rows)
    return lines


def streams(result: dict[str, Any]) -> list[str]:
    first, spaced = cells(result, "first_token"), cells(result, "stream")
    lines = [
        "**Streams, 1 worker**: milliseconds added to direct at p50 of the same round: to the "
        "first token behind a prefill of 50 ms, and to a whole stream of 64 deltas every 5 ms; "
        "and the p95 of the gap between reads in such a stream.",
        "",
    ]
    clients = sorted({key[2] for key in first})
    many = sorted({key[2] for key in spaced})
    rows = []
    for arm in (arm for arm in ARM_NAMES if any(key[0] == arm for key in first)):
        line = [ARM_NAMES[arm]]
        line += [number(first[arm, 1, c].get("added_first_delta_p50_ms"), 2) for c in clients]
        line += [number(spaced[arm, 1, c].get("added_latency_p50_ms"), 2) for c in many]
        line += [number(spaced[arm, 1, c].get("gap_ms", {}).get("p95"), 2) for c in many]
        rows.append(line)
    head = [f"first token, {c}" for c in clients]
    head += [f"whole stream, {c}" for c in many] + [f"gap p95, {c}" for c in many]
    return lines + table(["", *head], rows)


def ratios(result: dict[str, Any]) -> list[str]:
    lines = ["**Ratios of requests per second**, JSON.", ""]
    rows = [
        [
            ARM_NAMES[row["arm"]],
            str(row["workers"]),
            str(row["concurrency"]),
            number(row["over_fastest_bare_hop"], 2),
            number(row["over_litellm"], 1),
        ]
        for row in result["ratios"]
    ]
    head = ["", "workers", "connections", "of the fastest bare hop", "of LiteLLM"]
    return lines + table(head, rows)


def memory(result: dict[str, Any]) -> list[str]:
    lines = ["**Memory**, MiB of all processes, shared pages counted in each.", ""]
    rows = [
        [
            ARM_NAMES[row["arm"]],
            str(row["workers"]),
            number(row["idle_mib"]["rss"]),
            number(row["after_mib"]["rss"]),
        ]
        for row in result["memory"]
    ]
    return lines + table(["", "workers", "idle", "after the load"], rows)


def render(result: dict[str, Any]) -> str:
    """The whole block, in markdown."""
    box, plan = result["machine"], result["plan"]
    software = ", ".join(f"{name} {found}" for name, found in result["versions"].items() if found)
    lines = [
        f"{box['cpu']}, {box['cores']} cores, {box['memory_gib']} GiB, {box['system']}, Python "
        f"{box['python']}; {software}. Measured {box['date'][:10]}, {plan['rounds']} rounds of "
        f"{plan['seconds']} s; load average {box['load_average'][0]} at the start.",
        "",
    ]
    for arm, reason in result["unavailable"].items():
        lines += [f"Not measured: {ARM_NAMES[arm]} ({reason}).", ""]
    failed = sum(row["failures"] for row in result["rows"])
    lines += [f"Failed requests in all scenes and arms: {failed}.", ""]
    return "\n".join(
        lines + ratios(result) + throughput(result) + streams(result) + memory(result)
    ).strip()


def headline(result: dict[str, Any]) -> str:
    """The figures a reader of the front page asks for."""
    box, json_, first = result["machine"], cells(result, "json"), cells(result, "first_token")
    ratio = {(row["arm"], row["workers"], row["concurrency"]): row for row in result["ratios"]}
    names = ratio["ours_policies", 1, 16]
    resident = {(row["arm"], row["workers"]): row["after_mib"]["rss"] for row in result["memory"]}

    def added(arm: str) -> str:
        return number(first[arm, 1, 1]["added_first_delta_p50_ms"], 1)

    lines = [
        f"{box['cpu']}, {box['cores']} cores shared by load generator, scripted model server and "
        "proxy; one worker; every arm in one interleaved run.",
        "",
    ]
    rows = [
        [
            "names and texts on, 16 connections: of the fastest bare Python hop",
            f"{number(names['over_fastest_bare_hop'], 2)} "
            f"({number(json_['ours_policies', 1, 16]['requests_per_second'])} requests/s)",
        ],
        ["the same, of LiteLLM's proxy", f"{number(names['over_litellm'], 1)} times"],
        [
            "full detection, distinct benign prompts, 16 connections",
            f"{number(json_['ours_detection', 1, 16]['requests_per_second'])} requests/s",
        ],
        [
            "added to the first token of a benign prompt, full detection, beside a 50 ms prefill",
            f"{added('ours_detection')} ms at p50 (a bare hop: {added('starlette_aiohttp')} ms)",
        ],
        [
            "memory after the load: names and texts; full detection",
            f"{number(resident['ours_policies', 1])} MiB; "
            f"{number(resident['ours_detection', 1])} MiB",
        ],
    ]
    return "\n".join(lines + table(["what", "measured"], rows)).strip()


def filled(page: Path, block: str, mark: str) -> str:
    """The page with its marked block replaced. Exits when it lacks the markers."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, found, rest = page.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        sys.exit(f"{page} lacks the markers {begin} and {end}")
    return f"{before}{begin}\n{block}\n{end}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULT)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 when out of date")
    options = parser.parse_args()
    result = json.loads(options.results.read_text())
    pages = {
        PAGE: filled(PAGE, render(result), "results of bench/proxy.py"),
        FRONT: filled(FRONT, headline(result), "headline of bench/proxy.py"),
    }
    if options.check:
        sys.exit(any(page.read_text() != text for page, text in pages.items()))
    for page, text in pages.items():
        page.write_text(text)


if __name__ == "__main__":
    main()
