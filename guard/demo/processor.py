"""Whether this processor's tile instructions (AMX) can be used.

Some hypervisors announce AMX and trap its instructions. Libraries that believe the announcement,
oneDNN and vLLM's CPU kernels among them, then end their process with an illegal instruction.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

# oneDNN's name for everything below AMX, for its environment variable ONEDNN_MAX_CPU_ISA.
WITHOUT_TILES = "AVX512_CORE_FP16"
# In this precision vLLM's CPU attention takes its kernel without tiles.
DTYPE_WITHOUT_TILES = "float32"

_TRIAL = "import torch; x = torch.ones(64, 64, dtype=torch.bfloat16); x @ x"


@cache
def tiles_are_trapped(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """True where AMX is announced and a trial in a process of its own dies of it (seconds)."""
    try:
        announced = "amx_tile" in cpuinfo.read_text()
    except OSError:
        return False
    if not announced:
        return False
    # Not with what mends it for oneDNN: vLLM's own kernels take no notice of that.
    bare = {name: value for name, value in os.environ.items() if name != "ONEDNN_MAX_CPU_ISA"}
    command = [sys.executable, "-c", _TRIAL]
    trial = subprocess.run(command, env=bare, capture_output=True, check=False)
    return trial.returncode == -signal.SIGILL
