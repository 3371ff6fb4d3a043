"""The walk's state: one int64 array, so that compiled code needs no Python object.

A header, then four regions of `capacity` records: the threads, the threads under construction, the
threads as they stood before an open escape, and phrases that wait for a word boundary. Last, at a
place that does not move with the header, what `streams.py` keeps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from guard.restrict.word_start import AT_WORD

HEADER = 20
POS, THREADS, PENDING, WORD_START, ESC, ESC_START, ESC_VALUE, ESC_COUNT = range(8)
SNAPSHOT, SNAPSHOT_START, CAPACITY, FOUND, ESC_HIGH, ESC_MORE, LIVE, BEGUN = range(8, 16)
ESC_SIGN = 16
# A thread's fields.
NODE, START, SEP, GROUP, INVISIBLE, GAP = range(6)
FIELDS = 6
PENDING_FIELDS = 3  # start, end, node
RUNS = 70  # the size of what `streams.py` keeps
GROWTH = 13  # the most records one thread can become in one step, with room to spare


def new_state(capacity: int = 96) -> Any:
    """State at the start of a text, for at most `capacity` thread records: int64 (n,)."""
    state = np.zeros(HEADER + capacity * (3 * FIELDS + PENDING_FIELDS) + RUNS, dtype=np.int64)
    state[CAPACITY] = capacity
    state[WORD_START] = AT_WORD
    return state


def restart(state: Any) -> None:
    """Take a state back to the start of a text; records need no clearing, their counts do."""
    capacity = state[CAPACITY]
    state[:HEADER] = 0
    state[-RUNS:] = 0
    state[CAPACITY] = capacity
    state[WORD_START] = AT_WORD


def grown(state: Any) -> Any:
    """The same state with twice the capacity."""
    old = int(state[CAPACITY])
    bigger = new_state(old * 2)
    bigger[:HEADER] = state[:HEADER]
    bigger[CAPACITY] = old * 2
    bigger[-RUNS:] = state[-RUNS:]
    for region in range(4):
        size = old * (PENDING_FIELDS if region == 3 else FIELDS)
        source = HEADER + region * old * FIELDS
        target = HEADER + region * old * 2 * FIELDS
        bigger[target : target + size] = state[source : source + size]
    return bigger
