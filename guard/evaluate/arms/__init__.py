"""What is compared: a model, a guarded endpoint, an adapter, or a control."""

from guard.evaluate.arms.base import Arm, Asked, Attacker, Losses, Reply, Sampling
from guard.evaluate.arms.controls import AlwaysRefuse, OracleRouter, PromptOnly
from guard.evaluate.arms.endpoint import Endpoint
from guard.evaluate.arms.guarded import Guarded, Turns
from guard.evaluate.arms.local import Local
from guard.evaluate.arms.served import Served

__all__ = [
    "AlwaysRefuse",
    "Arm",
    "Asked",
    "Attacker",
    "Endpoint",
    "Guarded",
    "Local",
    "Losses",
    "OracleRouter",
    "PromptOnly",
    "Reply",
    "Sampling",
    "Served",
    "Turns",
]
