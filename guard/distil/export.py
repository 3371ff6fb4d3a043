"""The result on disk: written beside its place, sealed by a card, renamed into it whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from guard.distil.errors import DistilError

CARD = "guard.json"
README = "README.md"


def write_result(
    folder: Path,
    save: Callable[[Path], None],
    card: dict[str, Any],
    describe: Callable[[dict[str, Any]], str] | None = None,
) -> None:
    """Fills `folder` by `save` and the model card; it appears only when it is complete. `describe`
    writes the card for people, where it is not one of policies.

    Raises `DistilError` when the disk is full or not writable; nothing is then left behind.
    """
    scratch = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
        save(scratch)
        readme = (describe or _readme)(card)
        (scratch / README).write_text(readme, "utf-8")  # peft writes one of its own
        files = {path.name: file_hash(path) for path in sorted(scratch.iterdir()) if path.is_file()}
        sealed = {**card, "files": files}
        (scratch / CARD).write_text(json.dumps(sealed, indent=2, sort_keys=True), "utf-8")
        for path in scratch.iterdir():
            _sync(path)
        scratch.replace(folder)
        _sync(folder.parent)
    except OSError as error:
        raise DistilError(f"the result could not be written to {folder}: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def read_card(folder: Path) -> dict[str, Any]:
    """The model card of a result. Raises `DistilError` when it is not whole."""
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text("utf-8"))
        files = dict(card["files"])
        for name, digest in files.items():
            if file_hash(folder / name) != digest:
                raise DistilError(f"{folder / name} is not the file that the model card names")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DistilError(f"{folder} holds no whole result of `guard distil`: {error}") from error
    return card


def file_hash(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def base_hash(folder: Path) -> str:
    """SHA-256 over a model's configuration and weights, by file name.

    Raises `DistilError` when the folder holds none.
    """
    try:
        within = list(folder.iterdir())
    except OSError as error:
        raise DistilError(f"{folder} holds no weights: {error.strerror}") from error
    files = sorted(
        path
        for path in within
        if path.name == "config.json" or path.suffix in (".safetensors", ".bin")
    )
    if not any(path.suffix in (".safetensors", ".bin") for path in files):
        raise DistilError(f"{folder} holds no weights (*.safetensors or *.bin)")
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}:{file_hash(path)}\n".encode())
    return digest.hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _readme(card: dict[str, Any]) -> str:
    """The card for people. It names policies, never what they forget."""
    rows = "\n".join(f"| {name} | `{hash_}` |" for name, hash_ in card["policies"].items())
    outcome = "\n".join(f"- {name}: {value}" for name, value in sorted(card["outcome"].items()))
    warnings = "".join(f"- warning: {text}\n" for text in card["warnings"])
    recipe = card["recipe"]
    return f"""# {recipe["name"]}

{recipe["description"]}

Made by `guard distil` from forget policies. It claims a change of {card["claim"]}; whether that
holds for your policies is what `guard evaluate` measures.

- form: {card["form"]}
- base model: `{card["base"]["hash"]}`
- policy set: `{card["policy_set"]}`
- seed: {card["seed"]}
{warnings}{outcome}

| policy | hash |
|---|---|
{rows}

Sources: {"; ".join(card["sources"])}
"""
