"""From policies to rows: forget, retain and general, every one traceable."""

from guard.distil.data.build import build_data

__all__ = ["build_data"]
