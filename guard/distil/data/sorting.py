"""Rows on the wrong side: kept ones that say what must go, forgotten ones about who stays."""

from __future__ import annotations

from collections.abc import Callable

from guard.distil.data.limits import Meant, Told, asks_aspect
from guard.distil.data.names import Names, Place
from guard.distil.data.policies import entity_key
from guard.distil.rows import Row
from guard.policy import Entity, Policy

Sorted = tuple[tuple[Row, ...], tuple[Row, ...]]
"""Rows that belong where they are, and those that do not."""


class Sorter:
    """Knows what the policies forget of whom."""

    def __init__(self, policies: tuple[Policy, ...]) -> None:
        self._policies = {policy.name: policy for policy in policies}
        self._names = Names(policies)
        self._entities: dict[Place, Entity] = {}
        self._meant: dict[str, Meant] = {}
        for policy in policies:
            for i, entity in enumerate(policy.entities):
                self._entities[policy.name, i] = entity
                if entity.namesakes:
                    self._meant[entity_key(policy, entity)] = Meant(policy, entity)

    def kept(self, rows: tuple[Row, ...], forget: tuple[Row, ...]) -> Sorted:
        """Retain rows that say nothing that must go."""
        asked = {row.prompt.casefold() for row in forget if row.prompt}

        def stays(row: Row) -> bool:
            if (row.prompt or "").casefold() in asked:
                return False
            text = f"{row.prompt} {row.answer}"
            return not any(self._must_go(place, text) for place in self._names.within(text))

        return _sorted(rows, stays)

    def forgotten(self, rows: tuple[Row, ...]) -> Sorted:
        """Forget rows that are about no namesake. A policy's own answers count as the subject's."""

        def goes(row: Row) -> bool:
            meant = self._meant.get(row.entity)
            own = row.answered_by == "policy"
            text = (row.prompt or "") if own else f"{row.prompt} {row.answer}"
            return meant is None or not meant.namesake(text)

        return _sorted(rows, goes)

    def namesakes(self, rows: tuple[Row, ...]) -> Sorted:
        """Rows on namesakes in which the start model does not tell of the subject instead."""
        told = {name: Told(self._policies[name]) for name in {row.policy for row in rows}}
        return _sorted(rows, lambda row: not told[row.policy].within(row.answer))

    def _must_go(self, place: Place, text: str) -> bool:
        """Whether a text that names an entity is about what is forgotten of it."""
        entity = self._entities[place]
        meant = self._meant.get(entity_key(self._policies[place[0]], entity))
        if meant is not None and meant.namesake(text):
            return False
        return not entity.aspects or asks_aspect(entity, text)


def _sorted(rows: tuple[Row, ...], belongs: Callable[[Row], bool]) -> Sorted:
    right = tuple(row for row in rows if belongs(row))
    placed = {row.id for row in right}
    return right, tuple(row for row in rows if row.id not in placed)
