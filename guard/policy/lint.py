"""Everything an operator should know before a policy goes live: errors, then warnings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from guard.errors import Problem
from guard.policy.compiled import Policy
from guard.policy.data import Progress
from guard.policy.loader import read_policies
from guard.policy.source import Source, in_order
from guard.policy.yaml_tree import Location

# Zipf scale, log10 of uses per billion words: 3.5 is a word met every 300,000 words or so, such
# as "madonna"; surnames that are not words lie mostly below.
_ORDINARY_ZIPF = 3.5
_LOOSE_SIMILARITY = 0.5


def lint(path: Path, *, today: date, progress: Progress | None = None) -> list[Problem]:
    """The problems of a policy file or of every policy in a directory, errors and warnings.

    Warnings are given for the policies that load. Nothing is raised.
    """
    reading = read_policies(path, progress=progress)
    problems = list(reading.problems)
    for source, policy in reading.loaded:
        for location, message in _warnings(source, policy, today):
            problems.append(source.problem(location, message, "warning"))
    return in_order(problems)


def _warnings(source: Source, policy: Policy, today: date) -> Iterator[tuple[Location, str]]:
    if policy.is_expired(today):
        yield ("until",), "is past: the policy is not enforced any more"
    if policy.is_overdue(today):
        yield ("review_by",), "is past: a review is due; enforcement goes on"
    if policy.on_error == "open":
        yield ("on_error",), "is open: while a detector fails, prompts pass unread"
    for key in ("retain", "distil"):
        if key in source.content.model_fields_set:
            yield (key,), "only `guard distil` reads this"
    if policy.match.similarity < _LOOSE_SIMILARITY:
        yield ("match", "similarity"), "is so low that unrelated prompts will be flagged"
    for i, entry in enumerate(source.content.forget.entities):
        named = [
            (("name",), entry.name),
            *((("aliases", j), a) for j, a in enumerate(entry.aliases)),
        ]
        for place, name in named:
            if _is_ordinary_word(name):
                location: Location = ("forget", "entities", i, *place)
                yield location, "is a single ordinary English word: harmless text will match"


def _is_ordinary_word(name: str) -> bool:
    # Imported here: its word list takes a while to load and only lint needs it.
    from wordfreq import zipf_frequency

    word = name.strip().casefold()
    return word.isalpha() and zipf_frequency(word, "en") >= _ORDINARY_ZIPF
