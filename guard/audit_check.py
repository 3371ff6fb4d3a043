"""Is an audit log whole? What `guard audit verify` asks.

A chain shows that no record was changed, taken out, put in or moved. It cannot show by itself that
the end was cut off: note the last hash now and then, elsewhere, and ask whether it is still there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from guard.audit import GENESIS

_LONGEST = 1 << 20  # bytes of a line; no record comes near


@dataclass(frozen=True, slots=True)
class Checked:
    """What a log holds.

    `records`: how many are good, from the first on; `broken`: the line that is not the record that
    followed, None when all are; `unfinished`: a last line without its end, which a crash leaves and
    nobody was told is written (the next start cuts it off); `last`: the hash of the last good
    record; `noted`: whether the hash asked for is among them, None when none was.
    """

    records: int
    broken: int | None
    unfinished: bool
    last: str
    first_time: str | None = None
    last_time: str | None = None
    noted: bool | None = None

    @property
    def whole(self) -> bool:
        """Nothing is missing, as far as can be told."""
        return self.broken is None and self.noted is not False


def check_log(path: Path, noted: str | None = None) -> Checked:
    """Read a log to its first broken line. `noted`: a hash that must be in it.

    Raises OSError when the file cannot be read.
    """
    last, count, times = GENESIS, 0, (None, None)
    found = None if noted is None else noted == GENESIS
    broken, unfinished = None, False
    with path.open("rb") as log:
        while line := log.readline(_LONGEST):
            if not line.endswith(b"\n") and len(line) < _LONGEST:
                unfinished = True
                break
            record = _sound(line, last)
            if record is None:
                broken = count + 1
                break
            last, count = record["hash"], count + 1
            times = (times[0] or record.get("time"), record.get("time"))
            found = found or last == noted if found is not None else None
    return Checked(count, broken, unfinished, last, *times, found)


def _sound(line: bytes, previous: str) -> dict[str, Any] | None:
    """The record of a line that follows `previous`, or None."""
    try:
        record = orjson.loads(line)
        body = {key: value for key, value in record.items() if key != "hash"}
        digest = hashlib.sha256(orjson.dumps(body)).hexdigest()
        # To the byte: a key given twice says one thing to us and another to who reads the line.
        same = orjson.dumps({**body, "hash": digest}) == line.rstrip(b"\n")
    except (orjson.JSONDecodeError, AttributeError, TypeError):
        return None
    return record if same and record.get("previous") == previous else None
