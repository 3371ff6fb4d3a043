"""From a model's folder to a guard model on disk, with a card that says what it is worth."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from guard import __version__
from guard.distil.export import base_hash, read_card, write_result
from guard.distil.generation import generate
from guard.distil.job import Job
from guard.distil.loading import load_tokenizer
from guard.distil.memory import enough_memory, peak_bytes
from guard.distil.probe import mean_loss, probe_rows
from guard.distil.trainer import Report
from guard.errors import GuardModelError
from guard.reasoning.training.data import OnProgress, Rows, made
from guard.reasoning.training.figures import figures
from guard.reasoning.training.settings import DataSettings, SftSettings
from guard.reasoning.training.sft import job_for
from guard.reasoning.training.writer import Writer, remembered, rules

_MEMORY = (
    "out of memory: lower train.at_once, set train.gradient_checkpointing: true or "
    "train.precision: bf16, or train an adapter (leave out --full)"
)


@dataclass(frozen=True, slots=True)
class Options:
    """What a run needs beside its settings. `writer`: None for rules; `writer_name` is kept in the
    card. `chat_template`: a file with one, for a model whose tokenizer has none. `heard` gets the
    held-out rows and what the model writes for them, before and after."""

    model: Path
    out: Path
    device: str = "auto"
    chat_template: Path | None = None
    writer: Writer | None = None
    writer_name: str = "rules"
    progress: OnProgress = field(default=lambda label, done, total: None)
    report: Callable[[Report], None] = field(default=lambda report: None)
    heard: Callable[[Rows, Sequence[str]], None] = field(default=lambda held, texts: None)


def guard_model(data: DataSettings, sft: SftSettings, options: Options) -> dict[str, Any]:
    """Makes the data, fine-tunes, writes the result to `options.out`; gives its card.

    A run that was cut off goes on from its last checkpoint, which stands in `OUT.partial` with what
    a writer wrote. Raises GuardModelError, and DistilError and UpstreamError from below.
    """
    if options.out.exists():
        raise GuardModelError(f"{options.out} exists; choose another --out or remove it")
    tokenizer = _tokenizer(options)
    base = base_hash(options.model)
    partial = options.out.with_name(f"{options.out.name}.partial")
    writer = rules(data.seed)
    if options.writer is not None:
        writer = remembered(options.writer, partial / "written.jsonl")
    train = made("train", data, writer, options.progress)
    held = made("calibrate", data, writer, options.progress)
    with enough_memory(_MEMORY):
        job = job_for(
            options.model,
            tokenizer,
            (train, held),
            sft,
            base=base,
            folder=partial,
            seed=data.seed,
            device=options.device,
            report=options.report,
        )
        before = judged(job, held, sft.answer_tokens, options.heard)
        job.parts.procedure.run(job)
        after = judged(job, held, sft.answer_tokens, options.heard)
    card = {
        "guard": __version__,
        "kind": "guard model",
        "form": job.parts.parameters.form,
        "source": "DRAGON, arXiv 2511.05784, section 4",
        "base": {"hash": base, "path": str(options.model)},
        "data": {
            "writer": options.writer_name,
            "train": {"hash": train.hash, "rows": len(train.examples), "rejected": train.rejected},
            "held_out": {"hash": held.hash, "rows": len(held.examples), "rejected": held.rejected},
        },
        "seed": data.seed,
        "settings": {"data": asdict(data), "sft": {**asdict(sft), "lr": sft.rate}},
        "steps": job.step,
        "history": job.history,
        "held_out": {"before": before, "after": after},
        "peak_memory_bytes": peak_bytes(),
    }
    if job.accelerator.is_main_process:
        save = job.parts.parameters.save
        write_result(options.out, lambda folder: save(job, folder), card, _readme)
        shutil.rmtree(job.folder, ignore_errors=True)
    job.accelerator.wait_for_everyone()
    return read_card(options.out)


def judged(
    job: Job, held: Rows, tokens: int, heard: Callable[[Rows, Sequence[str]], None]
) -> dict[str, float]:
    """The model as it is now, on requests that nothing is trained on: greedy, as it is served."""
    texts = generate(job.model, job.encoder, [one.prompt for one in held.examples], tokens)
    heard(held, texts)
    found = figures(texts, [one.request for one in held.examples])
    return {**asdict(found), "loss": round(mean_loss(job, probe_rows(job)), 4)}


def _tokenizer(options: Options) -> Any:
    tokenizer = load_tokenizer(options.model)
    if options.chat_template is not None:
        try:
            tokenizer.chat_template = options.chat_template.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise GuardModelError(f"{options.chat_template}: cannot be read: {error}") from None
    if not tokenizer.chat_template:
        raise GuardModelError(
            f"{options.model}: the tokenizer has no chat template, and a server asks a guard model "
            "through one: give the file that will serve it as --chat-template"
        )
    return tokenizer


def _readme(card: dict[str, Any]) -> str:
    """The card for people."""
    before, after = card["held_out"]["before"], card["held_out"]["after"]
    rows = "\n".join(f"| {name} | {before[name]} | {after[name]} |" for name in after)
    data = card["data"]
    return f"""# Guard model

Writes the instructions of `action: reason`. Made by `guard detector guard-model` from invented
people; it has seen no policy. `guard_model.url` and `guard_model.model` of `guard serve` say where
it is served.

- form: {card["form"]}
- base model: `{card["base"]["hash"]}`
- data: `{data["train"]["hash"]}`, {data["train"]["rows"]} rows, written by {data["writer"]}
- held out: `{data["held_out"]["hash"]}`
- seed: {card["seed"]}
- steps: {card["steps"]}

| held out | before | after |
|---|---|---|
{rows}
"""
