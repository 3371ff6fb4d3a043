"""What must not come out: folding, the phrase automaton, and hold-back for streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guard.errors import Problem
from guard.restrict.automaton import PhraseAutomaton, Scanner
from guard.restrict.events import EndLane, Event, Forward, Piece, Release, Trim
from guard.restrict.holdback import HoldBack
from guard.restrict.match import Match
from guard.restrict.meaning import UNJUDGED, Meant, Question, SentenceHold, forgotten_sentences
from guard.restrict.names import mention_phrases, name_phrases
from guard.restrict.phrases import Phrase, lint_phrases, text_phrases
from guard.restrict.soft import SoftPenalties, lint_soft, soft_penalties
from guard.restrict.values import telling, value_phrases

if TYPE_CHECKING:  # the engine plugin imports this package without our dependencies
    from guard.policy.compiled import Policy


def lint_patterns(policy: Policy) -> list[Problem]:
    """What `guard policy lint` is told of a policy's names, texts and soft penalties."""
    return [*lint_phrases(policy), *lint_soft(policy)]


__all__ = [
    "UNJUDGED",
    "EndLane",
    "Event",
    "Forward",
    "HoldBack",
    "Match",
    "Meant",
    "Phrase",
    "PhraseAutomaton",
    "Piece",
    "Question",
    "Release",
    "Scanner",
    "SentenceHold",
    "SoftPenalties",
    "Trim",
    "forgotten_sentences",
    "lint_patterns",
    "lint_phrases",
    "mention_phrases",
    "name_phrases",
    "soft_penalties",
    "telling",
    "text_phrases",
    "value_phrases",
]
