"""Two questions in one sentence, taken apart.

"Where was she born and which river flows through Paris?" is near to neither question: the encoder
averages them. Pieces are compared besides the whole, never in its place.
"""

from __future__ import annotations

import re

from classifiers.windows import sentences

_LEAST_WORDS = 3
_OPENERS = (
    r"who|whom|whose|what|which|when|where|why|how|is|are|was|were|does|do|did|can|could|"
    r"tell|name|give|list|describe|explain|"
    r"wer|was|wo|wann|wie|warum|welche[rs]?|qui|quand|comment|pourquoi|quell?es?|quién|qué|dónde|"
    r"cuándo|cómo|cuál"
)
# After a comma alone these begin a relative clause, not a question.
_RELATIVE = r"who|whom|whose|which|when|where|wer|welche[rs]?|qui|was|wo"
_MARK = r"[,;:–—-]"
# A conjunction, or a comma or semicolon, that a question or a request follows.
_JOINT = re.compile(
    rf"(?:\s*{_MARK}+\s*|\s+)(?:(?:and|or|but|then|also|plus|und|et|y)\s+)+(?=(?:{_OPENERS})\b)"
    rf"|\s*;\s*(?=(?:{_OPENERS})\b)|\s*,\s*(?!(?:{_RELATIVE})\b)(?=(?:{_OPENERS})\b)",
    re.IGNORECASE,
)


def pieces(text: str) -> list[str]:
    """What of a text is compared besides the whole: its sentences, and the questions in them."""
    found = sentences(text)
    return [*found, *(piece for sentence in found or [text] for piece in clauses(sentence))]


def clauses(sentence: str) -> list[str]:
    """The questions of a sentence that has several; none for any other sentence.

    A piece too short to ask anything by itself ("and when?") goes with the one before.
    """
    parts: list[str] = []
    for part in _JOINT.split(sentence):
        if parts and len(part.split()) < _LEAST_WORDS:
            parts[-1] = f"{parts[-1]} {part}"
        elif part.strip():
            parts.append(part.strip())
    return parts if len(parts) > 1 else []
