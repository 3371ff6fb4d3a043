"""The published document says what the server does."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from guard.api.app import ENDPOINTS
from guard.api.contract import contracts
from tests.support.proxy import Proxy


@pytest.fixture
def document(proxy: Proxy) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{proxy.url}/openapi.json").json()
    return found


def test_every_path_is_in_it(document: dict[str, Any]) -> None:
    assert document["paths"].keys() == {
        *(endpoint.path for endpoint in ENDPOINTS),
        *("/v1/models", "/v1/models/{model}", "/v1/guard/check"),
        *("/healthz", "/readyz", "/metrics"),
    }


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_a_body_has_the_fields_of_the_contract(document: dict[str, Any], endpoint: Any) -> None:
    operation = document["paths"][endpoint.path]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    fields = contracts()[endpoint.name].fields
    served = {name for name, field in fields.items() if field.kind != "refused"}
    assert schema["properties"].keys() == served
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) <= served
    for name in served:
        assert schema["properties"][name]["x-guard"] == fields[name].kind


def test_no_reference_leads_nowhere(document: dict[str, Any]) -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            found = [item for key, item in value.items() if key == "$ref"]
            return found + [each for item in value.values() for each in references(item)]
        if isinstance(value, list):
            return [each for item in value for each in references(item)]
        return []

    schemas = document["components"]["schemas"]
    names = {reference.rpartition("/")[2] for reference in references(document["paths"])}
    assert names == schemas.keys()


def test_without_keys_it_asks_for_none(document: dict[str, Any]) -> None:
    assert "security" not in document
