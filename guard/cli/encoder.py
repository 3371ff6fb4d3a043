"""Options that say which sentence encoder the prompt detectors use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EncoderOption = Annotated[
    Path | None,
    typer.Option(
        "--encoder", help="A sentence-transformers folder; the encoder that ships when left out."
    ),
]
HeadOption = Annotated[
    Path | None,
    typer.Option("--head", help="A head of `guard detector train`: another encoder needs its own."),
]
