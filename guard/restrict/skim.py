"""Ordinary text, read past the decoders of `runs.py`: nothing in it has to be decoded."""

from __future__ import annotations

from typing import Any

import numpy as np

from guard.restrict.compiled import njit
from guard.restrict.hex_run import open_hex, parts
from guard.restrict.run_table import (
    ALIVE,
    ALNUM,
    DEAD,
    FIRST,
    LONG,
    NONE,
    OPENING,
    OTHER,
    PAD,
    PAIR,
    TABLE,
    VALUES,
    WORDS,
    is_odd,
    opening,
)
from guard.restrict.streams import BEGIN, DIRTY, H_GAPS, H_STAGE, LENGTH, PACKED, POS, STAGE, WINDOW


@njit
def skim(text: Any, begin: int, state: Any) -> int:
    """Read `text[begin:]` as far as nothing has to be decoded; returns how many points are read.

    Nearly every character of ordinary text is read in here: a word is given up after its first
    letters, and from there on only counted.
    """
    stage = state[STAGE]
    h_stage = state[H_STAGE]
    if state[DIRTY] == 1 or stage == ALIVE or stage == LONG or h_stage == ALIVE or h_stage == LONG:
        return begin
    length = state[LENGTH]
    packed = state[PACKED]
    digits = state[H_GAPS]  # as long as they are OPENING
    at = state[POS] - begin
    i = begin
    while i < len(text):
        point = text[i]
        kind = np.int64(TABLE[point]) if point < 128 else np.int64(OTHER)
        if kind >= VALUES:
            if stage == OPENING and kind == PAD:
                break
            if h_stage == OPENING and digits == 2 and parts(point, kind):
                break
            stage = h_stage = NONE
            length = packed = 0
            i += 1
            continue
        if stage == DEAD and h_stage == DEAD and kind < ALNUM:
            if length & (WINDOW - 1) == WINDOW - 1 and is_odd((packed << 6) | kind):
                break
            length += 1
            packed = (packed << 6) | kind
            i += 1
            continue
        if stage == NONE and kind < ALNUM and i + 1 < len(text) and text[i + 1] < 128:
            second = np.int64(TABLE[text[i + 1]])
            if second < ALNUM and TABLE[WORDS + ((kind << 6) | second)] == 1:
                stage = h_stage = DEAD
                length = 2
                packed = (kind << 6) | second
                i += 2
                continue
        following = go_on_quietly(packed, length, kind, stage)
        h_following = open_hex(packed, digits, point, kind, h_stage)
        if following == ALIVE or h_following == ALIVE:
            break
        if stage == NONE:
            state[BEGIN] = at + i
        digits = digits + 1 if h_stage == OPENING else 1
        stage = following
        h_stage = h_following
        length += 1
        packed = (packed << 6) | kind
        i += 1
    state[STAGE] = stage
    state[H_STAGE] = h_stage
    state[LENGTH] = length
    state[PACKED] = packed & ((1 << (6 * WINDOW)) - 1)
    state[H_GAPS] = digits
    state[POS] = at + i
    return i


@njit
def go_on_quietly(packed: int, length: int, kind: int, stage: int) -> int:
    """The stage of a run after one more character of its alphabet that says nothing yet; ALIVE when
    `base64_step` has to read it."""
    now = (packed << 6) | kind
    if stage == NONE:
        return OPENING if TABLE[FIRST + kind] == 1 else DEAD
    if stage == OPENING:
        if length == 1:
            return OPENING if TABLE[PAIR + (now & 0xFFF)] == 1 else DEAD
        if length == 3:
            return opening(now & 0xFFFFFF, 4)
        return ALIVE if length == WINDOW - 1 else OPENING
    return ALIVE if length % WINDOW == WINDOW - 1 and is_odd(now) else DEAD
