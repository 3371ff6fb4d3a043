"""From the names of a policy to phrases: as they are listed, and as others spell them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from guard.restrict.folding import fold_words
from guard.restrict.phrases import Phrase, join, shorten
from guard.restrict.respelling import respellings

if TYPE_CHECKING:  # the engine plugin imports this file, next to a vLLM without our dependencies
    from guard.policy.compiled import Entity, Policy


def name_phrases(policy: Policy) -> Iterator[Phrase]:
    """The phrases of every name and alias of the policy that must not come out: not those of
    entities with aspects or namesakes, whom other answers have to name."""
    for entity in policy.entities:
        if not entity.limited:
            yield from _named(entity, policy)


def mention_phrases(policy: Policy) -> Iterator[tuple[int, Phrase]]:
    """The names that settle nothing by themselves, each with its entity's place in the policy."""
    for place, entity in enumerate(policy.entities):
        if entity.limited:
            yield from ((place, phrase) for phrase in _named(entity, policy))


def _named(entity: Entity, policy: Policy) -> Iterator[Phrase]:
    """One phrase a name, and one for each other spelling of it, which is not looked for mirrored:
    two disguises at once are too far from the name to tell from chance."""
    listed = {name: _phrase(name, policy.name, mirrored=True) for name in entity.names}
    yield from (phrase for phrase in listed.values() if phrase)
    if policy.match.respellings:
        known = {phrase.whole for phrase in listed.values() if phrase}
        for spelling in (other for name in listed for other in respellings(name)):
            phrase = _phrase(spelling, policy.name, mirrored=False)
            if phrase and phrase.whole not in known:
                known.add(phrase.whole)
                yield phrase


def _phrase(name: str, policy: str, *, mirrored: bool) -> Phrase | None:
    words = tuple(fold_words(name))
    if not words:
        return None
    symbols = join(words)
    short = shorten(symbols)
    return Phrase(short, len(short) == len(symbols), "name", policy, words, mirrored)
