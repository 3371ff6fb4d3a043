"""`action: reroute`: another model answers, whose weights have forgotten (`guard distil`)."""

from __future__ import annotations

from guard.asked import Asked
from guard.policy import Policy
from guard.treatments.base import Answers, Reroutes


class Reroute:
    """Sends the flagged request, and no other, to the distilled adapter or model.

    Where that is, is a setting of the server (`reroute`), so `guard/rerouting.py` asks it.
    """

    action = "reroute"

    def treat(self, answers: Answers, asked: Asked, body: bytes, policy: Policy) -> Reroutes:
        """The request goes elsewhere as it is."""
        return Reroutes()
