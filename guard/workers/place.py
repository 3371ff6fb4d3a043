"""The private directory in which the processes of one server meet."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from guard.config import Section, Settings

# Where a worker finds the directory. Everything secret is in files only this user can read.
ENVIRONMENT = "GUARD_WORKERS_PLACE"


class Start(Section):
    """What a worker needs to start."""

    settings: Settings
    policies: Path = Field(strict=False)
    log_level: str


@dataclass(frozen=True, slots=True)
class Place:
    """A directory of mode 0700, made by the parent and removed when the last process ends."""

    directory: Path

    @property
    def socket(self) -> Path:
        """The hub's Unix-domain socket."""
        return self.directory / "hub"

    @property
    def rows(self) -> Path:
        """The table of limits and the locks of its rows."""
        return self.directory / "rows"

    @property
    def metrics(self) -> Path:
        """What `prometheus_client` calls PROMETHEUS_MULTIPROC_DIR."""
        return self.directory / "metrics"

    @classmethod
    def of_environment(cls) -> Place:
        """The place of the server that started this process."""
        return cls(Path(os.environ[ENVIRONMENT]))

    def furnish(self, settings: Settings, policies: Path, log_level: str) -> None:
        """Make the folders, and leave what a worker needs to start."""
        self.rows.mkdir(mode=0o700)
        self.metrics.mkdir(mode=0o700)
        start = Start(settings=settings, policies=policies.absolute(), log_level=log_level)
        file = os.open(self._start, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.write(start.model_dump_json())

    def start(self) -> Start:
        """What the parent left."""
        return Start.model_validate_json(self._start.read_bytes())

    @property
    def _start(self) -> Path:
        return self.directory / "start.json"
