"""`guard detector`: train, calibrate, report. Exit codes: 0 done, 1 found something, 2 misuse."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from classifiers.errors import ClassifierError
from guard.cli.encoder import EncoderOption, HeadOption
from guard.cli.guard_model import guard_model
from guard.cli.hidden import hidden
from guard.cli.progress import progress_bars
from guard.config import DetectSettings
from guard.errors import DetectorError, PolicyError
from guard.policy import AppliesTo, PolicySet, load_policy_set

app = typer.Typer(
    name="detector",
    help="Train, calibrate and report on the prompt detectors; make a guard model.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command(
    "guard-model",
    epilog="Example: guard detector guard-model --model models/llama --out guard-model",
)(guard_model)
app.command(
    "hidden",
    epilog="Example: guard detector hidden --policies policies --model models/llama --out heads",
)(hidden)

OutOption = Annotated[Path, typer.Option("--out", help="Where the head goes, as JSON.")]
TargetOption = Annotated[
    float, typer.Option(min=0.0, max=0.5, help="The share of unwanted prompts that may count.")
]
SubjectsOption = Annotated[
    int, typer.Option(min=2, max=500, help="How many people are invented for each corpus.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Which people: the same seed, the same ones.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command("train", epilog="Example: guard detector train --out head.json")
def train_command(
    out: OutOption,
    subjects: SubjectsOption = 300,
    seed: SeedOption = 0,
    target: TargetOption = 0.001,
    encoder: EncoderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the head that weighs facts and similarity, from invented people alone.

    No policy and no retain data go in: the head is the same for every subject, so that adding or
    withdrawing one trains nothing. The threshold is set on other invented people, asked about in
    other words. Minutes on one core. With --encoder the head also holds what that encoder's cosines
    say on the scale that thresholds are stated on, and serves that encoder alone. Exits with 2
    without the `detect` extra.
    """
    from classifiers import MiniLM, open_encoder
    from classifiers.encoder import model_of
    from classifiers.scale import SAME
    from classifiers.training.corpus import corpus
    from classifiers.training.scale import matched
    from classifiers.training.train import train

    parts = [corpus(half, subjects=subjects, seed=seed) for half in ("train", "calibrate")]
    try:
        used = open_encoder(encoder)
        scale = SAME if encoder is None else matched(used.encode, MiniLM().encode, parts[0])
        made_with = model_of(used.name)
        trained = train(
            parts[0], parts[1], used.encode, target=target, encoder=made_with, scale=scale
        )
        out.write_text(trained.saved() + "\n")
    except (ClassifierError, OSError) as error:
        raise _misuse(error) from error
    _told(json.loads(trained.saved()), as_json)


@app.command(
    "calibrate", epilog="Example: guard detector calibrate --head head.json --out strict.json"
)
def calibrate_command(
    head: Annotated[Path, typer.Option(exists=True, help="A head of `guard detector train`.")],
    out: OutOption,
    subjects: SubjectsOption = 300,
    seed: SeedOption = 0,
    target: TargetOption = 0.001,
    encoder: EncoderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a head's threshold anew, for another target or on more invented people.

    Exits with 2 when the file is no head of this version, or of another encoder, or without the
    `detect` extra.
    """
    from classifiers import open_encoder
    from classifiers.head import check_encoder, load
    from classifiers.training.corpus import corpus
    from classifiers.training.train import calibrated

    made = corpus("calibrate", subjects=subjects, seed=seed)
    try:
        before, used = load(head), open_encoder(encoder)
        check_encoder(f"the head {head}", before.encoder, used.name)
        found = calibrated(before, made, used.encode, target=target)
        out.write_text(found.saved() + "\n")
    except (ClassifierError, OSError, ValueError) as error:
        raise _misuse(error) from error
    _told(json.loads(found.saved()), as_json)


@app.command("report", epilog="Example: guard detector report policies/")
def report_command(
    path: Annotated[
        Path,
        typer.Argument(exists=True, readable=True, help="A policy file, or a directory of them."),
    ],
    encoder: EncoderOption = None,
    head: HeadOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what each policy's detectors rest on, and how often they cry wolf.

    Asks the set about prompts that mean none of its subjects: about invented people and about
    nobody. Every policy is asked as if it were enforced today on everybody. Nothing forgotten is
    printed. Exits with 1 when a prompt was flagged.
    """
    from guard.detector_report import detector_report
    from guard.nearest import LocalNearest

    with progress_bars() as progress:
        try:
            found = load_policy_set(path, progress=progress)
            everybody = tuple(
                replace(policy, applies_to=AppliesTo(), until=None) for policy in found.policies
            )
            local = LocalNearest(DetectSettings(encoder=encoder, head=head), progress=progress)
            try:
                report = detector_report(PolicySet(everybody), local, progress=progress)
            finally:
                local.close()
        except (PolicyError, DetectorError) as error:
            raise _misuse(error) from error
    rows = report.as_json()
    if as_json:
        _told(rows, as_json)
    else:
        typer.echo(
            f"{report.false_alarms} of {report.probes} prompts about nobody here were flagged "
            f"(at most {report.high:.2%} with 95 % certainty)"
        )
        for policy in report.policies:
            typer.echo(
                f"{policy.policy}: {policy.names} names, {policy.prompts} prompts, {policy.facts} "
                f"answers, similarity {policy.similarity:g}, {policy.false_alarms} false alarms"
            )
    if report.false_alarms:
        raise typer.Exit(1)


def _told(value: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(value, indent=2))
    else:
        typer.echo(f"threshold {value['threshold']:.4f} at {value['target']:.2%} false alarms")


def _misuse(error: Exception) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(2)
