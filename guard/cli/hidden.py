"""`guard detector hidden`: GUARD's prompt classifiers, on the served model's hidden states."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from classifiers.errors import ClassifierError
from guard.cli.progress import progress_bars
from guard.errors import DetectorError, PolicyError
from guard.policy import load_policy_set


def hidden(
    policies: Annotated[
        Path, typer.Option(exists=True, help="A policy file, or a directory of them.")
    ],
    model: Annotated[
        Path, typer.Option(exists=True, help="The served model, in the transformers layout.")
    ],
    out: Annotated[Path, typer.Option(help="The folder for the classifiers, one file a policy.")],
    target: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="The share of unwanted prompts that may count.")
    ] = 0.001,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same classifiers.")] = 0,
    again: Annotated[bool, typer.Option(help="Train those that are there already, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a classifier for each policy on the served model's own hidden states, as GUARD has it.

    What is there for a policy's content and this model stays, so that another request trains only
    its own. What must not count is invented: no retain data goes in. The threshold is set on other
    invented people, asked about in other words. A policy that nothing can be asked of is left out.
    Serve with `detect.hidden_states`. Exits with 2 when a policy, the model or a file in the folder
    cannot be read.
    """
    from classifiers.hidden_states import HiddenStates
    from guard.hidden.files import kept
    from guard.hidden.training import Trainer, train_missing

    with progress_bars() as progress:
        try:
            found = load_policy_set(policies, progress=progress).policies
            states = HiddenStates(model)
            out.mkdir(parents=True, exist_ok=True)
            known = {} if again else kept(out, found, states.name)
            trainer = Trainer(states, target=target, seed=seed, progress=progress)
            outcomes = list(train_missing(found, trainer, out, known))
        except (PolicyError, DetectorError, ClassifierError, OSError, ValueError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from error
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in outcomes], indent=2))
        return
    for one in outcomes:
        figures = (
            f"{one.state}, threshold {one.threshold:.1f}, at most {one.high:.2%} of other prompts, "
            f"finds {one.found:.0%} of its own in other frames"
        )
        typer.echo(f"{one.policy}: {figures if one.state == 'trained' else one.state}")
