"""One proxy for the whole corpus."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from tests.bypass.rows import ALIASES, NAME
from tests.support.policies import PASSAGE, SECRET
from tests.support.proxy import Proxy
from tests.support.upstream import ScriptedUpstream


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, ScriptedUpstream]]:
    """The proxy with one policy, and the model server behind it."""
    folder = tmp_path_factory.mktemp("policies")
    policy = {
        "version": 1,
        "name": "bypass",
        "action": "refuse",
        "forget": {
            "entities": [{"name": NAME, "aliases": list(ALIASES)}],
            "texts": [PASSAGE, SECRET],
        },
    }
    (folder / "bypass.yaml").write_text(yaml.safe_dump(policy, allow_unicode=True), "utf-8")
    with ScriptedUpstream() as upstream, Proxy(folder, upstream.url) as proxy:
        yield proxy, upstream
