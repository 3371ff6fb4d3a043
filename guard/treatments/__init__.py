"""What happens to a flagged request, one file a treatment."""

from guard.treatments.base import Answers, Treatment
from guard.treatments.refuse import Refuse

TREATMENTS: dict[str, Treatment] = {Refuse.action: Refuse()}

__all__ = ["TREATMENTS", "Answers", "Refuse", "Treatment"]
