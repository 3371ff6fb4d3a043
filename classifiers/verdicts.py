"""What the detectors said of a text before: repeated prompts cost a look-up.

Belongs to one detector, so that it goes when the set of subjects changes. Texts are kept as
digests, never as words.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

from classifiers.signals import Signal

Key = tuple[bytes, frozenset[int], bool]


class VerdictCache:
    """The signals of the `size` requests that were last asked for; 0 keeps none. Callable from
    any thread."""

    def __init__(self, size: int) -> None:
        if size < 0:
            raise ValueError("size must not be negative")
        self._size = size
        self._kept: OrderedDict[Key, tuple[Signal, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key) -> list[Signal] | None:
        """The signals kept under a key; None without any."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return list(found)

    def put(self, key: Key, signals: Sequence[Signal]) -> None:
        """Keep signals, in place of those asked for longest ago."""
        if not self._size:
            return
        with self._lock:
            self._kept[key] = tuple(signals)
            self._kept.move_to_end(key)
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)


def verdict_key(texts: Sequence[str], subjects: frozenset[int], *, thorough: bool) -> Key:
    """A request: a digest of its texts in order, each apart from the next, for whom it is judged,
    and whether it must go to the encoder. Cheap where `subjects` is the same object each time."""
    digest = hashlib.blake2b(digest_size=16)
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.digest(), subjects, thorough
