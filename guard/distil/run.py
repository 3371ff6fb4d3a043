"""From policies and a model to a result on disk."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import torch

from guard import __version__
from guard.distil.axes import Combiner, Objective, Parameters, Procedure, Sampler
from guard.distil.checkpoints import FORMAT
from guard.distil.data import build_data
from guard.distil.data.general import general_rows
from guard.distil.data.in_force import in_force
from guard.distil.encoding import Encoder
from guard.distil.errors import DistilError
from guard.distil.export import base_hash, read_card, write_result
from guard.distil.generation import generate
from guard.distil.job import Job, Parts
from guard.distil.loading import load_model, load_tokenizer
from guard.distil.memory import LOADING, enough_memory, peak_bytes
from guard.distil.part import Axis, Need
from guard.distil.probe import side_losses
from guard.distil.recipe import Recipe, TrainConfig
from guard.distil.registry import build
from guard.distil.rows import Data
from guard.distil.trainer import Report
from guard.policy import PolicySet

# Of the smallest model that the published rates are used on, Llama 3.2 1B.
PUBLISHED_WIDTH = 2048


@dataclass(frozen=True, slots=True)
class Options:
    """What a run needs beside its recipe. `shadow`: policies that only watch are baked in too;
    `today` (UTC) decides which have expired. `warn` is told what the model card's `warnings` say.
    """

    model: Path
    out: Path
    seed: int = 0
    device: str = "auto"
    report: Callable[[Report], None] = field(default=lambda report: None)
    shadow: bool = False
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    warn: Callable[[str], None] = field(default=lambda warning: None)


def distil(policies: PolicySet, recipe: Recipe, options: Options) -> dict[str, Any]:
    """Runs a recipe and writes its result to `options.out`; gives the model card.

    A run that was cut off goes on from its last checkpoint, which stands in `OUT.partial`.
    Raises `DistilError` for anything that stands against it.
    """
    if options.out.exists():
        raise DistilError(f"{options.out} exists; choose another --out or remove it")
    with enough_memory():
        job = start(policies, recipe, options)
        before = side_losses(job)
        job.parts.procedure.run(job)
        after = side_losses(job)
        job.outcome |= {f"{side}_loss": [before[side], after[side]] for side in before}
        if job.accelerator.is_main_process:
            card = _card(job, options)
            write_result(options.out, lambda folder: _save(job, folder), card)
            shutil.rmtree(job.folder, ignore_errors=True)
        job.accelerator.wait_for_everyone()
    return read_card(options.out)


def start(policies: PolicySet, recipe: Recipe, options: Options) -> Job:
    """A job that is ready to run: model loaded and wrapped, data built, parts prepared."""
    chosen, left_out = in_force(policies, options.today, shadow=options.shadow)
    accelerator = accelerator_for(recipe.train.precision, options.device)
    torch.manual_seed(options.seed)
    parts = _build_parts(recipe)
    base = base_hash(options.model)
    with enough_memory(LOADING):
        tokenizer = load_tokenizer(options.model)
        model = load_for(options.model, parts.parameters.form, accelerator)
    recipe = _at_width(recipe, model)
    encoder = encoder_for(tokenizer, model, recipe.train)
    tokens = recipe.data.answer_tokens
    data = build_data(
        chosen.policies, recipe.data, lambda prompts: generate(model, encoder, prompts, tokens)
    )
    data = _fitting(parts, data).holding_out(recipe.data.held_out, options.seed)
    data, blind = _looked_at(data)
    budget = recipe.train.retain_budget
    main = accelerator.is_main_process
    job = Job(
        model=model,
        encoder=encoder,
        data=data,
        recipe=recipe,
        parts=parts,
        accelerator=accelerator,
        policies=chosen,
        warnings=(*(f"{name} {reason}" for name, reason in left_out.items()), *blind),
        seed=options.seed,
        generator=torch.Generator().manual_seed(options.seed),
        folder=options.out.with_name(f"{options.out.name}.partial"),
        fingerprint=_fingerprint(base, data, recipe, options.seed),
        retain_budget=_strictest(chosen) if budget is None else budget,
        report=options.report if main else lambda report: None,
        outcome={"base_hash": base},
    )
    for warning in job.warnings if main else ():
        options.warn(warning)
    attach(job)
    return job


def encoder_for(tokenizer: Any, model: Any, train: TrainConfig) -> Encoder:
    """Encodes rows for a model, with every token that ends its turns."""
    return Encoder(
        tokenizer,
        max_length=train.max_length,
        prompt_format=train.prompt_format,
        end_ids=_end_ids(model),
    )


def load_for(folder: Path, form: str, accelerator: Any) -> Any:
    """The base model where it is trained: in half precision only under an adapter."""
    half = accelerator.mixed_precision == "bf16" and form == "adapter"
    model = load_model(folder, torch.bfloat16 if half else torch.float32)
    return model.to(accelerator.device)


def attach(job: Job) -> None:
    """Wraps the model, then lets every part prepare on it."""
    parameters = job.parts.parameters
    parameters.prepare(job)
    job.model = parameters.attach(job)
    if job.recipe.train.gradient_checkpointing:
        job.model.gradient_checkpointing_enable({"use_reentrant": False})
        job.model.enable_input_require_grads()
    job.wrapped = job.accelerator.prepare(job.model)
    job.model = job.accelerator.unwrap_model(job.wrapped)
    for part in job.parts:
        if part is not parameters:
            part.prepare(job)


def _build_parts(recipe: Recipe) -> Parts:
    built = {axis: build(axis, recipe.axes[axis]) for axis in Axis if axis in recipe.axes}
    retain = built.get(Axis.RETAIN)
    if retain is not None and retain.about.name == "none":
        retain = None
    parameters = built.get(Axis.PARAMETERS) or build(Axis.PARAMETERS, {"method": "full"})
    return Parts(
        forget=cast("Objective[Any] | None", built.get(Axis.FORGET)),
        retain=cast("Objective[Any] | None", retain),
        combine=cast("Combiner[Any] | None", built.get(Axis.COMBINE)),
        sample=cast("Sampler[Any] | None", built.get(Axis.SAMPLE)),
        parameters=cast("Parameters[Any]", parameters),
        procedure=cast("Procedure[Any]", built[Axis.PROCEDURE]),
    )


def _fitting(parts: Parts, data: Data) -> Data:
    """The data without rows that a part can't use. Raises `DistilError` where it lacks some."""
    for part in parts:
        needs = part.about.needs
        name = f"{part.about.axis} {part.about.name}"
        if Need.PROMPTS in needs:
            asked = tuple(row for row in data.forget if row.prompt is not None)
            if not asked:
                raise DistilError(f"{name} needs questions: give `pairs`, `prompts` or entities")
            data = replace(data, forget=asked)
        if Need.RETAIN in needs and not data.keep():
            raise DistilError(
                f"{name} needs rows to keep: give `retain` pairs or prompts in a policy, set "
                "data.general, or choose retain: none"
            )
        if Need.GENERAL in needs and not data.general:
            raise DistilError(f"{name} needs general rows: set data.general to shipped or model")
    return data


