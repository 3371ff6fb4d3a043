"""`action: restrict`: the model answers, and is steered around what it must not say (GUARD)."""

from __future__ import annotations

from guard.asked import Asked
from guard.policy import Policy
from guard.treatments.base import Answers, Asks


class Restrict:
    """Lets the request through to the model as it is.

    What makes it a treatment is done on the way: the engine gets the bans and the soft penalties
    of a flagged request (`guard/engine`), and the answer is filtered by text and by meaning, and
    rewound where it can be.
    """

    action = "restrict"

    def treat(self, answers: Answers, asked: Asked, body: bytes, policy: Policy) -> Asks:
        """The same request."""
        return Asks(body)
