"""`action: refuse`: a short, uniform answer that says nothing about why."""

from __future__ import annotations

from guard.asked import Asked
from guard.policy import Policy
from guard.treatments.base import Answers, Said


class Refuse:
    """Answers with the policy's `message` and `finish_reason: "content_filter"`.

    The same shape, headers and event sequence whichever policy and signal it was.
    """

    action = "refuse"

    def treat(self, answers: Answers, asked: Asked, body: bytes, policy: Policy) -> Said:
        """The whole answer, or all events of the stream, as the endpoint writes them."""
        if asked.stream:
            return Said(b"".join(answers.refusal_stream(asked, policy.message)))
        return Said(answers.refusal(asked, policy.message))
