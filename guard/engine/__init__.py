"""The proxy's side of decode-time forgetting: what engines hold, and what requests tell them."""

from guard.engine.sets import EngineSets, RequestSets
from guard.engine.watch import CanaryWatch

__all__ = ["CanaryWatch", "EngineSets", "RequestSets"]
