"""Policies that name keys which the server does not have: a slip that nobody would notice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from guard.policy.compiled import Policy


def unbound_keys(policies: Iterable[Policy], keys: Iterable[str | None]) -> Iterator[str]:
    """What to tell the operator, one line a policy: globs of `applies_to.keys` and `except_keys`
    that match none of the server's `keys` (None: a caller without one)."""
    known = [key or "" for key in keys]
    for policy in policies:
        globs = (*policy.applies_to.keys, *policy.applies_to.except_keys)
        lost = [glob for glob in globs if not any(fnmatchcase(key, glob) for key in known)]
        if lost:
            yield f"policy {policy.name}: no key of this server is called {', '.join(lost)}"
