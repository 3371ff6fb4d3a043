"""The proxy's side of decode-time forgetting: what engines hold, and what requests tell them."""

from guard.engine.sets import EngineSets, RequestSets

__all__ = ["EngineSets", "RequestSets"]
