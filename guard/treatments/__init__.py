"""What happens to a flagged request, one file a treatment."""

from guard.treatments.base import (
    Answers,
    Asks,
    Finish,
    Reconsiders,
    Reroutes,
    Said,
    Told,
    Treatment,
)
from guard.treatments.reason import Reason
from guard.treatments.refuse import Refuse
from guard.treatments.reroute import Reroute
from guard.treatments.restrict import Restrict

TREATMENTS: dict[str, Treatment] = {
    Reason.action: Reason(),
    Refuse.action: Refuse(),
    Reroute.action: Reroute(),
    Restrict.action: Restrict(),
}

__all__ = [
    "TREATMENTS",
    "Answers",
    "Asks",
    "Finish",
    "Reason",
    "Reconsiders",
    "Refuse",
    "Reroute",
    "Reroutes",
    "Restrict",
    "Said",
    "Told",
    "Treatment",
]
