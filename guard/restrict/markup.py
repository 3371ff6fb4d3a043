"""What stands between two parts of a word and says nothing: tags (`<br>`, `</b>`, `<!-- -->`), the
address of a markdown link (`](...)`), and the joint of two strings of a program (`" + "`).

Part of the escape machine (`escapes.py`): read where a phrase is under way, each stands for soft
punctuation, as in "Har<br>ry". No Python object is touched in here.
"""

from __future__ import annotations

from typing import Any

from guard.restrict.compiled import njit
from guard.restrict.state import ESC, ESC_COUNT, THREADS

# States of the escape machine, above those of `escapes.py`.
TAG, TAG_INSIDE, LINK, LINK_INSIDE = 16, 17, 18, 19
JOINT, JOINT_PLUS, JOINT_QUOTE = 20, 21, 22

LESS_SIGN, BRACKET_SIGN, QUOTE, APOSTROPHE = 60, 93, 34, 39
PLUS_SIGN, HYPHEN = 43, 45
MAX_MARKUP = 256  # characters of a tag or an address; what is longer is text
MAX_JOINT = 32


@njit
def is_quote(point: int) -> bool:
    """Whether a string of a program begins or ends so."""
    return point == QUOTE or point == APOSTROPHE


@njit
def markup_step(state: Any, point: int) -> int:
    """One more character of a tag or of a link's address; returns as `entity_step`. It gives way to
    an escape inside it."""
    esc = state[ESC]
    if esc == LINK:
        state[ESC] = LINK_INSIDE
        return -1 if point == 40 else -2
    if esc == TAG:
        state[ESC] = TAG_INSIDE
        named = 65 <= point <= 90 or 97 <= point <= 122 or point == 47 or point == 33  # / !
        return -1 if named else -2
    if point == (62 if esc == TAG_INSIDE else 41):
        return HYPHEN
    state[ESC_COUNT] += 1
    inside = point == 38 or point == 37 or point == 92  # & % and backslash
    return -2 if inside or point == LESS_SIGN or state[ESC_COUNT] > MAX_MARKUP else -1


@njit
def joint_step(state: Any, point: int) -> int:
    """One more character from one string of a program to the next; returns as `entity_step`."""
    esc = state[ESC]
    state[ESC_COUNT] += 1
    if esc != JOINT and is_quote(point):
        return HYPHEN
    if esc == JOINT_QUOTE or state[ESC_COUNT] > MAX_JOINT:
        return -2
    if point == 32 or 9 <= point <= 13:
        return -1
    if esc == JOINT and point == PLUS_SIGN:
        state[ESC] = JOINT_PLUS
        return -1
    if esc == JOINT_PLUS and point == 92:  # backslash: of a quote inside a string of JSON
        state[ESC] = JOINT_QUOTE
        return -1
    return -2


@njit
def stands_alone(point: int) -> bool:
    """Whether what a sign begins stands for something of its own. Markup does not, nor does what
    joins two strings: they count only where a phrase is under way."""
    return not (point == LESS_SIGN or point == BRACKET_SIGN or is_quote(point))


@njit
def opens_escape(state: Any, point: int) -> bool:
    """Whether one of the signs that may begin an escape does."""
    return state[THREADS] > 0 or stands_alone(point)
