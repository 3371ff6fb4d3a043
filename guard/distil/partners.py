"""What stays, beside what goes: a kept row for every forget row, always the same one."""

from __future__ import annotations

from collections.abc import Sequence

from guard.distil.job import Job
from guard.distil.rows import Row


def kept_partners(job: Job, rows: Sequence[Row]) -> tuple[Row, ...]:
    """For each forget row the kept (or general) row of its place in the data."""
    keep = job.data.keep()
    places = {row.id: i for i, row in enumerate(job.data.forget)}
    return tuple(keep[places.get(row.id, i) % len(keep)] for i, row in enumerate(rows))
