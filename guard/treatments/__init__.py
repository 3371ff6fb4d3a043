"""What happens to a flagged request, one file a treatment."""

from guard.treatments.base import Answers, Asks, Said, Treatment
from guard.treatments.refuse import Refuse
from guard.treatments.restrict import Restrict

TREATMENTS: dict[str, Treatment] = {
    Refuse.action: Refuse(),
    Restrict.action: Restrict(),
}

__all__ = ["TREATMENTS", "Answers", "Asks", "Refuse", "Restrict", "Said", "Treatment"]
