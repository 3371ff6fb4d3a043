"""Everything here needs a real vLLM, which takes a minute to start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from tests.support.engine import (
    Guarded,
    adapter,
    forgetting_engine,
    guarded,
    shelf,
    steered,
    tiny_engine,
)

__all__ = ["adapter", "forgetting_engine", "guarded", "shelf", "steered", "tiny_engine"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.vllm)
            # The first test's time includes making the model and starting vLLM.
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def direct(guarded: Guarded) -> Iterator[OpenAI]:
    """The official client, unmodified, at vLLM itself."""
    with OpenAI(base_url=f"{guarded.upstream}/v1", api_key="test", max_retries=0) as client:
        yield client


@pytest.fixture(scope="session")
def client(guarded: Guarded) -> Iterator[OpenAI]:
    """The official client, unmodified, at the guard."""
    with OpenAI(base_url=f"{guarded.url}/v1", api_key="test", max_retries=0) as client:
        yield client
