"""The kernels of a step: advance the checkpoints, walk the drafts, ban, and settle each row.

Calls in chunks begin anywhere in a batch's tensors: the kernels are not compiled anew for each
alignment.
"""

from __future__ import annotations

import triton
import triton.language as tl

from guard.restrict import completion_table, token_walk
from guard.restrict.device import layout
from guard.restrict.device.triton_walk import (
    BROKEN,
    COUNT,
    FLAGS,
    KEYS,
    LOST,
    MATCHED,
    NEED,
    VALUE,
    WAITING,
    WORD_START,
    copy_keys,
    load_place,
    point_step,
    take,
)

SEEN = tl.constexpr(layout.SEEN)
PLACE_WIDTH = tl.constexpr(layout.PLACE_WIDTH)
SLOT_WIDTH = tl.constexpr(layout.SLOT_WIDTH)
ROOTS = tl.constexpr(layout.ROOTS)
ROOT_COUNT = tl.constexpr(layout.ROOT_COUNT)
ACTIVE = tl.constexpr(layout.ACTIVE)
SOFT_START = tl.constexpr(layout.SOFT_START)
SOFT_SIZE = tl.constexpr(layout.SOFT_SIZE)
END_LOGIT = tl.constexpr(layout.END_LOGIT)
VARIANTS = tl.constexpr(completion_table.VARIANTS)
PIECE = tl.constexpr(completion_table.PIECE)
MAX_THREADS = tl.constexpr(token_walk.MAX_THREADS)
TILE = tl.constexpr(32)  # intervals that are banned together
BLOCK = tl.constexpr(4096)  # logits that are looked at together
PENALTIES = tl.constexpr(256)  # and penalties subtracted


@triton.jit(do_not_specialize_on_alignment=["slot_of", "total"])
def advance_kernel(  # type: ignore[no-untyped-def]
    first, labels, accept, code, symbols, alternatives, text, starts, special, n_tokens,
    slots, places, spare, slot_of, history, history_stride, total,
):  # fmt: skip
    """One program a request: read its committed tokens to their end."""
    request = tl.program_id(0)
    slot = tl.load(slot_of + request).to(tl.int64)
    if slot >= 0:
        config = slots + slot * SLOT_WIDTH
        here = places + slot * PLACE_WIDTH
        seen = tl.load(here + SEEN)
        end = tl.load(total + slot)
        if (tl.load(config + ACTIVE) != 0) & (seen < end):
            there = spare + request.to(tl.int64) * PLACE_WIDTH
            n_roots = tl.load(config + ROOT_COUNT)
            count, word_start, need, value, flags = load_place(here)
            while seen < end:
                token = tl.load(history + slot * history_stride + seen).to(tl.int32)
                count, word_start, need, value, flags = take(
                    first, labels, accept, code, symbols, alternatives, text, starts, special,
                    n_tokens, config + ROOTS, n_roots, here, there, count, word_start, need, value,
                    flags, token,
                )  # fmt: skip
                flags = flags & LOST
                seen += 1
            tl.store(here + SEEN, seen)
            tl.store(here + COUNT, count)
            tl.store(here + WORD_START, word_start)
            tl.store(here + NEED, need)
            tl.store(here + VALUE, value)
            tl.store(here + FLAGS, flags)


@triton.jit(do_not_specialize_on_alignment=["slot_of", "offsets", "fed", "total"])
def walk_kernel(  # type: ignore[no-untyped-def]
    first, labels, accept, code, symbols, alternatives, text, starts, special, n_tokens,
    slots, places, spare, walked, asked, slot_of, offsets, fed, total,
):  # fmt: skip
    """One program a row: from its checkpoint over its drafts, to `walked`; as after a character
    that was given up, to `asked`. FLAGS of `asked` is LOST for a row that may only end."""
    row = tl.program_id(0)
    slot = tl.load(slot_of + row).to(tl.int64)
    here = walked + row.to(tl.int64) * PLACE_WIDTH
    target = asked + row.to(tl.int64) * PLACE_WIDTH
    if slot >= 0:
        config = slots + slot * SLOT_WIDTH
        if tl.load(config + ACTIVE) != 0:
            place = places + slot * PLACE_WIDTH
            there = spare + row.to(tl.int64) * PLACE_WIDTH
            n_roots = tl.load(config + ROOT_COUNT)
            count, word_start, need, value, flags = load_place(place)
            copy_keys(place, here, count)
            drafts = tl.load(offsets + row).to(tl.int32)
            i = drafts * 0
            while i < drafts:
                token = tl.load(fed + row - drafts + i + 1).to(tl.int32)
                count, word_start, need, value, flags = take(
                    first, labels, accept, code, symbols, alternatives, text, starts, special,
                    n_tokens, config + ROOTS, n_roots, here, there, count, word_start, need, value,
                    flags, token,
                )  # fmt: skip
                flags = flags & LOST
                i += 1
            tl.store(here + COUNT, count)
            tl.store(here + WORD_START, word_start)
            tl.store(here + NEED, need)
            tl.store(here + VALUE, value)
            tl.store(here + FLAGS, flags)
            copy_keys(here, target, count)
            if need > 0:
                count, word_start, flags = point_step(
                    first, labels, accept, code, symbols, alternatives, config + ROOTS, n_roots,
                    target, there, count, word_start, flags, need * 0 + BROKEN,
                )  # fmt: skip
            behind = tl.load(place + SEEN) < tl.load(total + slot)
            tl.store(target + COUNT, count)
            tl.store(target + WORD_START, word_start)
            tl.store(target + FLAGS, (flags & LOST) | tl.where(behind, LOST, 0))


