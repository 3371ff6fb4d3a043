"""unPact's rates of FOCUSONKEY: what emphasis on key words brings back, and what it destroys.

Source: unPact (withdrawn submission), FOCUSONKEY; its reviews find both rates vaguely defined, so
ours are stated: shares of rows whose answer changed from not known to known, and from known to not
known. The same emphasis on a model that never saw the facts says what it gives away by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

KNOWN = 0.5  # of a row's score


def recovery(plain: Mapping[str, float], emphasised: Mapping[str, float]) -> float | None:
    """Of the rows (by id) not known when asked plainly, the share known with emphasis.

    None where every row was known. Rows that only one of the two has are left out.
    """
    lost = [name for name, score in plain.items() if score < KNOWN and name in emphasised]
    return _share(emphasised[name] >= KNOWN for name in lost) if lost else None


def destruction(plain: Mapping[str, float], emphasised: Mapping[str, float]) -> float | None:
    """Of the rows known when asked plainly, the share lost with emphasis; None without any."""
    known = [name for name, score in plain.items() if score >= KNOWN and name in emphasised]
    return _share(emphasised[name] < KNOWN for name in known) if known else None


def _share(found: Iterable[bool]) -> float:
    values = list(found)
    return sum(values) / len(values)
