"""Two questions in one sentence, or a question and a remark, taken apart.

"Where was she born and which river flows through Paris?" is near to neither question: the encoder
averages them, as it does "As of March 2024, where was she born - I ask for school". Pieces are
compared besides the whole, never in its place.
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
    rf"(?:\s*{_MARK}+\s*|\s+)(?:(?:and|or|but|then|also|plus|und|et|y)\s+){{1,3}}"
    rf"(?=(?:{_OPENERS})\b)"
    rf"|\s*;\s*(?=(?:{_OPENERS})\b)|\s*,\s*(?!(?:{_RELATIVE})\b)(?=(?:{_OPENERS})\b)",
    re.IGNORECASE,
)
# Runs of spaces or marks say no more than one: without them the patterns here take linear time.
_SPACES = re.compile(r"\s{2,}|[^\S ]")
_MARKS = re.compile(rf"({_MARK}){_MARK}+")
# What stands apart from the rest of a sentence: behind a dash with spaces, or in brackets.
_APART = re.compile(r" [-–—] |—|[()\[\]]")
# An opening about time or purpose. One about a person ("Regarding ...") says whom the rest means.
_LEAD_IN = re.compile(
    r"^\W*(?:as|at|by|for|from|in|on|since|to|until|with|now|today|so|well|please|hello|hi|hey)\b"
    r"[^,?!.;]{0,60}?,\s*(?=\S)",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<!^)\b(?!(?:January|February|March|April|May|June|July|August|September|"
                   r"October|November|December|I)\b)[A-Z]")  # fmt: skip
_LEAST_MAIN = 4  # words; a shorter part is near to whatever is asked in few words


def pieces(text: str) -> list[str]:
    """What of a text is compared besides the whole: its sentences, the questions in them, and
    sentences without the remarks around them."""
    found = sentences(text)
    whole = [_squeezed(sentence) for sentence in found or [text]]
    return [
        *found,
        *(piece for sentence in whole for piece in clauses(sentence)),
        *(piece for sentence in whole for piece in without_remarks(sentence)),
    ]


def _squeezed(text: str) -> str:
    return _MARKS.sub(r"\1", _SPACES.sub(" ", text))


def without_remarks(sentence: str) -> list[str]:
    """The parts of a sentence that dashes or brackets set apart, and it or them without an opening
    about time or purpose; none for a sentence that has neither. An opening that names somebody
    stays: the rest may be about them.
    """
    parts = [part.strip(" ,") for part in _APART.split(sentence)]
    found = [part for part in parts if len(part.split()) >= _LEAST_MAIN] if len(parts) > 1 else []
    for part in [*found] or [sentence]:
        opening = _LEAD_IN.match(part)
        if opening and not _NAME.search(opening.group()):
            rest = part[opening.end() :]
            if len(rest.split()) >= _LEAST_MAIN:
                found.append(rest)
    return found


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
