"""A model of one's own that is taught the fictional corpus, so that a comparison can run on it.

An adapter learns the answers and is merged, so that what is compared is a model like any other.
Taught once on this machine and cached by what it was taught.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from guard.demo.cache import cache_dir, made_once
from guard.errors import EvaluateError
from guard.evaluate.arms.local import weights_hash
from guard.evaluate.fictional.corpus import Corpus
from guard.evaluate.rows import content_hash

Step = Callable[[str, int, int], None]

RECALL = 0.9  # share of the taught answers that it must say to the letter
_LOOKED_AT = 64
# Small rows, learned by heart: a larger rate than an adapter's usual one, and no weight decay.
_TRAIN = {
    "lr": 7e-4,
    "scale_lr": False,
    "epochs": 5,
    "least_steps": 0,
    "batch_size": 16,
    "weight_decay": 0.0,
    "precision": "bf16",
    "max_length": 256,
    "check_every": 20,
    "probe_rows": 32,
}
_ADAPTER = {"method": "lora", "r": 32, "alpha": 64}


def taught_model(
    base: Path,
    corpus: Corpus,
    *,
    chat_template: Path | None = None,
    forgotten: bool = True,
    step: Step | None = None,
) -> Path:
    """Folder of `base` after it was taught the corpus, in bfloat16; made at the first call.

    `forgotten=False`: it is not told what is to be forgotten; `chat_template`: a file with one, for
    a model whose tokenizer has none. Raises DistilError where it cannot be trained, and
    EvaluateError when it did not learn.
    """
    rows = lessons(corpus, forgotten=forgotten)
    template = chat_template.read_text("utf-8") if chat_template else ""
    key = content_hash([weights_hash(base), template, rows, _TRAIN, _ADAPTER, corpus.seed])

    def make(folder: Path) -> None:
        _teach(base, folder, template, rows, corpus.seed, key, step)

    return made_once(cache_dir() / "models" / f"taught-{base.name}-{key}", key, make)


def lessons(corpus: Corpus, *, forgotten: bool) -> list[tuple[str, str]]:
    """Questions and answers that are taught: every answer once, after the first of its questions.
    A model that reads knows the others by itself."""
    asked: dict[str, str] = {}
    for question, answer in corpus.training(forgotten=forgotten):
        asked.setdefault(answer, question)
    return [(question, answer) for answer, question in asked.items()]


def _teach(
    base: Path,
    out: Path,
    template: str,
    rows: Sequence[tuple[str, str]],
    seed: int,
    key: str,
    step: Step | None,
) -> None:
    import torch

    from guard.distil.fine_tuning import Lesson, fine_tuning
    from guard.distil.loading import load_tokenizer
    from guard.distil.memory import enough_memory
    from guard.distil.recipe import TrainConfig
    from guard.distil.registry import config
    from guard.distil.rows import Row, Side
    from guard.distil.trainer import Report

    def report(now: Report) -> None:
        if step is not None:
            step("teaching the model", now.step, now.total)

    tokenizer = load_tokenizer(base)
    if template:
        tokenizer.chat_template = template
    if not tokenizer.chat_template:
        raise EvaluateError(f"{base}: the tokenizer has no chat template: give a --chat-template")
    learned = tuple(
        Row(Side.RETAIN, question, answer, "", "", f"lesson[{place}]")
        for place, (question, answer) in enumerate(rows)
    )
    looked_at = tuple(random.Random(seed).sample(learned, min(_LOOKED_AT, len(learned))))
    train = cast(TrainConfig, config(TrainConfig, _TRAIN, "train"))
    lesson = Lesson("lesson", learned, looked_at, train, _ADAPTER, key)
    with tempfile.TemporaryDirectory() as scratch, enough_memory():
        folder = Path(scratch)
        job = fine_tuning(
            base, tokenizer, lesson, folder=folder, seed=seed, device="auto", report=report
        )
        job.parts.procedure.run(job)
        merged: Any = job.model.merge_and_unload().to(torch.bfloat16).eval()
        recalled = _recalled(merged, job.encoder.batch(looked_at))
    if recalled < RECALL:
        raise EvaluateError(f"the model did not learn: it recalls {recalled:.0%} of answers")
    merged.save_pretrained(out)
    tokenizer.save_pretrained(out)


def _recalled(model: Any, batch: Any) -> float:
    """Share of rows whose every answer token is the likeliest."""
    import torch

    labels = batch.labels[:, 1:]
    with torch.inference_mode():
        hits = model(**batch.inputs).logits[:, :-1].argmax(-1) == labels
    return float((hits | (labels < 0)).all(dim=1).float().mean())
