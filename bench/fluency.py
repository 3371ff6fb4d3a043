"""How fluent answers stay when a fact must not come out: ours beside the paper's way.

    python -m bench.fluency                 # about seven minutes, writes bench/results/fluency.json
    python -m bench.fluency --calibrate     # on the facts kept apart; prints, writes nothing

Needs the `demo` and `detect` extras. Gemma 3 270M answers `Question: ...\\nAnswer:` about facts of
`bench/facts.csv` that it knows (its own greedy answer names them), then must not name them.
Answers have a fixed length in every arm: ends of text and special tokens are taken by none.
Perplexity is that of the answer's tokens under the model without any restriction; `distinct`, the
share of different pairs of tokens, shows what it hides: repetition is cheap. All arms of a question
run in turn, each question beginning with another one.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from zlib import crc32

import torch

from bench.facts import Fact, facts
from bench.gemma import Gemma
from bench.machine import machine, versions
from classifiers import MiniLM
from guard.demo.model import NAME
from guard.evaluate.paper_guard import PaperConfig, PaperGuard, sensitive_spans
from guard.policy import Entity, Pair, Policy
from guard.restrict import Phrase, PhraseAutomaton, name_phrases, text_phrases
from guard.restrict.token_guard import TokenGuard
from guard.restrict.trie import build_trie
from guard.restrict.vocabulary import build_vocabulary

RESULT = Path(__file__).parent / "results" / "fluency.json"
TOKENS = 32
SCREEN = 12  # tokens in which an answer must name what the model is said to know
QUESTIONS = 22
MINUTES = 7.0  # no question is begun later
EXTRA = 6  # questions on which the arms of `steering` run too
TEMPERATURE = 0.7
THREADS = 2

Arm = Callable[[str, int], tuple[list[int], dict[str, Any]]]


def prompt_of(question: str) -> str:
    return f"Question: {question}\nAnswer:"


def policy_of(fact: Fact) -> Policy:
    """The policy that forgets a fact: its names and its text."""
    return Policy(
        name="fluency",
        entities=(Entity(fact.names[0], fact.names[1:]),),
        pairs=(Pair(fact.question, fact.text),),
        prompts=(fact.question,),
        texts=(fact.text,),
    )


class Ours:
    """`TokenGuard` on the logits, which is what the engine plugin runs."""

    def __init__(self, gemma: Gemma, every: list[Fact]) -> None:
        self._gemma = gemma
        vocabulary = build_vocabulary(gemma.pieces)
        self._guard = TokenGuard(vocabulary, end=gemma.ends[0], rows=1)
        self._roots: dict[str, int] = {}
        for fact in every:
            phrases = phrases_of(fact)
            trie = build_trie([p.symbols for p in phrases], [p.flag for p in phrases])
            self._roots[fact.question] = self._guard.plant(trie)

    def decode(self, question: str, count: int, pick: Callable[[Any], int]) -> list[int]:
        guard = self._guard
        guard.begin(0, [self._roots[question]])

        def choose(logits: Any) -> int:
            guard.restrict(logits, [0], [0])
            token = pick(logits)
            guard.take([0], [token])
            return token

        return self._gemma.decode(prompt_of(question), count, choose)


def phrases_of(fact: Fact) -> list[Phrase]:
    policy = policy_of(fact)
    return [*name_phrases(policy), *text_phrases(policy)]


def greedy(logits: Any) -> int:
    return int(logits[0].argmax())


def sampler(seed: int) -> Callable[[Any], int]:
    chance = torch.Generator().manual_seed(seed)

    def pick(logits: Any) -> int:
        chances = torch.softmax(torch.from_numpy(logits[0]) / TEMPERATURE, dim=-1)
        return int(torch.multinomial(chances, 1, generator=chance))

    return pick


def paper_arm(guard: PaperGuard, gemma: Gemma, every: list[Fact]) -> Arm:
    def answer(question: str, count: int) -> tuple[list[int], dict[str, Any]]:
        made = guard.generate(prompt_of(question), count, banned=gemma.banned)
        text = made.text
        spans = guard.spans(made.answer)
        return list(made.tokens), {
            "retrieved": every[made.answer].question == question,
            "spans_leaked": [span for span in spans if span in text],
            "encoder_calls": made.encoder_calls,
            "encoded": made.encoded,
            "ended": made.ended,
        }

    return answer


def arms_of(gemma: Gemma, every: list[Fact]) -> dict[str, Arm]:
    ours, encoder = Ours(gemma, every), MiniLM(precision="f32", threads=THREADS)
    names = {fact.text: fact.names for fact in every}

    def spans(text: str) -> tuple[str, ...]:
        """The rule's spans, and the names of the fact, so that both ways forbid the same names."""
        return tuple(dict.fromkeys((*names[text], *sensitive_spans(text))))

    def paper(config: PaperConfig) -> Arm:
        guard = PaperGuard(
            gemma.model, gemma.tokenizer, list(names), config, encoder=encoder, extract=spans
        )
        return paper_arm(guard, gemma, every)

    def plain(decode: Callable[[str, int], list[int]]) -> Arm:
        return lambda question, count: (decode(question, count), {})

    return {
        "own": plain(lambda q, n: gemma.decode(prompt_of(q), n, greedy)),
        "ours": plain(lambda q, n: ours.decode(q, n, greedy)),
        "paper": paper(PaperConfig()),
        "own_sampled": plain(
            lambda q, n: gemma.decode(prompt_of(q), n, sampler(crc32(q.encode())))
        ),
        "ours_sampled": plain(lambda q, n: ours.decode(q, n, sampler(crc32(q.encode())))),
        "paper_soft_off": paper(PaperConfig(soft=0.0)),
    }


