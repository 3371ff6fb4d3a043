"""How well sentences that say what is forgotten are told from others, and what soft penalties cost.

    python -m bench.meaning --data FOLDER [--out bench/results/meaning.json]

`--data` is a folder with TOFU's files (locuslab/TOFU: forget10_perturbed.json, retain90.json). The
forgotten answers are those of forget10. Authors are halved, 20 questions each: on one half a
threshold would be chosen, on the other it is reported. Recall: true answers and their paraphrases
that are cut; false alarms: answers about retained authors, each compared with all that is forgotten
(an upper bound: only answers to flagged prompts are).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bench.machine import machine, versions
from classifiers import BatchedEncoder, Lexicon, MiniLM, NearestPrompt, Subject
from guard.policy import Entity, Pair, Policy
from guard.restrict import forgotten_sentences, soft_penalties
from guard.restrict.sentences import Sentences
from guard.restrict.soft import candidate_words, distinctive_words

THRESHOLDS = (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
QUESTIONS = 20  # an author
AT_ONCE = 64  # sentences an inference


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def halves(items: Sequence[Any]) -> dict[str, list[Any]]:
    """Every second author: the first half calibrates, the other is reported."""
    authors = [items[i : i + QUESTIONS] for i in range(0, len(items), QUESTIONS)]
    return {
        "calibration": [item for author in authors[::2] for item in author],
        "reported": [item for author in authors[1::2] for item in author],
    }


def policy(pairs: Sequence[Pair]) -> Policy:
    return Policy(
        name="bench", action="restrict", pairs=tuple(pairs), texts=tuple(p.answer for p in pairs)
    )


async def highest(nearest: NearestPrompt, answers: Sequence[str]) -> list[float]:
    """For each answer the largest cosine of a sentence of it; -1 when none is judged."""
    sentences = [judged(answer) for answer in answers]
    scores: list[float] = []
    flat = [sentence for found in sentences for sentence in found]
    for start in range(0, len(flat), AT_ONCE):
        scores += await nearest.similar(flat[start : start + AT_ONCE], 0)
    following = iter(scores)
    return [max(islice(following, len(found)), default=-1.0) for found in sentences]


def judged(answer: str) -> list[str]:
    """The sentences of an answer that the proxy would judge."""
    reading = Sentences()
    return [one.text for one in (*reading.feed(answer), *reading.flush()) if one.content]


def share(scores: Sequence[float], threshold: float) -> float:
    return round(sum(score >= threshold for score in scores) / len(scores), 4)


def quality(data: Path, encoder: BatchedEncoder) -> dict[str, Any]:
    forgotten = halves(rows(data / "forget10_perturbed.json"))
    retained = halves(rows(data / "retain90.json"))
    result: dict[str, Any] = {}
    for half in ("calibration", "reported"):
        pairs = [Pair(row["question"], row["answer"]) for row in forgotten[half]]
        texts = forgotten_sentences(policy(pairs))
        nearest = NearestPrompt([Subject(0, texts=texts)], encoder, max_tokens=1 << 30)
        groups = {
            "true answers cut": [row["answer"] for row in forgotten[half]],
            "paraphrased answers cut": [row["paraphrased_answer"] for row in forgotten[half]],
            "wrong answers about forgotten authors cut": [
                row["perturbed_answer"][0] for row in forgotten[half]
            ],
            "answers about retained authors cut": [row["answer"] for row in retained[half]],
        }
        started = time.perf_counter()
        scores = {name: asyncio.run(highest(nearest, said)) for name, said in groups.items()}
        seconds = time.perf_counter() - started
        result[half] = {
            "forgotten_sentences": len(texts),
            "answers": {name: len(said) for name, said in groups.items()},
            "seconds_an_answer": round(seconds / sum(map(len, groups.values())), 5),
            "by_threshold": {
                str(threshold): {name: share(found, threshold) for name, found in scores.items()}
                for threshold in THRESHOLDS
            },
        }
    return result


def soft(data: Path, encoder: MiniLM) -> dict[str, Any]:
    """Seconds for the lexicon, cold and from disk, and for the penalties of policies: an author."""
    authors = rows(data / "full.json")[: 100 * QUESTIONS]
    policies = [
        Policy(
            name=f"author-{i}",
            action="restrict",
            entities=(Entity("Nobody Particular"),),
            texts=tuple(row["answer"] for row in authors[i * QUESTIONS : (i + 1) * QUESTIONS]),
        )
        for i in range(100)
    ]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GUARD_CACHE_DIR"] = folder
        started = time.perf_counter()
        lexicon = Lexicon(candidate_words(), encoder)
        lexicon.near(["lighthouse"], 0.5)
        cold = time.perf_counter() - started
        size = lexicon.path.stat().st_size
        started = time.perf_counter()
        lexicon = Lexicon(candidate_words(), encoder)
        lexicon.near(["lighthouse"], 0.5)
        warm = time.perf_counter() - started
        del os.environ["GUARD_CACHE_DIR"]
    seconds, counts = [], []
    for one in policies:
        started = time.perf_counter()
        near = lexicon.near(distinctive_words(one), one.restrict.delta)
        made = soft_penalties(one, near)
        seconds.append(time.perf_counter() - started)
        counts.append(0 if made is None else len(made.words))
    return {
        "candidate_words": len(candidate_words()),
        "cold_seconds": round(cold, 2),
        "from_disk_seconds": round(warm, 2),
        "bytes_on_disk": size,
        "seconds_1_policy": round(seconds[0], 3),
        "seconds_100_policies": round(sum(seconds), 2),
        "median_words_a_policy": sorted(counts)[len(counts) // 2],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("bench/results/meaning.json"))
    options = parser.parse_args()
    encoder = MiniLM()
    batched = BatchedEncoder(encoder, cache_size=0)
    result = {
        "machine": machine(),
        "versions": versions(["guard-forget", "openvino", "faiss-cpu", "wordfreq"]),
        "encoder": encoder.name,
        "quality": quality(options.data, batched),
        "soft": soft(options.data, encoder),
    }
    batched.close()
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps({key: result[key] for key in ("quality", "soft")}, indent=2))


if __name__ == "__main__":
    main()