@triton.jit
def ban_list(  # type: ignore[no-untyped-def]
    line, width, entry, place, pool, order, node, variant, begin, step,
):  # fmt: skip
    """Ban every step-th tile, from `begin`, of the intervals of a node."""
    listed = tl.load(entry + node)
    if listed >= 0:
        at = place + (listed.to(tl.int64) * VARIANTS + variant) * 2
        start = tl.load(at)
        size = tl.load(at + 1)
        tile = begin * TILE
        while tile < size:
            which = tile + tl.arange(0, TILE)
            real = which < size
            span = pool + (start + which).to(tl.int64) * 2
            low = tl.load(span, mask=real, other=0)
            high = tl.load(span + 1, mask=real, other=0)
            token_at = low[:, None] + tl.arange(0, PIECE)[None, :]
            inside = token_at < high[:, None]
            token = tl.load(order + token_at, mask=inside, other=0)
            tl.store(line + token, float("-inf"), mask=inside & (token < width))
            tile += step * TILE


@triton.jit(do_not_specialize_on_alignment=["slot_of"])
def ban_kernel(  # type: ignore[no-untyped-def]
    logits, stride, width, entry, place, pool, order, slots, asked, slot_of,
):  # fmt: skip
    """Programs (row, part): ban what completes a phrase from the threads and roots of `asked`."""
    row = tl.program_id(0)
    slot = tl.load(slot_of + row).to(tl.int64)
    if slot >= 0:
        config = slots + slot * SLOT_WIDTH
        if tl.load(config + ACTIVE) != 0:
            line = logits + row.to(tl.int64) * stride
            here = asked + row.to(tl.int64) * PLACE_WIDTH
            count = tl.load(here + COUNT)
            i = count * 0
            while i < count:
                key = tl.load(here + KEYS + i)
                ban_list(
                    line, width, entry, place, pool, order, key >> 3, key & 7, tl.program_id(1),
                    tl.num_programs(1),
                )  # fmt: skip
                i += 1
            word_start = tl.load(here + WORD_START)
            n_roots = tl.load(config + ROOT_COUNT)
            i = count * 0
            while i < n_roots:
                ban_list(
                    line, width, entry, place, pool, order, tl.load(config + ROOTS + i),
                    word_start, tl.program_id(1), tl.num_programs(1),
                )  # fmt: skip
                i += 1


@triton.jit(do_not_specialize_on_alignment=["slot_of"])
def continue_kernel(  # type: ignore[no-untyped-def]
    first, labels, accept, code, symbols, alternatives, text, starts, special, n_tokens,
    logits, stride, width, slots, spare, walked, slot_of, continuing, n_continuing,
):  # fmt: skip
    """Programs (row, part), for rows inside a character: try the tokens that go on with it."""
    row = tl.program_id(0)
    slot = tl.load(slot_of + row).to(tl.int64)
    if slot >= 0:
        config = slots + slot * SLOT_WIDTH
        if tl.load(config + ACTIVE) != 0:
            begin = walked + row.to(tl.int64) * PLACE_WIDTH
            if tl.load(begin + NEED) > 0:
                mine = row.to(tl.int64) * tl.num_programs(1) + tl.program_id(1)
                here = spare + mine * 2 * PLACE_WIDTH
                there = here + PLACE_WIDTH
                n_roots = tl.load(config + ROOT_COUNT)
                i = tl.program_id(1)
                while i < n_continuing:
                    token = tl.load(continuing + i)
                    count, word_start, need, value, flags = load_place(begin)
                    copy_keys(begin, here, count)
                    count, word_start, need, value, flags = take(
                        first, labels, accept, code, symbols, alternatives, text, starts, special,
                        n_tokens, config + ROOTS, n_roots, here, there, count, word_start, need,
                        value, flags, token,
                    )  # fmt: skip
                    bad = (flags & (MATCHED | WAITING | LOST)) != 0
                    line = logits + row.to(tl.int64) * stride
                    tl.store(line + token, float("-inf"), mask=bad & (token < width))
                    i += tl.num_programs(1)


@triton.jit(do_not_specialize_on_alignment=["slot_of"])
def settle_kernel(  # type: ignore[no-untyped-def]
    logits, stride, width, end, slots, asked, soft_tokens, soft_penalties, slot_of,
):  # fmt: skip
    """One program a row: subtract penalties; a row that is lost, or has nothing left, may only
    end."""
    row = tl.program_id(0)
    slot = tl.load(slot_of + row).to(tl.int64)
    if slot >= 0:
        config = slots + slot * SLOT_WIDTH
        if tl.load(config + ACTIVE) != 0:
            line = logits + row.to(tl.int64) * stride
            start = tl.load(config + SOFT_START)
            size = tl.load(config + SOFT_SIZE)
            i = size * 0
            while i < size:
                which = i + tl.arange(0, PENALTIES)
                real = which < size
                token = tl.load(soft_tokens + start + which, mask=real, other=0)
                real = real & (token < width)
                penalty = tl.load(soft_penalties + start + which, mask=real, other=0.0)
                value = tl.load(line + token, mask=real, other=0.0)
                tl.store(line + token, value - penalty, mask=real)
                i += PENALTIES
            tl.debug_barrier()
            lost = tl.load(asked + row.to(tl.int64) * PLACE_WIDTH + FLAGS) & LOST
            lane = tl.arange(0, BLOCK)
            left = lost * 0
            at = tl.where(lost != 0, width, 0)
            while (at < width) & (left == 0):
                value = tl.load(line + at + lane, mask=at + lane < width, other=float("-inf"))
                left = tl.max((value > float("-inf")).to(tl.int32), axis=0)
                at += BLOCK
            if left == 0:
                at = left * 0
                while at < width:
                    where = at + lane
                    value = tl.where(where == end, END_LOGIT, float("-inf"))
                    tl.store(line + where, value, mask=where < width)
                    at += BLOCK
