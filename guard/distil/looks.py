"""What a run looks at every few steps: what is retained, and what is still said of what must go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from guard.distil.forgotten import Forgotten
from guard.distil.job import Job
from guard.distil.probe import Probe


@dataclass(frozen=True, slots=True)
class Look:
    """`retained`: loss on retained rows, in nats a token, None without rows. `said`: recall of what
    goes, None where nobody asked. `done`: it has been forgotten, within the budget."""

    retained: float | None = None
    within: bool = True
    said: float | None = None
    done: bool = False


class Looks:
    """Both, from the start model on; resumable with the run."""

    def __init__(self, job: Job) -> None:
        self.probe = Probe.of(job, job.retain_budget)
        self.forgotten = Forgotten.of(job)
        self.said: float | None = None  # of the last look within the budget

    def look(self, job: Job) -> Look:
        """At the model as it is now."""
        loss, within = self.probe.look(job)
        if self.forgotten is None:
            return Look(loss, within)
        said = self.forgotten.look(job)
        self.said = said if within else self.said
        return Look(loss, within, said, within and self.forgotten.enough(said))

    def outcome(self) -> dict[str, Any]:
        """What the model card says of them."""
        probe = self.probe
        told = {
            "probe_rows": len(probe.rows),
            "probe_start": probe.start,
            "probe_allowed": probe.allowed,
            "probe_kept": probe.kept,
        }
        if self.forgotten is None:
            return told
        return {**told, "said": self.said, "guessed": self.forgotten.guessed}

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints."""
        guessed = None if self.forgotten is None else self.forgotten.guessed
        return {**self.probe.state_dict(), "guessed": guessed, "said": self.said}

    def load_state_dict(self, state: dict[str, Any], job: Job) -> None:
        """The inverse; the job holds the checkpoint's weights already."""
        self.probe.load_state_dict(state, job)
        self.said = state["said"]
        if self.forgotten is not None:
            self.forgotten.guessed = state["guessed"]
