"""What must not come out: folding, the phrase automaton, and hold-back for streams."""

from guard.restrict.automaton import PhraseAutomaton, Scanner
from guard.restrict.holdback import EndLane, Event, Forward, HoldBack, Piece, Release, Trim
from guard.restrict.match import Match
from guard.restrict.phrases import Phrase, lint_phrases, name_phrases, text_phrases

# The name that `guard policy lint` asks for.
lint_patterns = lint_phrases

__all__ = [
    "EndLane",
    "Event",
    "Forward",
    "HoldBack",
    "Match",
    "Phrase",
    "PhraseAutomaton",
    "Piece",
    "Release",
    "Scanner",
    "Trim",
    "lint_patterns",
    "lint_phrases",
    "name_phrases",
    "text_phrases",
]
