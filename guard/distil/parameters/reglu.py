"""LoRA that starts in what is forgotten and is kept away from what is retained."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from guard.distil.blocks import batches, seen
from guard.distil.errors import DistilError
from guard.distil.job import Job
from guard.distil.parameters.lora import LoRA, LoRAConfig
from guard.distil.part import Axis, Need
from guard.distil.registry import register
from guard.distil.rows import Row

_ADAPTER = "default"


@dataclass(frozen=True, slots=True)
class REGLUConfig(LoRAConfig):
    """`beta` weighs what is retained against what is forgotten in the start; `weight` (lambda)
    and the `k` strongest retained directions make the penalty; covariances come from `rows` rows
    a side. The paper's for TOFU; for WMDP: beta 0.5, dropout 0.05, 100 steps at 1e-5.
    """

    r: Annotated[int, Field(ge=1)] = 32
    alpha: Annotated[float, Field(gt=0)] = 64
    beta: Annotated[float, Field(ge=0, le=1)] = 0.7
    weight: Annotated[float, Field(ge=0)] = 0.5
    k: Annotated[int, Field(ge=1)] = 128
    rows: Annotated[int, Field(ge=1)] = 256


def start_directions(forget: Tensor, retain: Tensor, beta: float, r: int) -> Tensor:
    """Top-r eigenvectors [out, r] of (1 - beta) C_f - beta C_r, uncentred covariances.

    Inputs are pooled outputs, [rows, out]. Computed in the rows' span where that is the smaller.
    """
    sides = [(forget, 1 - beta, 1.0), (retain, beta, -1.0)]
    factors = torch.cat([x.T * (share / len(x)) ** 0.5 for x, share, _ in sides], 1)
    signs = torch.cat([x.new_full((len(x),), sign) for x, _, sign in sides])
    if factors.shape[1] < r or factors.shape[1] >= factors.shape[0]:
        return _top((factors * signs) @ factors.T, r)
    span, small = torch.linalg.qr(factors)
    return span @ _top((small * signs) @ small.T, r)


def strongest(states: Tensor, k: int) -> Tensor:
    """Top-k eigenvectors [out, at most k] of the uncentred covariance of states [rows, out]."""
    _, lengths, directions = torch.linalg.svd(states, full_matrices=False)
    found = lengths > 1e-6 * lengths.max()
    return directions[found][:k].T.contiguous()


def _top(symmetric: Tensor, r: int) -> Tensor:
    return torch.linalg.eigh(symmetric).eigenvectors.flip(-1)[:, :r]


@dataclass(slots=True)
class _Module:
    """One adapted layer with its constant start: W + s B0 A0 is the untouched weight."""

    layer: Any
    a: Tensor  # [r, in]
    b: Tensor  # [out, r]
    retained: Tensor  # [out, k]


@register(
    Axis.PARAMETERS,
    "reglu",
    source="ReGLU (public code), representation-guided start and orthogonality penalty",
    faithful="as published; outputs are pooled over real tokens; the adapter comes out against "
    "the untouched base, at twice the rank",
    needs=[Need.RETAIN],
)
class REGLU(LoRA):
    """LoRA of which B starts in the forgotten directions, with a penalty on retained ones.

    W <- W - s B0 A0 leaves the start's output as it was. What is saved is B A - B0 A0 as one
    adapter of rank 2 r for the base as it stands on disk, so vLLM needs --max-lora-rank 2 r.
    """

    Config = REGLUConfig
    config: REGLUConfig

    def attach(self, job: Job) -> Any:
        """Adapters with B0 and A0; raises `DistilError` where a layer is too narrow for r."""
        model = super().attach(job)
        found = {n: m for n, m in model.named_modules() if hasattr(m, "lora_A") and m.lora_A}
        sides = [
            _pooled(job, list(found.values()), rows[: self.config.rows])
            for rows in (job.data.forget, job.data.keep())
        ]
        self._modules = {
            name: self._begin(name, layer, sides[0][i], sides[1][i])
            for i, (name, layer) in enumerate(found.items())
        }
        return model

    @torch.no_grad()
    def _begin(self, name: str, layer: Any, forget: Tensor, retain: Tensor) -> _Module:
        r = self.config.r
        if forget.shape[1] < r:
            raise DistilError(f"parameters.r: {name} has {forget.shape[1]} outputs, fewer than {r}")
        weight = layer.base_layer.weight
        b = start_directions(forget, retain, self.config.beta, r)
        a = b.T @ weight.to(b)
        for ours, start in ((layer.lora_A, a), (layer.lora_B, b)):
            ours[_ADAPTER].weight.copy_(start)
        weight.sub_((layer.scaling[_ADAPTER] * (b @ a)).to(weight))
        return _Module(layer, a, b, strongest(retain, self.config.k))

    def penalties(self, job: Job) -> dict[str, Tensor]:
        """lambda x the sum over layers of |B^T Q_r|^2, Q_r the strongest retained directions."""
        terms = []
        for module in self._modules.values():
            b = module.layer.lora_B[_ADAPTER].weight
            terms.append((b.T @ module.retained.to(b)).square().sum())
        return {"regulariser": self.config.weight * torch.stack(terms).sum()}

    @contextmanager
    def reference(self, job: Job) -> Iterator[Any]:
        """The start: adapters off, and what was taken from the weights added again."""
        with super().reference(job) as model, ExitStack() as stack:
            for module in self._modules.values():
                handle = module.layer.register_forward_hook(_given_back(module))
                stack.callback(handle.remove)
            yield model

    def save(self, job: Job, folder: Path) -> None:
        """s (B A - B0 A0) = s [B, -B0] [A; A0]; s is the same at rank 2 r and 2 alpha."""
        from safetensors.torch import save_file

        tensors = {}
        for name, module in self._modules.items():
            a, b = (side[_ADAPTER].weight for side in (module.layer.lora_A, module.layer.lora_B))
            both = (torch.cat([a, module.a.to(a)]), torch.cat([b, -module.b.to(b)], 1))
            for side, tensor in zip(("lora_A", "lora_B"), both, strict=True):
                tensors[f"{name}.{side}.weight"] = tensor.detach().contiguous().cpu()
        config = copy.deepcopy(job.model.peft_config[_ADAPTER])
        config.r, config.lora_alpha = 2 * config.r, 2 * config.lora_alpha
        config.inference_mode = True
        config.save_pretrained(folder)
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def _given_back(module: _Module) -> Any:
    def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        scaling = module.layer.scaling[_ADAPTER]
        return output + scaling * ((inputs[0] @ module.a.T.to(inputs[0])) @ module.b.T.to(output))

    return hook


@torch.no_grad()
def _pooled(job: Job, modules: list[Any], rows: tuple[Row, ...]) -> list[Tensor]:
    """The mean over a row's real tokens of each module's base output, [rows, out] each."""
    pooled: list[list[Tensor]] = [[] for _ in modules]
    mask = torch.empty(0)

    def look(i: int, _: Tensor, output: Tensor) -> None:
        wide = output if output.dtype == torch.float64 else output.float()
        pooled[i].append((wide * mask).sum(1) / mask.sum(1))

    with seen([module.base_layer for module in modules], look):
        for batch in batches(job, rows, len(rows)):
            mask = batch.attention_mask.unsqueeze(-1)
            job.model(**batch.inputs)
    return [torch.cat(parts) for parts in pooled]
