"""What a policy says in a few words: topics, the forgotten aspects of a person, and namesakes.

A topic flags by itself. Of a subject with aspects or namesakes the name alone flags nothing: the
name is a mention, and whether it counts is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from classifiers import aspects, namesakes, topics
from classifiers.encoder import Vectors
from classifiers.mentions import Mentions
from classifiers.scale import SAME, Scale
from classifiers.signals import ASPECT, NAME, NAMESAKE, TOPIC, Signal, Subject

Embed = Callable[[Sequence[str]], Vectors]
"""Texts to vectors (n, d), now."""


class Encode(Protocol):
    """Texts to their windows' vectors. Raises what an encoder's queue does."""

    async def __call__(self, texts: Sequence[str]) -> Vectors: ...


class Described:
    """The subjects that say anything in a few words; `scale`: that of the encoder's cosines."""

    def __init__(self, subjects: Iterable[Subject], embed: Embed, scale: Scale = SAME) -> None:
        asked = list(subjects)
        self._topics = _topics(asked, embed, scale)
        self._aspects: dict[int, tuple[Mentions, aspects.Aspects]] = {}
        self._namesakes: dict[int, tuple[Mentions, namesakes.Namesakes]] = {}
        for one in asked:
            if one.aspects:
                vectors = embed(aspects.wordings(one.aspects))
                reader = Mentions(one.names, aspects.STAND_IN)
                self._aspects[one.id] = (reader, aspects.Aspects(one.aspects, vectors, scale))
            if one.namesakes:
                reader = Mentions(one.names, namesakes.STAND_IN)
                self._namesakes[one.id] = (reader, _namesakes(one, reader, embed, scale))

    async def signals(
        self,
        texts: Sequence[str],
        subjects: frozenset[int],
        mentioned: frozenset[int],
        encode: Encode,
        sentences: Callable[[Sequence[str]], list[str]],
    ) -> list[Signal]:
        """Of `subjects` the topics that are asked about, and of those `mentioned` whether a
        forgotten aspect is, and no namesake."""
        found = []
        if self._topics is not None:
            scores = self._topics.scores(await encode(sentences(texts)), subjects)
            found += [
                Signal(TOPIC, subject, score, score >= topics.THRESHOLD)
                for subject, score in sorted(scores.items(), key=lambda item: -item[1])
            ]
        for subject in sorted(mentioned & subjects):
            found += await self._meant(texts, subject, encode)
        return found

    async def _meant(self, texts: Sequence[str], subject: int, encode: Encode) -> list[Signal]:
        found = []
        if subject in self._namesakes:
            reader, judge = self._namesakes[subject]
            score = judge.score(texts, await encode(reader.asked(texts)))
            found.append(Signal(NAMESAKE, subject, score, False))
            if score >= namesakes.THRESHOLD:
                return found
            if subject not in self._aspects:
                return [*found, Signal(NAME, subject, 1.0, True)]
        if subject in self._aspects:
            reader, sides = self._aspects[subject]
            margin = sides.score(await encode(reader.asked(texts)))
            found.append(Signal(ASPECT, subject, margin, margin >= aspects.THRESHOLD))
        return found


def _topics(subjects: Sequence[Subject], embed: Embed, scale: Scale) -> topics.Topics | None:
    stated = [(one.id, topic) for one in subjects for topic in one.topics]
    if not stated:
        return None
    vectors = embed([form for _, topic in stated for form in topics.wordings(topic)])
    return topics.Topics([owner for owner, _ in stated], vectors, scale)


def _namesakes(one: Subject, reader: Mentions, embed: Embed, scale: Scale) -> namesakes.Namesakes:
    stored = [*one.prompts, *one.facts]
    vectors = embed([reader.masked(text) for text in (*one.namesakes, *stored)])
    return namesakes.Namesakes(one.names, one.namesakes, stored, vectors, scale)
