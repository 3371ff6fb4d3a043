"""Published and own data as suites, read by path: nothing of it ships with the project."""

from guard.evaluate.suites.blur import blur_suite
from guard.evaluate.suites.policies import policy_suite
from guard.evaluate.suites.shapes import SHAPES, shaped_suite
from guard.evaluate.suites.tofu import tofu_suite

__all__ = ["SHAPES", "blur_suite", "policy_suite", "shaped_suite", "tofu_suite"]
