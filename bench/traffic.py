"""General traffic: questions and instructions of many kinds, none about anybody in a policy.

    python -m bench.traffic --sources FOLDER --out traffic.jsonl

FOLDER holds checkouts of public repositories under the names of `SOURCES` (docs/benchmarks.md says
which); one that is missing is an error, so that a figure never rests on fewer kinds than it says.
Each row is {"prompt", "source", "half"}. Halves share no source, or no template where the source
is templates: thresholds and margins may be set on "calibrate" and are reported on "test".
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LONGEST = 4000  # characters; a longer one is a document, measured apart
SEED = 20


def json_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines, packed or not."""
    packed = path.read_bytes()
    text = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode()
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _field(name: str) -> Callable[[Path], Iterator[str]]:
    def read(path: Path) -> Iterator[str]:
        for row in json_lines(path):
            yield row[name]

    return read


def _listed(name: str) -> Callable[[Path], Iterator[str]]:
    def read(path: Path) -> Iterator[str]:
        for row in json.loads(path.read_text()):
            yield row[name]

    return read


def _values(path: Path) -> Iterator[str]:
    yield from json.loads(path.read_text()).values()


def _table(path: Path) -> Iterator[str]:
    with path.open() as file:
        for row in csv.DictReader(file):
            yield row["text"]


def _intents(path: Path) -> Iterator[str]:
    held = json.loads(path.read_text())
    for part in ("test", "oos_test"):
        for text, _intent in held[part]:
            yield text


def _instructed(path: Path) -> Iterator[str]:
    """An instruction with its first input, as a person would send both."""
    for row in json_lines(path):
        first = row["instances"][0]["input"]
        yield f"{row['instruction']}\n\n{first}".strip()


def _templated(first: str, last: str) -> Callable[[Path], Iterator[str]]:
    """Of a folder with one file a template those whose names lie in [first, last)."""

    def read(folder: Path) -> Iterator[str]:
        for path in sorted(folder.glob("*.jsonl")):
            if first <= path.name < last:
                for row in json_lines(path):
                    yield row["prompt"]

    return read


@dataclass(frozen=True, slots=True)
class Source:
    """`path` below the folder of sources; `most`: rows that are drawn of it."""

    name: str
    half: str
    path: str
    read: Callable[[Path], Iterable[str]]
    most: int


_T0 = "self-instruct/data/finetuning/t0_train_50k/data_per_template"
SOURCES = (
    Source("WebQuestions", "test", "webquestions/main/test.json", _listed("qText"), 3000),
    Source("WebQuestions", "test", "webquestions/main/val.json", _listed("qText"), 3000),
    Source("GSM8K", "test", "gsm8k/grade_school_math/data/test.jsonl", _field("question"), 1500),
    Source("CLINC150", "test", "clinc/data/data_full.json", _intents, 2000),
    Source("AlpacaEval", "test", "alpaca-eval/results/Conifer-7B-DPO/model_outputs.json",
           _listed("instruction"), 1000),
    Source("Self-Instruct", "test", "self-instruct/data/seed_tasks.jsonl", _instructed, 500),
    Source("HumanEval", "test", "human-eval/data/HumanEval.jsonl.gz", _field("prompt"), 200),
    Source("MBPP", "test", "wizardlm/WizardCoder/data/mbppplus.json", _values, 400),
    Source("WizardLM", "test", "wizardlm/WizardLM/data/WizardLM_testset.jsonl",
           _field("Instruction"), 300),
    Source("T0, dream to rotten_tomatoes", "test", _T0, _templated("dream", "samsum"), 600),
    Source("WebQuestions, trainmodel", "calibrate", "webquestions/main/trainmodel.json",
           _listed("qText"), 2000),
    Source("Banking77", "calibrate", "banking77/banking_data/train.csv", _table, 2000),
    Source("T0, samsum to yelp", "calibrate", _T0, _templated("samsum", "~"), 400),
)  # fmt: skip


def traffic(folder: Path, sources: Iterable[Source] = SOURCES) -> list[dict[str, str]]:
    """Distinct prompts of every source. Raises OSError where one is missing, ValueError for an
    empty one."""
    rows: list[dict[str, str]] = []
    seen: set[str] = set()
    for number, source in enumerate(sources):
        texts = [text.strip() for text in source.read(folder / source.path)]
        fresh = [text for text in dict.fromkeys(texts) if text and len(text) <= LONGEST]
        fresh = [text for text in fresh if text.casefold() not in seen]
        if not fresh:
            raise ValueError(f"{source.path} has no prompts")
        draw = np.random.default_rng([SEED, number])
        chosen = sorted(draw.permutation(len(fresh))[: source.most].tolist())
        for place in chosen:
            seen.add(fresh[place].casefold())
            rows.append({"prompt": fresh[place], "source": source.name, "half": source.half})
    return rows


def digest(rows: Iterable[dict[str, str]]) -> str:
    """Names a set of prompts in a result."""
    return hashlib.sha256("\n".join(row["prompt"] for row in rows).encode()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sources", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rows = traffic(options.sources)
    options.out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for half in ("calibrate", "test"):
        part = [row for row in rows if row["half"] == half]
        kinds = sorted({row["source"] for row in part})
        counts = ", ".join(f"{k} {sum(row['source'] == k for row in part)}" for k in kinds)
        print(f"{half}: {len(part)} prompts, sha256 {digest(part)[:16]}; {counts}")


if __name__ == "__main__":
    main()
