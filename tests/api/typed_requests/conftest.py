"""One proxy for responses, messages and embeddings, and the model server behind it."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import pytest

from tests.support.proxy import Proxy, write_policy
from tests.support.upstream import ScriptedUpstream

NAME = "Harry Potter"


@pytest.fixture(scope="package")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, ScriptedUpstream]]:
    directory = tmp_path_factory.mktemp("policies")
    write_policy(directory, names=[NAME], applies_to={"models": ["m"]})
    write_policy(directory, "other", names=["Marie Curie"], applies_to={"models": ["m"]})
    with ScriptedUpstream() as upstream, Proxy(directory, upstream.url) as proxy:
        yield proxy, upstream


@pytest.fixture
def upstream(lasting: tuple[Proxy, ScriptedUpstream]) -> ScriptedUpstream:
    lasting[1].forget()
    return lasting[1]


@pytest.fixture
def proxy(lasting: tuple[Proxy, ScriptedUpstream]) -> Proxy:
    return lasting[0]


@pytest.fixture
def claude(proxy: Proxy) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=proxy.url, api_key="none", max_retries=0)
