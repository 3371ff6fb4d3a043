"""Runs of base64 and hexadecimal digits in a text, decoded as they come.

A small machine beside the walk. A *run* is a stretch of characters of the alphabet; what it says
goes out on six *streams* of code points, each with the raw characters that it came from:

- stream 0, base64 from the run's first character on, for as long as that decodes to text. Most
  words of ordinary language stop being text at their second or third character and cost nothing
  from there on;
- streams 0 to 3, base64 at each of the four offsets, once a run looks like nothing that people
  write: what is in the middle of a blob is read too, binary parts are skipped;
- streams 4 and 5, the same two ways for hexadecimal digits, with separators between the pairs.

`base64_run.py` and `hex_run.py` have the two, `skim.py` what is neither, `opening.py` what is held
of a run that says nothing yet. No Python object is touched in here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from guard.restrict.base64_run import base64_step, end_run, open_run
from guard.restrict.compiled import njit
from guard.restrict.hex_run import end_hex, hex_step
from guard.restrict.opening import held_of, may_begin
from guard.restrict.run_table import DIGIT, OPENING, OTHER, TABLE
from guard.restrict.skim import skim
from guard.restrict.state import BEGUN as WALK_BEGUN
from guard.restrict.state import FOUND, RUNS
from guard.restrict.state import LIVE as WALK_LIVE
from guard.restrict.streams import (
    ACC,
    BEGIN,
    BEGUN,
    BITS,
    BYTE_AT,
    DIRTY,
    FIELDS,
    H_GAPS,
    H_STAGE,
    HEADER,
    HELD,
    LENGTH,
    LIVE,
    MORE,
    PACKED,
    POINT_AT,
    POS,
    READ,
    ROOM,
    STAGE,
    STEP_ROOM,
    STREAMS,
    stop,
)
from guard.restrict.walk import walk

WHOLE = 4  # characters of base64, three bytes: a run that may still be text then is held as it is


@njit
def opening_begins(state: Any) -> int:
    """Where the runs that say nothing yet begin."""
    begun = state[POS]
    if state[STAGE] == OPENING:
        # What begins with a space or a quote begins its text with the next byte.
        first = (state[PACKED] >> (6 * (state[LENGTH] - 1))) & 63
        begun = min(begun, state[BEGIN] + (first < 12))
    if state[H_STAGE] == OPENING:
        begun = min(begun, state[POS] - state[H_GAPS])
    return begun


@njit
def opening_live(state: Any, begins: Any) -> int:
    """From where the first characters of a run are to be held."""
    live = state[POS]
    if state[STAGE] == OPENING:
        count = state[LENGTH]
        if count < WHOLE:
            live -= held_of(begins, state[PACKED] & ((1 << (6 * count)) - 1), count, 6)
        else:
            live = opening_begins(state)
    if state[H_STAGE] == OPENING:
        count = state[H_GAPS]
        bits = 0
        for i in range(count - 1, -1, -1):
            bits = (bits << 4) | np.int64(TABLE[DIGIT + ((state[PACKED] >> (6 * i)) & 63)])
        live = min(live, state[POS] - held_of(begins, bits, count, 4))
    return live


@njit
def settle_runs(state: Any, begins: Any) -> None:
    """The earliest raw position of what is under way, BEGUN: of a character that is not decoded
    yet, or in the scanners of the streams (`HELD` is one more than theirs, 0 for none).

    That has to be held, LIVE, as far as a phrase may begin so (`begins`): else the last word of
    every piece of ordinary text would wait.
    """
    begun = live = state[POS]
    if state[HELD] > 0:
        begun = live = min(live, state[HELD] - 1)
    if state[STAGE] > OPENING or state[H_STAGE] > OPENING:
        for stream in range(STREAMS):
            field = HEADER + stream * FIELDS
            bits = state[field + BITS]
            if state[field + MORE] > 0:
                begun = min(begun, state[field + POINT_AT])
                live = min(live, state[field + POINT_AT])
            elif bits > 0:
                begun = min(begun, state[field + BYTE_AT])
                # Where nothing is under way before it, the byte has to begin a phrase.
                if state[HELD] > 0 or may_begin(begins, state[field + ACC], bits):
                    live = min(live, state[field + BYTE_AT])
    state[BEGUN] = min(begun, opening_begins(state))
    state[LIVE] = min(live, opening_live(state, begins))


@njit
def read_runs(
    text: Any, begin: int, state: Any, points: Any, spans: Any, begins: Any
) -> int:  # fmt: skip
    """Read `text[begin:]`; returns how many points have been read.

    Stops early, for the caller to empty the streams, when a step could outgrow them.
    """
    i = skim(text, begin, state)
    while i < len(text) and state[ROOM] >= STEP_ROOM:
        point = text[i]
        kind = np.int64(TABLE[point]) if point < 128 else np.int64(OTHER)
        at = state[POS]
        packed = state[PACKED]
        base64_step(state, points, spans, point, kind, at)
        hex_step(state, points, spans, packed, point, kind, at)
        state[POS] = at + 1
        i = skim(text, i + 1, state)
    settle_runs(state, begins)
    return i


@njit
def finish_runs(state: Any, points: Any, spans: Any) -> None:
    """The end of the text ends every run; the streams must have room."""
    at = state[POS]
    if state[STAGE] == OPENING and state[LENGTH] > 1:
        open_run(state, points, spans, at)
    end_run(state, points, spans, at)
    end_hex(state, points, spans, at)
    stop(state, points, spans, 0, at)
    state[DIRTY] = 0


@njit
def read(
    text: Any, code: Any, symbols: Any, alternatives: Any, names: Any, values: Any,
    first: Any, labels: Any, accept: Any, slots: Any, state: Any, out: Any,
    begins: Any,
) -> int:  # fmt: skip
    """`walk` and `skim` over the same text in one call.

    Returns what the walk has read; -1 minus that where something was found or has to be decoded,
    from `READ` on.
    """
    running = state[len(state) - RUNS :]
    skimmed = skim(text, 0, running)
    running[READ] = skimmed
    done = walk(
        text, 0, code, symbols, alternatives, names, values, first, labels, accept, slots,
        state, out,
    )  # fmt: skip
    if skimmed < len(text) or state[FOUND] > 0:
        return -1 - done
    if done == len(text):
        settle_runs(running, begins)
        state[WALK_LIVE] = min(state[WALK_LIVE], running[LIVE])
        state[WALK_BEGUN] = min(state[WALK_BEGUN], running[BEGUN])
    return done
