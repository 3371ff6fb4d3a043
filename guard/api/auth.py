"""API keys: kept as SHA-256 hashes on the server, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import Scope

from guard.config import ApiKey
from guard.errors import AuthenticationError


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the key's name in the server's configuration (None where no keys are set up)."""

    key: str | None
    operator: bool


class Keyring:
    """The keys of this server. Without any, everybody is a caller without a name.

    Raises AuthenticationError for a missing or unknown key; the two answers are the same.
    """

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self._keys = tuple(keys)

    def caller(self, scope: Scope) -> Caller:
        """The caller of an HTTP request, by `Authorization: Bearer` or `x-api-key`."""
        if not self._keys:
            return Caller(None, True)
        digest = hashlib.sha256(_presented(scope).encode("utf-8", "replace")).hexdigest()
        found: ApiKey | None = None
        for key in self._keys:  # all of them, so that time does not tell which
            if hmac.compare_digest(digest, key.sha256):
                found = key
        if found is None:
            raise AuthenticationError("Incorrect API key provided.", code="invalid_api_key")
        return Caller(found.name, found.operator)


def _presented(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer":
                return str(token.strip())
        elif name == b"x-api-key":
            return str(value.decode("latin-1").strip())
    return ""
