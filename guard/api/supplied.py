"""What a client may be told because it said so itself."""

from __future__ import annotations

from collections.abc import Iterable

from guard.asked import Asked
from guard.policy import Policy
from guard.restrict import Phrase, PhraseAutomaton
from guard.restrict.phrases import join


class Supplied:
    """Says of a phrase whether the request holds it and its policy's scope lets it be repeated.

    Apart from the filter that asks: one that its own hold-back referred to would stay, with all it
    has read with, until a collection.
    """

    def __init__(self, policies: Iterable[Policy], asked: Asked) -> None:
        self._parametric = {p.name for p in policies if p.scope == "parametric"}
        self._asked = asked
        self._known: dict[Phrase, bool] = {}

    def __call__(self, phrase: Phrase) -> bool:
        if phrase.policy not in self._parametric:
            return False
        if phrase not in self._known:
            self._known[phrase] = is_supplied(phrase, (*self._asked.texts, *self._asked.spans))
        return self._known[phrase]


def is_supplied(phrase: Phrase, texts: Iterable[str]) -> bool:
    """Whether the request itself holds the whole of a forbidden run, in whatever disguise."""
    whole = Phrase(join(phrase.whole), True, phrase.kind, phrase.policy, phrase.whole)
    automaton = PhraseAutomaton([whole])
    return any(automaton.find_all(text) for text in texts)
