"""Which owner has the nearest vector: FAISS, exact while that is quick enough.

Flat search is exact and costs time in proportion to the rows. Past that an inverted file (Sivic and
Zisserman, ICCV 2003; Jegou et al., arXiv 2401.08281) looks only into the cells nearest the query,
with rows in half precision. docs/decisions/0011-detector-speed.md compares it with a graph.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from classifiers.optional import optional

if TYPE_CHECKING:
    from classifiers.encoder import Vectors

Owners = npt.NDArray[np.int64]

# Exact search is kept as long as it costs no more than encoding a prompt: one query of 384
# dimensions on one AMD EPYC core takes 0.8 ms at 4,000 rows, 3.1 ms at 20,000, 5.2 ms at 30,000.
FLAT_ROWS = 20_000
CELLS = 2.0  # times the square root of the rows
LOOKED_INTO = 16  # cells a query
TRAIN_ROWS = 39  # a cell: FAISS asks for as many
TRAIN_ROUNDS = 6
FIRST_K = 32
KEPT_FILTERS = 64


class PromptIndex:
    """Inner-product search that answers by owner. Immutable, safe to search from any thread."""

    def __init__(self, index: Any, owners: Owners, *, cells: int) -> None:
        self._index = index
        self._owners = owners
        self._cells = cells  # 0: the search is exact
        self._everybody = frozenset(np.unique(owners).tolist())
        self._filters: dict[frozenset[int], tuple[Any, int]] = {}
        self._order: Owners | None = None  # rows by owner, when first asked for
        self._sorted: Owners = np.empty(0, dtype=np.int64)

    @classmethod
    def build(
        cls, vectors: Vectors, owners: npt.ArrayLike, *, flat_rows: int = FLAT_ROWS
    ) -> PromptIndex:
        """Index `vectors` (n, d), float32 and L2-normalised, `owners` (n,) int, one a row.

        Up to `flat_rows` rows the search is exact; past that scores are, to 0.001, and of two rows
        hardly apart the nearer may be passed over. Raises ValueError for shapes that do not fit or
        numbers that are not finite, EncoderUnavailable without FAISS.
        """
        held = np.ascontiguousarray(vectors, dtype=np.float32)
        owner_of = np.asarray(owners, dtype=np.int64)
        if held.ndim != 2 or owner_of.shape != held.shape[:1]:
            raise ValueError(f"vectors {held.shape} and owners {owner_of.shape} do not fit")
        if not np.isfinite(held).all():
            raise ValueError("vectors must be finite")
        faiss = optional("faiss")
        if len(held) <= flat_rows:
            rows = faiss.IndexFlatIP(held.shape[1])
            rows.add(held)
            return cls(rows, owner_of, cells=0)
        cells = int(CELLS * len(held) ** 0.5)
        return cls(_inverted(faiss, held, cells), owner_of, cells=cells)

    def __len__(self) -> int:
        return len(self._owners)

    def search(
        self,
        vectors: Vectors,
        *,
        allowed: frozenset[int] | None = None,
        floor: float = -np.inf,
    ) -> list[list[tuple[int, float]]]:
        """For every row of `vectors` (q, d): (owner, best score), best first.

        Only owners in `allowed`, all when None. Owners whose best is below `floor` may be left
        out, except for the best one of all: a high floor is what makes a search short.
        """
        queries = np.ascontiguousarray(vectors, dtype=np.float32)
        selector, count = self._filter(allowed)
        answers: list[list[tuple[int, float]]] = [[] for _ in queries]
        pending = np.arange(len(queries)) if count else np.arange(0)
        # Where only the best counts an exact search needs no more than one row.
        k = min(1 if floor == np.inf and not self._cells else FIRST_K, count)
        while len(pending):
            scores, found = self._nearest(queries[pending], k, selector)
            for query, row_scores, row_ids in zip(pending, scores, found, strict=True):
                answers[query] = self._by_owner(row_scores, row_ids)
            if k == count:
                break
            # The k-th at or above the floor: one owner's near-duplicates may have crowded out
            # another's, so look further.
            pending = pending[scores[:, -1] >= floor]
            k = min(4 * k, count)
        return answers

    def cosine(self, vector: Vectors, owner: int) -> float:
        """The largest inner product of `vector` (d,) with a row of `owner`; -1 without any."""
        rows = self._rows_of(owner)
        if not len(rows):
            return -1.0
        return float((self._held(rows) @ vector).max())

    def _held(self, rows: Owners) -> Vectors:
        """The vectors in `rows`, which are in order."""
        if self._cells:
            return self._index.reconstruct_batch(rows)  # type: ignore[no-any-return]
        whole = (
            optional("faiss")
            .rev_swig_ptr(self._index.get_xb(), self._index.ntotal * self._index.d)
            .reshape(-1, self._index.d)
        )
        first, after = int(rows[0]), int(rows[-1]) + 1
        # Nearly always an owner's vectors are neighbours, and need not be copied.
        held: Vectors = whole[first:after] if after - first == len(rows) else whole[rows]
        return held

    def _rows_of(self, owner: int) -> Owners:
        if self._order is None:
            self._order = np.argsort(self._owners, kind="stable")
            self._sorted = self._owners[self._order]
        first, last = np.searchsorted(self._sorted, (owner, owner + 1))
        return self._order[first:last]

    def _nearest(self, queries: Vectors, k: int, selector: Any) -> tuple[Vectors, Owners]:
        faiss = optional("faiss")
        if not self._cells:
            options = faiss.SearchParameters(sel=selector) if selector else None
            return self._index.search(queries, k, params=options)  # type: ignore[no-any-return]
        # Who looks for many rows looks further than the nearest cells, though not in proportion:
        # most of what is near lies in the first of them.
        looked_into = min(self._cells, math.ceil(LOOKED_INTO * (k / FIRST_K) ** 0.25))
        options = faiss.SearchParametersIVF(sel=selector, nprobe=looked_into)
        scores, found = self._index.search(queries, k, params=options)
        short = (found < 0).any(axis=1)
        if short.any():  # those cells have too few rows that count: look into all
            options = faiss.SearchParametersIVF(sel=selector, nprobe=self._cells)
            scores[short], found[short] = self._index.search(queries[short], k, params=options)
        return scores, found

    def _filter(self, allowed: frozenset[int] | None) -> tuple[Any, int]:
        """What lets only rows of `allowed` through (None: there are no others), and how many."""
        if allowed is None:
            return None, len(self._owners)
        known = self._filters.get(allowed)
        if known is None:
            known = self._filter_of(allowed)
            if len(self._filters) >= KEPT_FILTERS:
                self._filters.clear()
            self._filters[allowed] = known
        return known

    def _filter_of(self, allowed: frozenset[int]) -> tuple[Any, int]:
        if allowed >= self._everybody:
            return None, len(self._owners)
        wanted = np.fromiter(allowed, dtype=np.int64, count=len(allowed))
        kept = np.isin(self._owners, wanted)
        bits = np.packbits(kept, bitorder="little")
        return optional("faiss").IDSelectorBitmap(bits), int(kept.sum())

    def _by_owner(self, scores: Vectors, rows: Owners) -> list[tuple[int, float]]:
        best: dict[int, float] = {}
        for owner, score in zip(self._owners[rows].tolist(), scores.tolist(), strict=True):
            best.setdefault(owner, score)  # rows come best first
        return list(best.items())


def _inverted(faiss: Any, held: Vectors, cells: int) -> Any:
    """An inverted file of `held` that can give rows back."""
    dimension = held.shape[1]
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dimension), dimension, cells, faiss.ScalarQuantizer.QT_fp16,
        faiss.METRIC_INNER_PRODUCT, False,
    )  # fmt: skip
    index.cp.spherical = True
    index.cp.niter = TRAIN_ROUNDS
    sample = held
    if len(held) > TRAIN_ROWS * cells:
        draw = np.random.default_rng(len(held))
        sample = held[np.sort(draw.permutation(len(held))[: TRAIN_ROWS * cells])]
    index.train(sample)
    index.add(held)
    index.make_direct_map()
    return index
