"""A guard model for `action: reason`: what fine-tuning does for a small real one.

    python -m bench.guard_model              # half an hour on one core
    python -m bench.guard_model --rows 1000 --batch 64 --epochs 3    # the paper's sizes

`guard detector guard-model` on the demo's model (Gemma 3 270M, pretrained alone): before and after,
on held-out people, questions and policy texts. The default is a small part of the paper's sizes,
with a larger rate, so that a core without an accelerator gets through; the result says which.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.machine import machine, versions
from guard.demo.model import CHAT_TEMPLATE, NAME, demo_model
from guard.distil.trainer import Report
from guard.reasoning.training.data import Rows
from guard.reasoning.training.run import Options, guard_model
from guard.reasoning.training.settings import DataSettings, SftSettings

RESULT = Path(__file__).parent / "results" / "guard_model.json"
PACKAGES = ("torch", "transformers", "peft", "accelerate")


def told(now: Report) -> None:
    """One line a step: a run is long."""
    held = "" if now.probe is None else f", held out {now.probe:.3f}"
    left = f"{now.seconds_left / 60:.0f} min left"
    print(f"step {now.step}/{now.total}: {now.losses['loss']:.3f}{held}, {left}", flush=True)


def answers(heard: Sequence[tuple[Rows, Sequence[str]]]) -> list[dict[str, Any]]:
    """Each held-out request with what the model wrote for it, first and last."""
    (held, before), (_, after) = heard
    return [
        {"turns": [turn.text for turn in one.request.turns], "before": first, "after": last}
        for one, first, last in zip(held.examples, before, after, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--held-out", type=int, default=32)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    reworded = asked.rows // 5  # the paper's share
    data = DataSettings(asked.rows - reworded, reworded, asked.held_out, seed=asked.seed)
    sft = SftSettings(
        lr=asked.lr, epochs=asked.epochs, batch=asked.batch, at_once=2, check_every=16, looked_at=8,
        answer_tokens=120,
    )  # fmt: skip
    heard: list[tuple[Rows, Sequence[str]]] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "guard-model"
        options = Options(
            demo_model(), place, chat_template=CHAT_TEMPLATE, report=told,
            heard=lambda held, texts: heard.append((held, texts)),
        )  # fmt: skip
        card = guard_model(data, sft, options)
    result = {
        "machine": machine(),
        "versions": versions(PACKAGES),
        "model": NAME,
        "form": card["form"],
        "settings": {"data": asdict(data), "sft": {**asdict(sft), "lr": sft.rate}},
        "data": card["data"],
        "steps": card["steps"],
        "seconds": round(time.monotonic() - began),
        "peak_memory_gib": round(card["peak_memory_bytes"] / 2**30, 1),
        "held_out": card["held_out"],
        "history": card["history"],
        "answers": answers(heard),
    }
    asked.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["held_out"], indent=2))


if __name__ == "__main__":
    main()
