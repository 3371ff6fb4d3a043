"""Gives the detectors of this process their first stage: at once where its table is kept on the
machine, else as soon as it is distilled in the background. Until then everything is encoded."""

from __future__ import annotations

import logging
import threading
import weakref

from classifiers import ClassifierError, Closed, NearestPrompt
from classifiers.static import StaticEncoder, TokenEncoder, cached, distilled, keep

log = logging.getLogger("guard.first_stage")

# Distilling takes most of a core for a while: not while a server starts and is first asked.
DELAY = 30.0


class FirstStages:
    """One static encoder for the detectors of all sets. `delay`: seconds before it is distilled."""

    def __init__(self, encoder: TokenEncoder, *, delay: float = DELAY) -> None:
        self._encoder = encoder
        self._delay = delay
        self._lock = threading.Lock()
        self._static: StaticEncoder | None = None
        self._waiting: list[weakref.ref[NearestPrompt]] = []
        self._making: threading.Thread | None = None
        self._closed = threading.Event()

    def give(self, nearest: NearestPrompt) -> None:
        """Give a detector its first stage, now or later. May be slow; any thread."""
        with self._lock:
            if self._static is None and self._making is None:
                self._static = cached(self._encoder)
            if self._static is None:
                self._waiting.append(weakref.ref(nearest))
                if self._making is None:
                    self._making = threading.Thread(
                        target=self._make, name="first-stage", daemon=True
                    )
                    self._making.start()
                return
        nearest.clear_with(self._static)

    def wait(self) -> None:
        """Return once no detector waits for its first stage."""
        if self._making is not None:
            self._making.join()

    def close(self) -> None:
        """End what is being distilled."""
        self._closed.set()
        self.wait()

    def _make(self) -> None:
        if self._closed.wait(self._delay):
            return
        try:
            static = distilled(self._encoder, closed=self._closed.is_set)
        except Closed:
            return
        except (ClassifierError, RuntimeError, OSError, ValueError) as error:
            # Nothing is lost but time: the encoder goes on judging everything.
            log.warning("no first stage: %s: %s", type(error).__name__, error)
            return
        try:
            keep(static, self._encoder)
        except OSError as error:
            log.warning("the first stage is distilled again at the next start: %s", error)
        with self._lock:
            self._static = static
            waiting, self._waiting = self._waiting, []
        for reference in waiting:
            nearest = reference()
            if nearest is not None and not self._closed.is_set():
                nearest.clear_with(static)
