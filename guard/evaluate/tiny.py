"""A tiny Llama that has the fictional corpus by heart, so that a whole comparison runs on a CPU.

Trained once on this machine and cached by what it was trained on. It answers questions and
nothing else: what needs instructions followed has no signal with it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from guard.demo.cache import cache_dir, made_once
from guard.errors import EvaluateError
from guard.evaluate.fictional.corpus import Corpus
from guard.evaluate.rows import content_hash
from guard.evaluate.small_llama import prompt_of, small_llama, small_tokenizer

NAME = "tiny"
RECALL = 0.9  # share of trained answers it must say to the letter
# A guarded prompt of `action: reason` alone has some 500 tokens.
LENGTH = 1024
_RECIPE = 3  # part of the cache's key: raise it with every change of training
_VOCABULARY = 1024
_STRANGERS = 400
_OTHER_SEED = 104_729
_BATCH = 32
_EPOCHS = 30
_LEARNING_RATE = 3e-3

# What stands before and after questions in training, so that it answers through a preamble.
_BEFORE = ("", "", "", "Tell me. ", "Hello! ", "One question: ", "I would like to know. ")
_AFTER = ("", "", "", "", " Thank you.", " Please answer.")

Step = Callable[[str, int, int], None]


def tiny_model(
    corpus: Corpus, *, forgotten: bool = True, seed: int | None = None, step: Step | None = None
) -> Path:
    """Folder of the trained model in the transformers layout, made at the first call (minutes).

    `forgotten=False`: one that was never told what is to be forgotten; `seed`: of the training
    alone, the corpus' own when left out. Raises EvaluateError when it did not learn.
    """
    rows = list(corpus.training(forgotten=forgotten))
    drawn = corpus.seed if seed is None else seed
    key = content_hash([_RECIPE, rows, drawn])

    def make(folder: Path) -> None:
        from transformers.utils import logging

        logging.disable_progress_bar()
        tokenizer = tokenizer_of_strangers(corpus)
        model = train(tokenizer, rows, seed=drawn, step=step)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    return made_once(cache_dir() / "models" / f"{NAME}-{key}", key, make)


def tokenizer_of_strangers(corpus: Corpus) -> Any:
    """Trained on people of the same kind, none of the corpus. One that knew the corpus would tell
    who is in it: forgotten names would be few tokens, and invented ones many."""
    strangers = Corpus(_STRANGERS, corpus.seed + _OTHER_SEED)
    return small_tokenizer((text for pair in strangers.training() for text in pair), _VOCABULARY)


def train(
    tokenizer: Any,
    rows: Sequence[tuple[str, str]],
    *,
    seed: int = 0,
    epochs: int = _EPOCHS,
    step: Step | None = None,
) -> Any:
    """A model trained on the answers alone. Raises EvaluateError for one that did not learn."""
    import torch

    torch.manual_seed(seed)
    chance = random.Random(seed)
    tokenizer.model_max_length = LENGTH
    model = small_llama(tokenizer, LENGTH)
    steps = epochs * -(-len(rows) // _BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _LEARNING_RATE, total_steps=steps, pct_start=0.1
    )
    order: list[int] = []
    for done in range(steps):
        if len(order) < _BATCH:
            order += chance.sample(range(len(rows)), len(rows))
        batch, order = order[:_BATCH], order[_BATCH:]
        ids, labels = _batch(tokenizer, [_dressed(rows[at], chance) for at in batch])
        loss = model(
            input_ids=ids, attention_mask=(ids != tokenizer.pad_token_id).long(), labels=labels
        ).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step is not None:
            step("training the tiny model", done + 1, steps)
    model.eval()
    _must_recall(model, tokenizer, chance.sample(list(rows), min(64, len(rows))))
    return model


def _dressed(row: tuple[str, str], chance: random.Random) -> tuple[str, str]:
    question, answer = row
    return f"{chance.choice(_BEFORE)}{question}{chance.choice(_AFTER)}", answer


def _batch(tokenizer: Any, rows: Sequence[tuple[str, str]]) -> tuple[Any, Any]:
    """Ids and labels, both (rows, longest), padded on the right; prompts carry no label."""
    import torch

    prompts = [tokenizer(prompt_of(question)).input_ids for question, _ in rows]
    answers = [tokenizer(f"{answer}<end>").input_ids for _, answer in rows]
    width = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
    ids = torch.full((len(rows), width), tokenizer.pad_token_id)
    labels = torch.full((len(rows), width), -100)
    for place, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        ids[place, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
        labels[place, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
    return ids, labels


def _must_recall(model: Any, tokenizer: Any, rows: Sequence[tuple[str, str]]) -> None:
    import torch

    ids, labels = _batch(tokenizer, rows)
    with torch.inference_mode():
        logits = model(input_ids=ids, attention_mask=(ids != tokenizer.pad_token_id).long()).logits
    hits = (logits[:, :-1].argmax(-1) == labels[:, 1:]) | (labels[:, 1:] == -100)
    recalled = float(hits.all(dim=1).float().mean())
    if recalled < RECALL:
        raise EvaluateError(f"the tiny model did not learn: it recalls {recalled:.0%} of answers")
