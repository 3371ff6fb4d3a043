"""Where things stand in the tensors of the device side; free of torch.

A *place* is a row of int32: a few numbers, then the keys of its threads, as in `token_walk`. A
*slot* is what stays the same while a request holds it.
"""

from __future__ import annotations

from guard.restrict.token_walk import MAX_ROOTS, MAX_THREADS

# A place. SEEN: tokens read so far, as a position in the request's tokens.
SEEN, COUNT, WORD_START, NEED, VALUE, FLAGS = range(6)
KEYS = 8
PLACE_WIDTH = KEYS + MAX_THREADS

# A slot: the roots of its tries, then their number and the rest.
ROOTS = 0
ROOT_COUNT = MAX_ROOTS
ACTIVE = MAX_ROOTS + 1  # 0: none of our business
SOFT_START = MAX_ROOTS + 2
SOFT_SIZE = MAX_ROOTS + 3
SLOT_WIDTH = MAX_ROOTS + 4

MAX_READINGS = 3  # of one character; fold_tables are checked against it
END_LOGIT = 0.0  # of the end-of-sequence token, where nothing else is left
