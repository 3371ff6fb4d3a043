"""What a model server leaks or lacks, and the flag that mends it: one file a check."""

from guard.doctor.checks import CHECKS, examine
from guard.doctor.finding import Finding, Level
from guard.doctor.patient import Patient

__all__ = ["CHECKS", "Finding", "Level", "Patient", "examine"]
