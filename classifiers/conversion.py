"""A sentence-transformers model as an OpenVINO graph, converted once and kept in a cache folder.

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

import numpy as np
import numpy.typing as npt

from classifiers.errors import EncoderUnavailable, UnsupportedModel
from classifiers.optional import optional
from classifiers.sentence_model import SentenceModel

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


def converted(model: SentenceModel) -> Path:
    """Path of the graph of `model`: cached by its content, or by the version of the distribution
    it came in, or converted now.

    The graph takes `input_ids` and `attention_mask`, both int64 (n, tokens), and returns float32
    (n, d), pooled and L2-normalised. Raises EncoderUnavailable when it cannot be made,
    UnsupportedModel when the weights are not what the folder says.
    """
    versions = ("openvino",) if model.package is None else (model.package, "openvino")
    parts = [f"{name}-{importlib.metadata.version(name)}" for name in versions]
    if model.package is None:
        parts.insert(0, model.digest)
    folder = cache_folder() / "encoders" / "_".join(parts)
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


def _convert(model: SentenceModel, target: Path) -> None:
    openvino, torch = optional("openvino"), optional("torch")
    module = _pooled(model).eval()
    drawn, masked = _probe(model)
    ids, mask = torch.from_numpy(drawn), torch.from_numpy(masked)
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
    got = exact([drawn, masked])[0]  # a shape that was not traced
    if got.shape != (len(drawn), model.dimension):
        raise UnsupportedModel(model.folder, f"makes vectors {got.shape}, not as its files say")
    if abs(1 - (wanted * got).sum(1)).max() > MAX_DEVIATION:
        raise EncoderUnavailable("the converted encoder disagrees with the original")
    openvino.save_model(graph, target, compress_to_fp16=False)


def _probe(model: SentenceModel) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Token ids from all over the vocabulary, and their mask: the last row is padded."""
    drawn = np.arange(120, dtype=np.int64) * 7919 % model.vocabulary
    drawn[drawn == model.padding] = (model.padding + 1) % model.vocabulary
    ids = drawn.reshape(3, 40)
    mask = np.ones_like(ids)
    mask[2, 7:] = 0
    ids[2, 7:] = model.padding
    return ids, mask


def _pooled(model: SentenceModel) -> Any:
    torch, transformers = optional("torch"), optional("transformers")

    class Pooled(torch.nn.Module):  # type: ignore[name-defined, misc]
        """Transformer, pooling, dense layers and the normalisation as one graph."""

        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformers.AutoModel.from_pretrained(
                str(model.transformer),
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                attn_implementation="eager",
            )
            self.layers = torch.nn.Sequential(*_dense_layers(model))

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            hidden = self.transformer(input_ids=input_ids, attention_mask=attention_mask)[0]
            if model.pooling == "cls":
                pooled = hidden[:, 0]
            else:
                weight = attention_mask.unsqueeze(-1).to(hidden.dtype)
                pooled = (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(self.layers(pooled), dim=1)

    return Pooled()


def _dense_layers(model: SentenceModel) -> list[Any]:
    """The dense layers after pooling, with their activations."""
    torch = optional("torch")
    found: list[Any] = []
    for one in model.dense:
        file = one.folder / "model.safetensors"
        held = optional("safetensors.torch").load_file(file)
        weight, bias = held.get("linear.weight"), held.get("linear.bias")
        if weight is None:
            raise UnsupportedModel(file, "holds no linear.weight")
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
        layer.load_state_dict(
            {"weight": weight.float()} | ({} if bias is None else {"bias": bias.float()})
        )
        found += [layer, getattr(torch.nn, one.activation)()]
    return found
