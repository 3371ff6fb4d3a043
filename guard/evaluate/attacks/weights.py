"""Attacks by somebody who holds the weights: quantising and relearning.

Sources: FailureLLMUnlearning (quantisation), BLUR (relearning). Quantisation here is rounding to
the nearest value, per output row for 8 bits and per group of 64 for 4, of all linear layers, done
on the weights themselves: no kernel, the same arithmetic everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from guard.evaluate.rendering import answered, rendered
from guard.evaluate.rows import Row, ask, every

Change = Callable[[Any, Any], Any]
Texts = Literal["forget", "adjacent", "unrelated"]

GROUP = 64
RELEARN_RATE = 1e-4
RELEARN_EPOCHS = 3

UNRELATED = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt.",
    "Water boils at a lower temperature on a high mountain, because the air there is thinner.",
    "Stir the flour into the melted butter, then add the warm milk a little at a time.",
    "A triangle with sides of three, four and five has a right angle opposite the longest side.",
)


@dataclass(frozen=True, slots=True)
class WeightAttack:
    """`prepare(rows)`: what is done to the model, and the rows that are then asked."""

    name: str
    what: str
    prepare: Callable[[Sequence[Row]], tuple[Change, list[Row]]]


def _quantised(bits: int) -> WeightAttack:
    def prepare(rows: Sequence[Row]) -> tuple[Change, list[Row]]:
        return lambda model, tokenizer: quantise(model, bits), list(rows)

    return WeightAttack(f"{bits} bits", f"weights rounded to {bits} bits", prepare)


def quantise(model: Any, bits: int) -> Any:
    """Rounds the weights of every linear layer in place; the output layer too."""
    import torch

    top = 2 ** (bits - 1) - 1
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Linear):
                weight = module.weight
                width = weight.shape[1]
                size = GROUP if bits < 8 and width % GROUP == 0 else width
                rows = weight.view(-1, size)
                scale = rows.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / top
                rows.copy_((rows / scale).round().clamp(-top - 1, top) * scale)
    return model


def _relearned(kind: Texts, most: int | None) -> WeightAttack:
    """Half of the forget rows is asked; the other half is what `forget` relearns from. `most`:
    texts, spread over all that there are."""

    def prepare(rows: Sequence[Row]) -> tuple[Change, list[Row]]:
        subjects = sorted({row.subject for row in rows if row.goal == "forget"})
        shown = set(subjects[::2])
        asked = [row for row in rows if row.goal == "forget" and row.subject not in shown]
        told = [row for row in rows if row.answer]
        if kind == "forget":
            texts = [_text(r) for r in told if r.goal == "forget" and r.subject in shown]
        elif kind == "adjacent":
            texts = [_text(row) for row in told if row.goal == "retain"]
        else:
            texts = [("", text) for text in UNRELATED]
        if not texts:  # of open rows nobody wrote down what a model could learn again
            asked = []
        texts = list(every(texts, most))
        return lambda model, tokenizer: relearn(model, tokenizer, texts), asked

    what = {"forget": "other forgotten subjects", "adjacent": "what was kept", "unrelated": "prose"}
    told = f"fine-tuned on {what[kind]}" + (f", at most {most} texts" if most else "")
    return WeightAttack(f"relearning: {kind}", told, prepare)


def _text(row: Row) -> tuple[str, str]:
    return row.question, row.answer


def relearn(
    model: Any,
    tokenizer: Any,
    texts: Sequence[tuple[str, str]],
    *,
    epochs: int = RELEARN_EPOCHS,
    rate: float = RELEARN_RATE,
) -> Any:
    """Fine-tunes in place on questions and answers (a text alone where the question is empty)."""
    import torch

    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0)
    model.train()
    for _ in range(epochs):
        for question, answer in texts:
            before, after = "", answer
            if question and tokenizer.chat_template:
                asked = ask(question)
                before, after = rendered(tokenizer, asked), answered(tokenizer, asked, answer)
            prompt = tokenizer(before, add_special_tokens=False).input_ids
            said = tokenizer(after, add_special_tokens=False).input_ids
            ids = torch.tensor([[*prompt, *said]])
            labels = torch.tensor([[*[-100] * len(prompt), *said]])
            loss = model(input_ids=ids, labels=labels).loss
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
    model.eval()
    return model


def weight_attacks(most: int | None = None) -> tuple[WeightAttack, ...]:
    """All of them; `most`: texts that a model relearns from, for one that takes long to train."""
    kinds: tuple[Texts, ...] = ("forget", "adjacent", "unrelated")
    return (_quantised(8), _quantised(4), *(_relearned(kind, most) for kind in kinds))


WEIGHT_ATTACKS = weight_attacks()
