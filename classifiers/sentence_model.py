"""A sentence-transformers folder: what it says it is, or why it cannot be used.

Supported: a transformer encoder with its `tokenizer.json` and safetensors weights, the mean or the
first token as pooling, dense layers after it, normalisation. Anything else is refused with the file
that says so, never approximated. Source of the layout: Reimers and Gurevych, arXiv 1908.10084, and
the library of that name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from classifiers.content import folder_digest
from classifiers.errors import UnsupportedModel

Pooling = Literal["mean", "cls"]

ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU")
DIGEST = 12  # hexadecimal digits in a name
# Their position ids begin after that of padding, so that their table has so many rows too many.
_LATER_POSITIONS = frozenset(
    {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "data2vec-text"}
)
# What a vector depends on.
_HASHED = ("*.json", "*.safetensors", "*/*.json", "*/*.safetensors")
_POOLING_FLAG = "pooling_mode_"


@dataclass(frozen=True)
class Dense:
    """A linear layer after pooling: its folder, and the activation, one of ACTIVATIONS."""

    folder: Path
    activation: str


@dataclass(frozen=True)
class SentenceModel:
    """`folder` as sentence-transformers saves it; `transformer` is where weights and tokenizer are.

    `dimension`: length of a vector; `max_tokens`: rows of the position table that text can use,
    markers included; `padding`: the token id of padding; `vocabulary`: rows of the token table;
    `prompt`: what is put before every text; `known_as`: a name in place of the folder's, for a
    model whose `package` (a distribution) says by its version what the folder holds.
    """

    folder: Path
    transformer: Path
    pooling: Pooling
    dense: tuple[Dense, ...]
    dimension: int
    max_tokens: int
    padding: int
    vocabulary: int
    prompt: str
    known_as: str | None = None
    package: str | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the names and contents of every file that a vector depends on."""
        return folder_digest(self.folder, _HASHED)

    @property
    def name(self) -> str:
        """The folder's name and the beginning of the digest: vectors of two names must not be
        compared."""
        if self.known_as is not None:
            return self.known_as
        plain = re.sub(r"[^\w.-]+", "-", self.folder.resolve().name)
        return f"{plain}@{self.digest[:DIGEST]}"


def read(folder: Path) -> SentenceModel:
    """The model in a folder. Raises UnsupportedModel, with the file and the reason."""
    modules = _json(folder / "modules.json")
    if not isinstance(modules, list) or not all(_is_module(one) for one in modules):
        raise UnsupportedModel(folder / "modules.json", "is no list of modules")
    kinds = [one["type"].rpartition(".")[2] for one in modules]
    places = [folder / one["path"] for one in modules]
    shape = " ".join(kinds)
    if not re.fullmatch(r"Transformer Pooling( Dense)*( Normalize)?", shape):
        raise UnsupportedModel(
            folder / "modules.json",
            f"has the modules {shape}; supported are Transformer, Pooling, any Dense, Normalize",
        )
    transformer = places[0]
    config = _transformer_config(transformer)
    pooling = _pooling(places[1])
    prompt = _prompt(folder, places[1])
    size = _whole(transformer / "config.json", config, "hidden_size", "dim")
    dense = []
    for kind, place in zip(kinds, places, strict=True):
        if kind == "Dense":
            layer, size = _dense(place, size)
            dense.append(layer)
    padding = config.get("pad_token_id") or 0
    positions = _whole(transformer / "config.json", config, "max_position_embeddings")
    if config.get("model_type") in _LATER_POSITIONS:
        positions -= padding + 1
    return SentenceModel(
        folder,
        transformer,
        pooling,
        tuple(dense),
        size,
        positions,
        padding,
        _whole(transformer / "config.json", config, "vocab_size"),
        prompt,
    )


