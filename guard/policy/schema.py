"""The JSON schema of the policy file, for editors and for checks outside guard."""

from __future__ import annotations

from typing import Any

from guard.policy.model import PolicyFile


def policy_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one policy file."""
    schema = PolicyFile.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema
