"""A hub in this loop, over a real socket, with the real batching, index and audit log."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from classifiers import BatchedEncoder, Nearest, NearestPrompt
from guard.config import Settings
from guard.detect import subjects
from guard.policy import PolicySet
from guard.serving import LocalServices
from guard.workers.client import HubClient
from guard.workers.hub import Hub
from tests.classifiers.conftest import HashEncoder


class HashServices(LocalServices):
    """A lone worker's services, around an encoder without a model."""

    def __init__(self, settings: Settings, *, max_queue: int = 64) -> None:
        super().__init__(settings)
        self.built: list[PolicySet] = []
        self.encoder = HashEncoder()
        self.batched = BatchedEncoder(self.encoder, max_batch=4, max_queue=max_queue)

    def build_nearest(self, policies: PolicySet) -> Nearest | None:
        self.built.append(policies)
        return NearestPrompt(subjects(policies), self.batched, max_tokens=64)

    def listening(self, path: Path) -> AbstractAsyncContextManager[None]:
        """A hub with these services at `path`."""
        return Hub(self, patience=0.1).listening(path)

    def close(self) -> None:
        """Let the encoder's thread end."""
        self.encoder.free.set()
        self.batched.close()


@pytest.fixture
def socket_path() -> Iterator[Path]:
    # Not tmp_path: the path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="hub-") as folder:
        yield Path(folder) / "hub"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[HashServices]:
    made = HashServices(Settings(audit=tmp_path / "audit.jsonl"), max_queue=3)
    yield made
    made.close()


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[HubClient]:
    """A client that has reached the hub."""
    client = HubClient(path)
    async with client.running():
        await client.connected.wait()
        yield client