def _transformer_config(place: Path) -> dict[str, Any]:
    file = place / "config.json"
    config = _table(file)
    if "auto_map" in config:
        raise UnsupportedModel(file, "needs code of its own, which is not run")
    if config.get("is_encoder_decoder"):
        raise UnsupportedModel(file, "is an encoder and decoder, not an encoder")
    if not (place / "tokenizer.json").is_file():
        raise UnsupportedModel(place / "tokenizer.json", "is missing: save a fast tokenizer there")
    if not any(place.glob("*.safetensors")):
        raise UnsupportedModel(place, "has no *.safetensors; pickled weights are not read")
    settings = _table(place / "sentence_bert_config.json", missing_is_empty=True)
    if settings.get("do_lower_case"):
        raise UnsupportedModel(
            place / "sentence_bert_config.json",
            "lower-cases text outside the tokenizer (do_lower_case)",
        )
    return config


def _pooling(place: Path) -> Pooling:
    file = place / "config.json"
    config = _table(file)
    modes = config.get("pooling_mode")
    if modes is None:  # as it was written before version 5
        flags = [key for key, on in config.items() if key.startswith(_POOLING_FLAG) and on is True]
        short = {"cls_token": "cls", "mean_tokens": "mean"}
        modes = [short.get(one.removeprefix(_POOLING_FLAG), one) for one in flags]
    if isinstance(modes, str):
        modes = [modes]
    if modes == ["mean"]:
        return "mean"
    if modes == ["cls"]:
        return "cls"
    raise UnsupportedModel(file, f"pools by {modes}; supported are mean and cls, one of them")


def _prompt(folder: Path, pooling: Path) -> str:
    """What stands before every text: the default prompt, or that of a query, since stored prompts
    and those that are compared with them are both questions."""
    file = folder / "config_sentence_transformers.json"
    config = _table(file, missing_is_empty=True)
    prompts = config.get("prompts") or {}
    chosen = config.get("default_prompt_name") or "query"
    prompt = prompts.get(chosen) or ""
    if not isinstance(prompt, str):
        raise UnsupportedModel(file, f"has a prompt {chosen!r} that is no text")
    if prompt and _table(pooling / "config.json").get("include_prompt") is False:
        raise UnsupportedModel(pooling / "config.json", "leaves the prompt out of the mean")
    return prompt


def _dense(place: Path, size: int) -> tuple[Dense, int]:
    """A dense layer on vectors of `size`, and the length of what comes out."""
    file = place / "config.json"
    config = _table(file)
    activation = str(config.get("activation_function")).rpartition(".")[2]
    if activation not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise UnsupportedModel(file, f"has the activation {activation}; supported are {known}")
    names = ("module_input_name", "module_output_name")
    if config.get("use_residual") or any(
        config.get(name) not in (None, "sentence_embedding") for name in names
    ):
        raise UnsupportedModel(file, "is not a plain layer on the sentence's vector")
    if _whole(file, config, "in_features") != size:
        raise UnsupportedModel(file, f"does not take vectors of {size} numbers")
    if not (place / "model.safetensors").is_file():
        raise UnsupportedModel(place, "has no model.safetensors; pickled weights are not read")
    return Dense(place, activation), _whole(file, config, "out_features")


def _is_module(one: Any) -> bool:
    return isinstance(one, dict) and all(isinstance(one.get(key), str) for key in ("type", "path"))


def _whole(file: Path, config: dict[str, Any], *keys: str) -> int:
    """The first of `keys` that the file has, a positive whole number."""
    found = next((config[key] for key in keys if key in config), None)
    if type(found) is not int or found < 1:
        raise UnsupportedModel(file, f"has no {' or '.join(keys)}")
    return found


def _table(file: Path, *, missing_is_empty: bool = False) -> dict[str, Any]:
    if missing_is_empty and not file.exists():
        return {}
    found = _json(file)
    if not isinstance(found, dict):
        raise UnsupportedModel(file, "is no JSON object")
    return found


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise UnsupportedModel(file, "is missing") from None
    except (OSError, ValueError) as error:
        raise UnsupportedModel(file, f"cannot be read: {type(error).__name__}") from None
