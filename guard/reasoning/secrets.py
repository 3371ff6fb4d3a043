"""What was put into a prompt and must not come out of it again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

from guard.asked import Turn
from guard.policy import Entity, Match, Policy
from guard.reasoning.prompts import TEMPLATE, guarded_prompt
from guard.restrict import PhraseAutomaton, name_phrases, text_phrases

# A run of so many words is a quotation; fewer may be a refusal in the same words.
RUN_WORDS = 10
_RUN = Match(words=RUN_WORDS, beta=1.0)
# What says something about somebody: names, and numbers of three digits or more.
_NUMBER = re.compile(r"\d[\d.,/-]*\d")
_NAME = re.compile(r"[^\W\d_a-z]\w+(?:[ '’-][^\W\d_a-z]\w+)*")
_BEGINS = re.compile(r"(?:^|[.!?:]\s+)$", re.M)


def quotes(texts: Iterable[str]) -> PhraseAutomaton:
    """Finds quotations of these texts."""
    return PhraseAutomaton(text_phrases(Policy("secret", texts=tuple(texts), match=_RUN)))


def facts(profile: str) -> tuple[str, ...]:
    """The names and numbers of a profile. A sentence's first word counts only within a name."""
    found = [m[0] for m in _NUMBER.finditer(profile) if sum(map(str.isdigit, m[0])) > 2]
    for match in _NAME.finditer(profile):
        rest = match[0].partition(" ")[2]
        begins = _BEGINS.search(profile, 0, match.start()) is not None
        found += [match[0], rest] if begins and rest else [] if begins else [match[0]]
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=64)
def _fixed(context: str) -> PhraseAutomaton:
    """Quotations of what every prompt of a policy holds."""
    own = guarded_prompt(context, [Turn("user", "")], TEMPLATE, "-")
    return quotes([line for line in own.splitlines() if line])


@lru_cache(maxsize=256)
def _profile(profile: str) -> PhraseAutomaton:
    said = name_phrases(Policy("secret", entities=tuple(map(Entity, facts(profile)))))
    told = text_phrases(Policy("secret", texts=(profile,), match=_RUN))
    return PhraseAutomaton(chain(said, told))


class Secrets:
    """The policy text, the instruction and the profile of one prompt.

    A fact of the profile that the conversation itself holds is none of its secrets.
    """

    def __init__(
        self, context: str, instruction: PhraseAutomaton, profile: str, turns: Sequence[Turn]
    ) -> None:
        self._quotes = [_fixed(context), instruction]
        self._profile = _profile(profile) if profile else None
        self._turns = turns

    def told_by(self, text: str) -> bool:
        """Whether an answer gives any of them away."""
        if any(finder.find_all(text) for finder in self._quotes):
            return True
        if self._profile is None:
            return False
        supplied = {
            phrase
            for turn in self._turns
            for match in self._profile.find_all(turn.text)
            for phrase in match.phrases
        }
        return any(
            phrase not in supplied
            for match in self._profile.find_all(text)
            for phrase in match.phrases
        )
