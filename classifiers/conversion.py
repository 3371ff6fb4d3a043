"""A packaged transformer as an OpenVINO graph, converted once and kept in a cache folder.

The converter reads the PyTorch model itself, so no exchange format and no second exporter is
involved; docs/decisions/0003-encoder-runtime.md says why this runtime.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

from classifiers.errors import EncoderUnavailable
from classifiers.optional import optional

log = logging.getLogger("classifiers")

GRAPH = "model.xml"
# Converting float32 to float32 reorders sums, no more; beyond this the graph is another model.
MAX_DEVIATION = 1e-4


def cache_folder() -> Path:
    """`$GUARD_CACHE_DIR`, or `guard-forget` in the user's cache folder."""
    chosen = os.environ.get("GUARD_CACHE_DIR")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "guard-forget"


def converted(model: Path, package: str) -> Path:
    """Path of the graph of `model`, out of distribution `package`: cached, or converted now.

    The graph takes `input_ids` and `attention_mask`, both int64 (n, tokens), and returns float32
    (n, d), mean-pooled and L2-normalised. Raises EncoderUnavailable when it cannot be made.
    """
    versions = [f"{name}-{importlib.metadata.version(name)}" for name in (package, "openvino")]
    folder = cache_folder() / "encoders" / "_".join(versions)
    if (folder / GRAPH).exists():
        return folder / GRAPH
    # On a busy machine that takes minutes, in which a server that starts would seem to hang.
    log.info("the encoder is converted for this machine, once: %s", folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made beside its place and moved in whole: a reader sees all of it or nothing, and of two
    # processes that convert at once the second finds the first one's and drops its own.
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    try:
        _convert(model, making / GRAPH)
        making.rename(folder)
    except OSError:
        if not (folder / GRAPH).exists():
            raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return folder / GRAPH


def _convert(model: Path, target: Path) -> None:
    openvino, torch = optional("openvino"), optional("torch")
    transformers = optional("transformers")

    class Pooled(torch.nn.Module):  # type: ignore[name-defined, misc]
        """The transformer, the mean over real tokens and the normalisation as one graph."""

        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformers.AutoModel.from_pretrained(
                str(model), local_files_only=True, attn_implementation="eager"
            )

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            hidden = self.transformer(input_ids=input_ids, attention_mask=attention_mask)[0]
            weight = attention_mask.unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(pooled, dim=1)

    module = Pooled().eval()
    # Token ids from 1000 up are words in BERT vocabularies; the last row is padded.
    ids = torch.arange(1000, 1120).reshape(3, 40)
    mask = torch.ones_like(ids)
    mask[2, 7:] = 0
    shape = ([-1, -1], openvino.Type.i64)
    with torch.inference_mode(), warnings.catch_warnings():
        # Tracing warns of every Python branch it passes; the comparison below is the check.
        warnings.simplefilter("ignore")
        graph = openvino.convert_model(
            module,
            example_input={"input_ids": ids[:2, :12], "attention_mask": mask[:2, :12]},
            input=[shape, shape],
        )
        wanted = module(ids, mask).numpy()
    exact = openvino.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    got = exact([ids.numpy(), mask.numpy()])[0]  # a shape that was not traced
    if abs(1 - (wanted * got).sum(1)).max() > MAX_DEVIATION:
        raise EncoderUnavailable("the converted encoder disagrees with the original")
    openvino.save_model(graph, target, compress_to_fp16=False)
