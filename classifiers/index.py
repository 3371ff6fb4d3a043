"""Which owner has the nearest vector: FAISS, exact while that is quick enough.

Flat search is exact and costs time in proportion to the rows; HNSW (Malkov and Yashunin, arXiv
1603.09320) is approximate and nearly constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from classifiers.optional import optional

if TYPE_CHECKING:
    from classifiers.encoder import Vectors

Owners = npt.NDArray[np.int64]

# One query of 384 dimensions on one AMD EPYC core: flat 0.8 ms at 4,000 rows, 3.1 ms at 20,000,
# 5.2 ms at 30,000; HNSW with this breadth 2.2 ms at 10,000 and 2.3 ms at 30,000, with no owner
# missed in 100 queries. Exact search is kept as long as it costs no more than encoding a prompt.
FLAT_ROWS = 20_000
LINKS = 32
BUILD_BREADTH = 200
SEARCH_BREADTH = 256
FIRST_K = 32
# Beyond this many neighbours a graph walk costs more than looking at every row.
GRAPH_K = 1024
KEPT_FILTERS = 64


class PromptIndex:
    """Inner-product search that answers by owner. Immutable, safe to search from any thread."""

    def __init__(self, index: Any, rows: Any, owners: Owners, flat_rows: int) -> None:
        self._index = index  # what is searched first: `rows` itself, or a graph over it
        self._rows = rows
        self._owners = owners
        self._flat_rows = flat_rows
        self._filters: dict[frozenset[int], Owners] = {}

    @classmethod
    def build(
        cls, vectors: Vectors, owners: npt.ArrayLike, *, flat_rows: int = FLAT_ROWS
    ) -> PromptIndex:
        """Index `vectors` (n, d), float32 and L2-normalised, `owners` (n,) int, one a row.

        Up to `flat_rows` rows the search is exact. Raises ValueError for shapes that do not fit
        or numbers that are not finite, EncoderUnavailable without FAISS.
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
            return cls(rows, rows, owner_of, flat_rows)
        graph = faiss.IndexHNSWFlat(held.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = BUILD_BREADTH
        graph.add(held)
        return cls(graph, faiss.downcast_index(graph.storage), owner_of, flat_rows)

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
        count = len(self._owners) if allowed is None else len(self._allowed_rows(allowed))
        answers: list[list[tuple[int, float]]] = [[] for _ in queries]
        pending = np.arange(len(queries)) if count else np.arange(0)
        k = min(FIRST_K, count)
        while len(pending):
            scores, found = self._nearest(queries[pending], k, allowed, count)
            for query, row_scores, row_ids in zip(pending, scores, found, strict=True):
                answers[query] = self._by_owner(row_scores, row_ids)
            if k == count:
                break
            # The k-th at or above the floor: one owner's near-duplicates may have crowded out
            # another's, so look further.
            pending = pending[scores[:, -1] >= floor]
            k = min(4 * k, count)
        return answers

    def _nearest(
        self, queries: Vectors, k: int, allowed: frozenset[int] | None, count: int
    ) -> tuple[Vectors, Owners]:
        faiss = optional("faiss")
        selector = None
        if allowed is not None:
            selector = faiss.IDSelectorBatch(self._allowed_rows(allowed))
        # A walk that may keep few of the rows it meets gets lost, so few rows are looked at all.
        if self._index is not self._rows and k <= GRAPH_K and count > self._flat_rows:
            breadth = max(SEARCH_BREADTH, 2 * k)
            options = faiss.SearchParametersHNSW(sel=selector, efSearch=breadth)
            scores, found = self._index.search(queries, k, params=options)
            if (found >= 0).all():
                return scores, found
            # Otherwise the walk ended before it had met k rows: look at every one.
        options = faiss.SearchParameters(sel=selector) if selector else None
        scores, found = self._rows.search(queries, k, params=options)
        return scores, found

    def _allowed_rows(self, allowed: frozenset[int]) -> Owners:
        rows = self._filters.get(allowed)
        if rows is None:
            wanted = np.fromiter(allowed, dtype=np.int64, count=len(allowed))
            rows = np.flatnonzero(np.isin(self._owners, wanted))
            if len(self._filters) >= KEPT_FILTERS:
                self._filters.clear()
            self._filters[allowed] = rows
        return rows

    def _by_owner(self, scores: Vectors, rows: Owners) -> list[tuple[int, float]]:
        best: dict[int, float] = {}
        for owner, score in zip(self._owners[rows].tolist(), scores.tolist(), strict=True):
            best.setdefault(owner, score)  # rows come best first
        return list(best.items())
