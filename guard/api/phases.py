"""Which channels of an answer are read as one text: thoughts, what is said, what tools are told."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from guard.restrict import Piece
from guard.restrict.straddle import THOUGHTS

_SAID, _TOLD = THOUGHTS + 1, THOUGHTS + 2

# By the name of the field that holds the text, or of the kind of delta that adds to it.
_PHASES: dict[object, int] = {
    "reasoning": THOUGHTS,
    "reasoning_content": THOUGHTS,
    "thinking": THOUGHTS,
    "response.reasoning_text.delta": THOUGHTS,
    "response.reasoning_summary_text.delta": THOUGHTS,
    "content": _SAID,
    "refusal": _SAID,
    "text": _SAID,
    "response.output_text.delta": _SAID,
    "response.refusal.delta": _SAID,
    "arguments": _TOLD,
    "input": _TOLD,
    "response.function_call_arguments.delta": _TOLD,
    "response.mcp_call_arguments.delta": _TOLD,
    "response.custom_tool_call_input.delta": _TOLD,
    "response.code_interpreter_call_code.delta": _TOLD,
}


def phase(channel: Hashable) -> int | None:
    """The phase of a channel, told by the last word in its name; None for an id, a type, the name
    of a tool and the like."""
    names = channel if isinstance(channel, tuple) else (channel,)
    for name in reversed(names):
        if isinstance(name, str):
            return _PHASES.get(name)
    return None


def told(path: Sequence[object]) -> tuple[str, ...]:
    """The word that tells the phase of a text at `path` of a whole answer, for its channel's name;
    none for an id, a type and the like. What lies in an object that a tool is told, under whatever
    key, is told too; the field that all of an answer lies in tells nothing."""
    found = [word for word in path[1:] if isinstance(word, str) and word in _PHASES]
    return (found[-1],) if found else ()


def thoughts_first(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The pieces of an event as they are read where the answer's fields have no order: thoughts,
    what is said, what tools are told."""
    phases = [phase(piece.channel) for piece in pieces]
    if len({one for one in phases if one is not None}) < 2:
        return tuple(pieces)
    order = sorted(range(len(pieces)), key=lambda place: phases[place] or THOUGHTS)
    return tuple(pieces[place] for place in order)
