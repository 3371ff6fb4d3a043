"""Forget policies: from YAML files to an immutable, content-hashed set, and its upkeep."""

from guard.policy.compiled import (
    Action,
    AppliesTo,
    Embeddings,
    Entity,
    Expectation,
    Match,
    Mode,
    OnError,
    Pair,
    Policy,
    PolicySet,
    PolicyTest,
    Reasoning,
    Restrict,
    Scope,
)
from guard.policy.data import Progress
from guard.policy.lint import lint
from guard.policy.loader import load_policy_set
from guard.policy.reference import policy_reference
from guard.policy.schema import policy_schema
from guard.policy.store import PolicyStore, StoreStatus

__all__ = [
    "Action",
    "AppliesTo",
    "Embeddings",
    "Entity",
    "Expectation",
    "Match",
    "Mode",
    "OnError",
    "Pair",
    "Policy",
    "PolicySet",
    "PolicyStore",
    "PolicyTest",
    "Progress",
    "Reasoning",
    "Restrict",
    "Scope",
    "StoreStatus",
    "lint",
    "load_policy_set",
    "policy_reference",
    "policy_schema",
]
