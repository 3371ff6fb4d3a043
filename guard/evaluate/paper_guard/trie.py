"""The hard penalty: a trie over tokenised forbidden sequences and how far a text has got in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Node:
    """A prefix of `depth` tokens; `shortest` is the length of the shortest sequence it begins."""

    depth: int
    shortest: int
    children: dict[int, Node] = field(default_factory=dict, repr=False)


# The prefixes that a text ends with, longest first: one for every sequence that is under way.
Live = tuple[Node, ...]


class TokenTrie:
    """Forbidden token sequences. Raises ValueError for an empty one: it would match everywhere."""

    def __init__(self, sequences: Iterable[Sequence[int]]) -> None:
        self._root = Node(0, 0)
        for sequence in sequences:
            if not sequence:
                raise ValueError("an empty sequence matches everywhere")
            node = self._root
            for depth, token in enumerate(sequence, 1):
                node = node.children.setdefault(token, Node(depth, len(sequence)))
                node.shortest = min(node.shortest, len(sequence))

    def advance(self, live: Live, token: int) -> Live:
        """What is under way after one more token; a sequence may begin at any token."""
        return tuple(node.children[token] for node in (*live, self._root) if token in node.children)


def match_ratio(live: Live) -> float:
    """The largest share of a forbidden sequence that the text ends with; 1 when it is complete.

    The share is of the whole sequence: one that has only begun does not count as complete.
    """
    return max((node.depth / node.shortest for node in live), default=0.0)
