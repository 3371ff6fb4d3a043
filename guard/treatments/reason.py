"""`action: reason`: the model answers under a policy text, led by reasoning (DRAGON)."""

from __future__ import annotations

from guard.asked import Asked
from guard.policy import Policy
from guard.treatments.base import Answers, Reconsiders


class Reason:
    """Has the request put to the model in other words.

    In-context unlearning as in DRAGON (arXiv 2511.05784, section 4): the policy text that was
    retrieved, the question, and a chain of thought that a guard model wrote for it. Finding it
    takes calls, which `guard/reasoning` makes.
    """

    action = "reason"

    def treat(self, answers: Answers, asked: Asked, body: bytes, policy: Policy) -> Reconsiders:
        """Nothing of the request goes on as it is."""
        return Reconsiders()
