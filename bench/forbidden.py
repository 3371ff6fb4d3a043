"""Forbidden phrases in any number, made up from a seed: half of them names, half runs of texts."""

from __future__ import annotations

import random
from itertools import islice

from wordfreq import top_n_list

from guard.policy import Policy
from guard.policy.compiled import Entity, Match
from guard.restrict import Phrase, name_phrases, text_phrases

_TEXT_WORDS = 40


def policy_of(phrases: int, *, seed: int = 7, name: str = "bench") -> Policy:
    """A policy whose names and texts make up about so many phrases."""
    chance = random.Random(seed)
    words = [word for word in top_n_list("en", 30_000) if word.isalpha() and len(word) > 2]
    rare, common = words[3_000:], words[:8_000]
    names: dict[str, None] = {}
    while len(names) < phrases // 2:
        names[" ".join(chance.choices(rare, k=2)).title()] = None
    entities = tuple(Entity(one) for one in names)
    # A text of 40 words has 33 runs, some of which ordinary language contains.
    texts = tuple(
        " ".join(chance.choices(common, k=_TEXT_WORDS)) for _ in range(1 + phrases // 2 // 20)
    )
    # Without respellings, so that a name is one phrase, as in the figures of before there were any.
    match = Match(respellings=False)
    return Policy(name, entities=entities, texts=texts if phrases else (), match=match)


def forbidden(count: int, *, seed: int = 7) -> list[Phrase]:
    """Exactly `count` phrases, as the policy compiles them."""
    if count == 0:
        return []
    policy = policy_of(count, seed=seed)
    half = list(islice(name_phrases(policy), count // 2))
    return half + list(islice(text_phrases(policy), count - len(half)))
