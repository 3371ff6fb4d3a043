"""What one worker holds while it serves: settings, the set in force, flow, limits."""

from __future__ import annotations

from dataclasses import dataclass

from guard.api.auth import Keyring
from guard.call import InForce
from guard.config import Settings
from guard.engine import CanaryWatch, EngineSets
from guard.errors import DetectorError
from guard.flow import Flow
from guard.limits import Limits
from guard.policy import PolicyStore
from guard.upstream import Upstream


@dataclass(slots=True)
class State:
    """Assembled by `guard.serving`; the endpoints only read it."""

    settings: Settings
    keyring: Keyring
    limits: Limits
    upstream: Upstream
    store: PolicyStore
    flow: Flow
    engine: EngineSets | None = None
    canary: CanaryWatch | None = None
    in_force: InForce | None = None

    def current(self) -> InForce:
        """The set in force. Raises DetectorError before the first one is ready."""
        if self.in_force is None:
            raise DetectorError("no policy set is ready")
        return self.in_force
