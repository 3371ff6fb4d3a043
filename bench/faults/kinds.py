"""What goes wrong: each fault begins, lasts, and ends. `end` is what an operator would do, if he
must do anything at all."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.faults.load import Load
from bench.faults.stage import Stage

Step = Callable[[Stage, Load], None]
YEAR = 365 * 86_400


def _nothing(stage: Stage, load: Load) -> None:
    """It heals by itself."""


@dataclass(frozen=True)
class Fault:
    """`what`: for the report. `seconds`: from `begin` to `end`."""

    name: str
    what: str
    begin: Step
    end: Step = _nothing
    seconds: float = 8.0


def _mode(mode: str) -> Step:
    return lambda stage, load: stage.model.mode(mode)


def _kill_model(stage: Stage, load: Load) -> None:
    stage.model.process.kill()


def _guide_mode(mode: str) -> Step:
    return lambda stage, load: stage.guide.mode(mode)


def _kill_guide(stage: Stage, load: Load) -> None:
    stage.guide.process.kill()


def _signal_hub(number: signal.Signals) -> Step:
    return lambda stage, load: os.kill(stage.guard.hub, number)


def _continue_hub(stage: Stage, load: Load) -> None:
    with suppress(ProcessLookupError):
        os.kill(stage.guard.hub, signal.SIGCONT)


def _kill_worker(stage: Stage, load: Load) -> None:
    os.kill(stage.guard.workers[0], signal.SIGKILL)


def _limit(pid: int, kind: int, most: int) -> None:
    hard = resource.prlimit(pid, kind)[1]
    resource.prlimit(pid, kind, (most, hard))


def _starve_hub(stage: Stage, load: Load) -> None:
    """No page more for the process that has the encoder."""
    hub = stage.guard.hub
    pages = int(Path(f"/proc/{hub}/statm").read_text().split()[0])
    _limit(hub, resource.RLIMIT_AS, pages * resource.getpagesize())


def _feed_hub(stage: Stage, load: Load) -> None:
    with suppress(ProcessLookupError):
        _limit(stage.guard.hub, resource.RLIMIT_AS, resource.RLIM_INFINITY)


def _fill_disk(stage: Stage, load: Load) -> None:
    """The next record is written in part, those after it not at all."""
    most = stage.audit.stat().st_size + 100
    _limit(stage.guard.hub, resource.RLIMIT_FSIZE, most)


def _free_disk(stage: Stage, load: Load) -> None:
    _limit(stage.guard.hub, resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)


def _policy(stage: Stage) -> Path:
    return stage.policies / "faults.yaml"


def _half_write(stage: Stage, load: Load) -> None:
    whole = _policy(stage).read_bytes()
    (_away(stage) / _policy(stage).name).write_bytes(whole)
    _policy(stage).write_bytes(whole[: len(whole) // 2])


def _unreadable(stage: Stage, load: Load) -> None:
    """A link to itself: nobody can read it, not even root. One step: in between, the file would be
    gone, which withdraws it."""
    (_away(stage) / _policy(stage).name).write_bytes(_policy(stage).read_bytes())
    link = stage.policies.parent / "link"
    link.symlink_to(_policy(stage))
    link.replace(_policy(stage))


def _rewrite(stage: Stage, load: Load) -> None:
    (_away(stage) / _policy(stage).name).replace(_policy(stage))


def _empty(stage: Stage, load: Load) -> None:
    stage.policies.rename(stage.policies.parent / "whole")
    stage.policies.mkdir()


def _refill(stage: Stage, load: Load) -> None:
    stage.policies.rmdir()
    (stage.policies.parent / "whole").rename(stage.policies)


def _away(stage: Stage) -> Path:
    folder = stage.policies.parent / "away"
    folder.mkdir(exist_ok=True)
    return folder


def _jump(seconds: int) -> Step:
    return lambda stage, load: stage.clock.jump(seconds)


def _hang_up(stage: Stage, load: Load) -> None:
    load.hang_up()


FAULTS = (
    Fault("nothing", "nothing goes wrong", _nothing, seconds=20.0),
    Fault(
        "model killed",
        "SIGKILL to the model server, started again after 6 s",
        _kill_model,
        lambda stage, load: stage.model.again(),
        6.0,
    ),
    Fault("model hung", "the model server says nothing more", _mode("hung"), _mode("good"), 10.0),
    Fault("model slow", "ten times slower", _mode("slow"), _mode("good"), 10.0),
    Fault("model garbled", "garbage between its events", _mode("garbled"), _mode("good"), 10.0),
    Fault(
        "guard model killed",
        "SIGKILL to the server of the guard model, started again after 8 s",
        _kill_guide,
        lambda stage, load: stage.guide.again(),
    ),
    Fault(
        "guard model hung",
        "the guard model says nothing more, longer than guard_model.timeout",
        _guide_mode("hung"),
        _guide_mode("good"),
    ),
    Fault("detector killed", "SIGKILL to the hub with the encoder", _signal_hub(signal.SIGKILL)),
    Fault(
        "detector stopped",
        "SIGSTOP to the hub, longer than detect.timeout",
        _signal_hub(signal.SIGSTOP),
        _continue_hub,
        10.0,
    ),
    Fault("detector out of memory", "RLIMIT_AS of the hub at what it has", _starve_hub, _feed_hub),
    Fault("policies half written", "half a policy file for 8 s", _half_write, _rewrite),
    Fault("policies gone", "the policy directory empty for 8 s", _empty, _refill),
    Fault("policies unreadable", "the policy file links to itself for 8 s", _unreadable, _rewrite),
    Fault("audit disk full", "RLIMIT_FSIZE of the hub inside a record", _fill_disk, _free_disk),
    Fault("clock jump forward", "wall clock ten years ahead for 8 s", _jump(10 * YEAR), _jump(0)),
    Fault("clock jump back", "the wall clock a year behind for 8 s", _jump(-YEAR), _jump(0)),
    Fault("clients gone", "every client hangs up at once", _hang_up),
    Fault("worker killed", "SIGKILL to one of the workers", _kill_worker, seconds=20.0),
)
