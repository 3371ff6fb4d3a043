"""What must not come out: folding, the phrase automaton, and hold-back for streams."""

from guard.restrict.automaton import Match, PhraseAutomaton, Scanner
from guard.restrict.holdback import EndLane, Event, Forward, HoldBack, Piece, Release, Trim
from guard.restrict.meaning import UNJUDGED, Meant, Question, SentenceHold, forgotten_sentences
from guard.restrict.phrases import Phrase, lint_phrases, name_phrases, text_phrases

# The name that `guard policy lint` asks for.
lint_patterns = lint_phrases

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
    "Trim",
    "forgotten_sentences",
    "lint_patterns",
    "lint_phrases",
    "name_phrases",
    "text_phrases",
]
