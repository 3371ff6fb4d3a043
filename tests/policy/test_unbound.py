"""Keys that a policy names and the server does not have."""

import pytest

from guard.policy import Policy
from guard.policy.compiled import AppliesTo
from guard.policy.unbound import unbound_keys


@pytest.mark.parametrize(
    ("keys", "except_keys", "lost"),
    [
        (("*",), (), None),
        (("shop",), (), None),
        (("shop*",), ("office",), None),
        (("shoop",), (), "shoop"),
        (("*",), ("legal-*",), "legal-*"),
        (("Shop", "office"), ("nobody",), "Shop, nobody"),
    ],
)
def test_globs_that_match_no_key_are_told(
    keys: tuple[str, ...], except_keys: tuple[str, ...], lost: str | None
) -> None:
    policy = Policy("p", applies_to=AppliesTo(keys=keys, except_keys=except_keys))
    told = list(unbound_keys([policy], [None, "shop", "office"]))
    assert told == ([] if lost is None else [f"policy p: no key of this server is called {lost}"])
