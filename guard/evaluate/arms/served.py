"""A local model whose answers come from a server of the same weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from guard.evaluate.arms.base import Asked, Reply
from guard.evaluate.arms.endpoint import Endpoint
from guard.evaluate.arms.local import Local
from guard.evaluate.rows import content_hash


class Served(Local):
    """Text from `endpoint`, as guards in front of that server get it; probabilities from `folder`.

    So that answers of an arm and of the guard before it differ by the guard alone, not by the
    arithmetic of two engines.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        endpoint: Endpoint,
        *,
        what: str,
        adapter: Path | None = None,
    ) -> None:
        super().__init__(name, folder, what=what, adapter=adapter)
        self.identity = content_hash(["served", self.identity, endpoint.identity])
        self._endpoint = endpoint

    def answer(self, asked: Sequence[Asked]) -> Iterator[Reply]:
        """Through the server."""
        yield from self._endpoint.answer(asked)
