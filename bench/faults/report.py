"""Renders `bench/results/faults.json` into `docs/benchmarks.md`.

python -m bench.faults.report            # fill the marked block
python -m bench.faults.report --check    # exit 1 when the page does not show these results
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

RESULT = Path(__file__).parents[1] / "results" / "faults.json"
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_BLOCK = re.compile(r"(<!-- faults: begin -->\n).*?(<!-- faults: end -->)", re.DOTALL)


def rendered(result: dict[str, Any]) -> str:
    """Markdown: one row a fault, and what was seen over all."""
    machine, idle = result["machine"], result["memory_idle_mib"]
    change = (idle["after"] / idle["before"] - 1) * 100
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores shared by clients, model server and guard, "
        f"load average {machine['load_average'][0]:.0f} when all had ended. "
        f"{result['streams']:,} streams, {result['seconds']:.0f} s of faults: "
        f"{result['leaked_characters']} characters leaked, {result['wrong_benign_answers']} wrong "
        f"benign answers, memory at rest {idle['before']:.0f} MiB before and "
        f"{idle['after']:.0f} MiB after ({change:+.1f} %), {result['audit']['records']:,} audit "
        "records, chain "
        f"{'whole' if result['audit']['whole'] else 'BROKEN'}.",
        "",
        "| fault | streams open | leaked | wrong | recovered after |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in result["rows"]:
        after = row["recovered_s"]
        lines.append(
            f"| {row['fault']} | {row['streams']} | {row['leaked_characters']} | "
            f"{row['wrong_benign_answers']} | "
            f"{'not within 120 s' if after is None else f'{after:.1f} s'} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    page = PAGE.read_text("utf-8")
    text = rendered(json.loads(RESULT.read_text("utf-8")))
    wanted = _BLOCK.sub(lambda found: f"{found[1]}{text}{found[2]}", page)
    if wanted != page and "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted, "utf-8")
        return 0
    return int(wanted != page)


if __name__ == "__main__":
    sys.exit(main())
