"""Asks the real detectors of a policy set about many prompts, and counts with 95 % bounds."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import beta

from bench.detection.attacks import asked
from bench.detection.tofu import Row
from classifiers import BatchedEncoder, Encoder, NearestPrompt, TextChunk
from classifiers.batching import content_key
from classifiers.encoder import Vectors
from classifiers.head import Head
from guard.asked import Asked
from guard.detect import Detector, Verdict, subjects
from guard.enforcement import Enforcement
from guard.policy import Policy, PolicySet

AT_ONCE = 64
NO_THRESHOLD = 2.0


class Remembering:
    """An encoder that keeps what it has encoded in a file: benchmarks are run more than once."""

    def __init__(self, encoder: Encoder, path: Path | None) -> None:
        self._encoder = encoder
        self._path = path
        self._known: dict[bytes, Vectors] = {}
        if path is not None and path.exists():
            with np.load(path) as held:
                self._known = dict(zip(map(bytes, held["keys"]), held["rows"], strict=True))

    @property
    def name(self) -> str:
        return self._encoder.name

    @property
    def dimension(self) -> int:
        return self._encoder.dimension

    def encode(self, texts: Sequence[str]) -> Vectors:
        keys = [content_key(text) for text in texts]
        missing = [(k, t) for k, t in zip(keys, texts, strict=True) if k not in self._known]
        if missing:
            rows = self._encoder.encode([text for _, text in missing])
            self._known.update((key, row) for (key, _), row in zip(missing, rows, strict=True))
        return np.stack([self._known[key] for key in keys])

    def windows(self, text: str) -> list[TextChunk]:
        return self._encoder.windows(text)

    def keep(self) -> None:
        """Write the file."""
        if self._path is not None:
            keys = np.array([np.frombuffer(key, dtype=np.uint8) for key in self._known])
            np.savez(self._path, keys=keys, rows=np.stack(list(self._known.values())))


class Guard:
    """One policy set in force, and the encoder that all of them share."""

    def __init__(
        self, policies: Sequence[Policy], encoder: BatchedEncoder, head: Head | None = None
    ) -> None:
        self.policies = PolicySet(tuple(policies))
        enforcement = Enforcement(self.policies)
        wanted = [
            one for one in subjects(self.policies) if one.prompts or one.topics or one.limited
        ]
        nearest = NearestPrompt(wanted, encoder, head=head) if wanted else None
        self.nearest = nearest
        self._detector = Detector(enforcement, nearest, timeout=600.0)
        self._binding = enforcement.binding(None, "model")

    async def verdicts(self, requests: Sequence[Asked]) -> list[Verdict]:
        """One for each request, in order."""
        found: list[Verdict] = []
        for first in range(0, len(requests), AT_ONCE):
            part = requests[first : first + AT_ONCE]
            found += await asyncio.gather(
                *(self._detector.full(self._binding, one) for one in part)
            )
        return found

    async def verdict(self, request: Asked) -> Verdict:
        """Of one request."""
        return await self._detector.full(self._binding, request)

    def ask(self, rows: Sequence[Row]) -> list[Verdict]:
        """Of single prompts."""
        return asyncio.run(self.verdicts([asked(row.text) for row in rows]))


def by_name(verdict: Verdict) -> bool:
    """The first half of the baseline: a whole name."""
    return verdict.signals.get("name", 0.0) > 0.0


def baseline(verdict: Verdict, cosine: float, threshold: float) -> bool:
    """Names or plain MiniLM cosine."""
    return by_name(verdict) or cosine >= threshold


def bounds(hits: Sequence[bool], clusters: Sequence[int | None]) -> dict[str, Any]:
    """Count, rate and the 95 % bounds (both sides, Clopper and Pearson) in percent.

    Rows of one author are not independent: the number of rows is divided by the design effect of
    the authors (Kish), at least 1 (Korn and Graubard 1998). Where no or every row is a hit the
    design effect cannot be seen and is 1; `clusters` says how many there are.
    """
    n = len(hits)
    if not n:
        return {"rows": 0}
    flags = np.array(hits, dtype=float)
    rate = float(flags.mean())
    groups: dict[object, list[float]] = defaultdict(list)
    for index, (flag, cluster) in enumerate(zip(flags, clusters, strict=True)):
        groups[("row", index) if cluster is None else cluster].append(flag - rate)
    effect = 1.0
    if 0 < rate < 1 and len(groups) > 1:
        sums = np.array([sum(group) for group in groups.values()])
        clustered = float((sums**2).sum()) * len(groups) / (len(groups) - 1)
        effect = max(1.0, clustered / (n * rate * (1 - rate)))
    size, seen = n / effect, rate * n / effect
    low = float(beta.ppf(0.025, seen, size - seen + 1)) if seen > 0 else 0.0
    high = float(beta.ppf(0.975, seen + 1, size - seen)) if seen < size else 1.0
    return {
        "rows": n,
        "clusters": len(groups),
        "flagged": int(flags.sum()),
        "percent": round(100 * rate, 3),
        "low": round(100 * low, 3),
        "high": round(100 * high, 3),
        "design_effect": round(effect, 2),
    }