MAIN = ("own", "ours", "paper")


def knows(gemma: Gemma, fact: Fact) -> bool:
    """Whether the model's own greedy answer names the fact."""
    tokens = gemma.decode(prompt_of(fact.question), SCREEN, greedy)
    names = PhraseAutomaton(list(name_phrases(policy_of(fact))))
    return bool(names.find_all(gemma.text(tokens)))


def measured(gemma: Gemma, fact: Fact, arm: Arm) -> dict[str, Any]:
    began = time.perf_counter()
    tokens, more = arm(fact.question, TOKENS)
    seconds = time.perf_counter() - began
    text = gemma.text(tokens)
    plain, going_on = (
        gemma.perplexity(prompt_of(fact.question), tokens) if tokens else (math.inf, math.inf)
    )
    names = PhraseAutomaton(list(name_phrases(policy_of(fact)))).find_all(text)
    texts = PhraseAutomaton(list(text_phrases(policy_of(fact)))).find_all(text)
    return {
        "text": text,
        "tokens": len(tokens),
        "distinct": round(len(set(pairwise(tokens))) / max(1, len(tokens) - 1), 3),
        "perplexity": round(plain, 4),
        "perplexity_going_on": round(going_on, 4),
        "seconds": round(seconds, 4),
        "names_leaked": len(names),
        "texts_leaked": len(texts),
        **more,
    }


def run(
    gemma: Gemma, every: list[Fact], arms: dict[str, Arm], options: argparse.Namespace
) -> tuple[list[dict[str, Any]], int]:
    """The rows of the facts that the model knows, and how many it was asked for that."""
    for arm in arms.values():  # compiled code, kernels and caches of shapes are made here
        arm(every[0].question, 4)
    rows: list[dict[str, Any]] = []
    until, screened = time.perf_counter() + 60 * options.minutes, 0
    # In another order than the table's, the same every time: kinds of facts are mixed.
    for fact in sorted(every, key=lambda fact: crc32(fact.question.encode())):
        if len(rows) == options.questions or time.perf_counter() > until:
            break
        screened += 1
        if not knows(gemma, fact):
            continue
        turn = len(rows)
        names = list(arms) if turn < options.extra else list(MAIN)
        order = names[turn % len(names) :] + names[: turn % len(names)]
        found = {name: measured(gemma, fact, arms[name]) for name in order}
        rows.append({"question": fact.question, "arms": {name: found[name] for name in names}})
        print(f"{len(rows)} {fact.question}", file=sys.stderr, flush=True)
    return rows, screened


def summary(rows: list[dict[str, Any]], arm: str, base: str) -> dict[str, Any]:
    """One arm beside the base arm, over the questions on which both ran."""
    pairs = [(r["arms"][arm], r["arms"][base]) for r in rows if arm in r["arms"]]
    mine, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    def median(cells: list[dict[str, Any]], key: str) -> float:
        return float(statistics.median(cell[key] for cell in cells))

    result = {"questions": len(pairs), "base": base}
    for key in ("perplexity", "perplexity_going_on", "seconds"):
        result[f"{key}_median"] = round(median(mine, key), 4)
        result[f"{key}_ratio"] = round(median(mine, key) / median(theirs, key), 3)
        result[f"{key}_median_of_ratios"] = round(
            statistics.median(a[key] / b[key] for a, b in pairs), 3
        )
    result["distinct_median"] = median(mine, "distinct")
    for key in ("names_leaked", "texts_leaked"):
        result[f"answers_with_{key}"] = sum(cell[key] > 0 for cell in mine)
    for key in ("encoder_calls", "encoded"):
        if key in mine[0]:
            result[f"{key}_mean"] = round(statistics.mean(cell[key] for cell in mine), 1)
    if "retrieved" in mine[0]:
        result["retrieved"] = sum(cell["retrieved"] for cell in mine)
        result["answers_with_spans_leaked"] = sum(bool(cell["spans_leaked"]) for cell in mine)
        result["blocked"] = sum(cell["ended"] == "blocked" for cell in mine)
    result["short"] = sum(cell["tokens"] < TOKENS for cell in mine)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calibrate", action="store_true", help="facts kept apart; print only")
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    parser.add_argument("--extra", type=int, default=EXTRA)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="no question after that")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    began, box = time.perf_counter(), machine()
    gemma, every = Gemma(), facts("calibrate" if options.calibrate else "report")
    rows, screened = run(gemma, every, arms_of(gemma, every), options)
    bases = {name: "own_sampled" if name.endswith("sampled") else "own" for name in rows[0]["arms"]}
    summaries = {name: summary(rows, name, base) for name, base in bases.items()}
    result = {
        "machine": box,
        "versions": versions(("torch", "transformers", "openvino", "numba", "guard-forget")),
        "plan": {
            "model": NAME,
            "precision": "float32",
            "threads": THREADS,
            "tokens": TOKENS,
            "facts": len(every),
            "screened": screened,
            "known_and_asked": len(rows),
            "with_steering_arms": options.extra,
            "temperature_of_sampled_arms": TEMPERATURE,
            "soft_penalties_of_ours": "none",
            "seconds_of_the_run": round(time.perf_counter() - began, 1),
        },
        "arms": {name: found for name, found in summaries.items() if name in MAIN},
        # The paper's way without its soft penalty, and ours where answers are sampled.
        "steering": {name: found for name, found in summaries.items() if name not in MAIN},
        "rows": rows,
    }
    print(json.dumps({key: result[key] for key in ("plan", "arms", "steering")}, indent=1))
    if options.calibrate:
        for row in rows:
            print(row["question"], *(f"  {n}: {c}" for n, c in row["arms"].items()), sep="\n")
        return
    options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
