"""`guard embed`: forgotten prompts as embeddings, without their words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from guard.cli.encoder import EncoderOption
from guard.cli.progress import progress_bars
from guard.errors import PolicyError, UpstreamError


def embed(
    prompts: Annotated[Path, typer.Argument(help="JSON, JSON Lines, CSV or plain lines.")],
    out: Annotated[Path, typer.Option("--out", help="The file that `forget.embeddings` names.")],
    field: Annotated[
        str | None, typer.Option(help="Which field of each row holds the prompt.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="A model server, without /v1, that words each prompt anew."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model to ask there.")] = None,
    encoder: EncoderOption = None,
) -> None:
    """Keep prompts that must be flagged as embeddings alone: an unlearn store as DRAGON has it.

    The file holds no word of them, nor of any answer; who has it and the encoder can still guess at
    them. It serves a proxy with the same encoder and no other. With --url each prompt is stored in
    its nearest of four other wordings besides. A key for that server is taken from
    GUARD_MODEL_API_KEY. Exit code 2: wrong use, or no such server.

    Example: guard embed questions.jsonl --field question --out policies/data/questions.embeddings
    """
    from classifiers import ClassifierError, open_encoder
    from guard.policy import Embeddings
    from guard.policy.data import load_texts
    from guard.policy.embeddings import write_embeddings
    from guard.reasoning.paraphrases import embedded, writer

    if (url is None) != (model is None):
        typer.echo("--url and --model belong together", err=True)
        raise typer.Exit(2)
    key = os.environ.get("GUARD_MODEL_API_KEY")
    try:
        texts = load_texts(prompts, field)
        used = open_encoder(encoder)
        rows: list[bytes] = []
        write = writer(url, model, key) if url is not None and model is not None else None
        with progress_bars() as progress:
            for number, one in enumerate(embedded(texts, used, write), start=1):
                rows.append(one.rows)
                progress("embedding prompts", number, len(texts))
        held = Embeddings(one.model, one.dimension, b"".join(rows))
        write_embeddings(out, held)
    except (PolicyError, ClassifierError, UpstreamError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    typer.echo(f"{len(held)} embeddings of {len(texts)} prompts in {out}")
