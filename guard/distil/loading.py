"""A model and its tokenizer from a local folder; the network is never asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from guard.distil.errors import DistilError
from guard.distil.memory import is_exhausted


def load_model(folder: Path, dtype: torch.dtype) -> Any:
    """The causal model in that precision. Raises `DistilError`."""
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # ours is enough
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True)
    except (OSError, ValueError) as error:
        if is_exhausted(error):  # the files are whole
            raise
        raise DistilError(f"{folder}: no causal model can be loaded: {error}") from error
    return in_one_piece(model.eval())


def in_one_piece(model: Any) -> Any:
    """The same model, whose output layer is given its input as one piece of memory.

    A slice of hidden states (the last places alone, as in generation) is none: for it torch copies
    the layer's weights once a row on a processor, which of a large vocabulary is gigabytes.
    """
    layer = model.get_output_embeddings()
    layer.register_forward_pre_hook(lambda layer, given: (given[0].contiguous(), *given[1:]))
    return model


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer. Raises `DistilError`."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise DistilError(f"{folder}: no tokenizer can be loaded: {error}") from error