def _looked_at(data: Data) -> tuple[Data, list[str]]:
    """The data with rows for the looks, and a warning where these have to be the shipped ones.

    A budget that looks at nothing would let everything pass.
    """
    if data.held or data.keep():
        return data, []
    warning = (
        "there are no rows to keep: the retain budget is held on the general questions that ship "
        "with guard alone; give `retain` pairs or prompts of what must stay"
    )
    return replace(data, held=general_rows()), [warning]


def accelerator_for(precision: str, device: str) -> Any:
    """The device and precision of a run; `device`: "auto" or "cpu"."""
    from accelerate import Accelerator
    from accelerate.utils import DistributedDataParallelKwargs

    cpu = device == "cpu" or not torch.cuda.is_available()
    wanted = precision
    if wanted == "auto":
        wanted = "bf16" if not cpu and torch.cuda.is_bf16_supported() else "fp32"
    # Objectives on hidden states leave the layers above them without a gradient.
    ddp = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(
        cpu=cpu, mixed_precision="no" if wanted == "fp32" else "bf16", kwargs_handlers=[ddp]
    )


def _end_ids(model: Any) -> tuple[int, ...]:
    ends = getattr(model.generation_config, "eos_token_id", None)
    return (ends,) if isinstance(ends, int) else tuple(ends or ())


def _at_width(recipe: Recipe, model: Any) -> Recipe:
    """The recipe with its rate for a model of this width, where `train.scale_lr`.

    Published rates leave a narrow model where it is: with Adam, what a layer gives moves by about
    width x rate. The root of the ratio is a rule of thumb; the whole of it broke a Llama of width
    128. Wide models keep the published rate.
    """
    if not recipe.train.scale_lr:
        return recipe
    width = int(model.config.get_text_config().hidden_size)
    lr = recipe.train.lr * max(1.0, PUBLISHED_WIDTH / width) ** 0.5
    return replace(recipe, train=replace(recipe.train, lr=lr, scale_lr=False))


def _strictest(policies: PolicySet) -> float:
    return min(policy.distil.retain_budget for policy in policies.policies)


def _fingerprint(base: str, data: Data, recipe: Recipe, seed: int) -> str:
    named = [__version__, FORMAT, base, data.hash, recipe.as_dict(), seed]
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()


def _save(job: Job, folder: Path) -> None:
    job.parts.procedure.save(job, folder)
    traces = [row.trace() for row in job.data.all]
    lines = "".join(json.dumps(trace) + "\n" for trace in traces)
    (folder / "rows.jsonl").write_text(lines, "utf-8")
    (folder / "history.json").write_text(json.dumps(job.history), "utf-8")


def _card(job: Job, options: Options) -> dict[str, Any]:
    outcome = dict(job.outcome)
    return {
        "guard": __version__,
        "claim": str(job.recipe.claim),
        "form": job.parts.procedure.form or job.parts.parameters.form,
        "recipe": job.recipe.as_dict(),
        "sources": list(job.recipe.sources),
        "seed": options.seed,
        "base": {"hash": outcome.pop("base_hash"), "path": str(options.model)},
        "policy_set": job.policies.hash,
        "policies": {policy.name: policy.hash for policy in job.policies.policies},
        "warnings": list(job.warnings),
        "data": {
            "hash": job.data.hash,
            "forget": len(job.data.forget),
            "retain": len(job.data.retain),
            "general": len(job.data.general),
            "held_out": len(job.data.held),
            "dropped": list(job.data.dropped),
        },
        "retain_budget": job.retain_budget,
        "outcome": {**outcome, "peak_memory_bytes": peak_bytes()},
    }
