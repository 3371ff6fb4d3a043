"""A process that writes audit records and says which of them were acknowledged.

    python -m tests.support.audited FILE FIRST

Each acknowledged record's number goes to standard output as a line of its own, at once.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from guard.audit import AuditFile

WRITERS = 8


async def main(path: Path, first: int) -> None:
    """Write until somebody ends this process."""
    log, numbers = AuditFile(path), itertools.count(first)

    async def write() -> None:
        for number in numbers:
            await log.write({"request": str(number), "decision": "flagged"})
            os.write(1, f"{number}\n".encode())

    await asyncio.gather(*(write() for _ in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
