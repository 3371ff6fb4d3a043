"""Arguments for the engine, added to a request's bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.engine.steer import FIELD, with_xargs

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1), JSON, min_size=1), st.integers(0, 4))
def test_the_rest_of_the_request_stays_as_it_is(request: dict[str, Any], indent: int) -> None:
    body = b" \n" + json.dumps(request, indent=indent or None).encode()
    steered = with_xargs(body, {"guard_sets": ["a"]})
    assert json.loads(steered) == {**request, FIELD: {"guard_sets": ["a"]}} | {
        key: value for key, value in request.items() if key == FIELD
    }
    opened = body.index(b"{") + 1
    assert steered.startswith(body[:opened])
    assert steered.endswith(body[opened:])


@pytest.mark.parametrize("body", [b'{"model":"m"}', b"{}"])
def test_nothing_to_say_changes_nothing(body: bytes) -> None:
    assert with_xargs(body, {}) is body
