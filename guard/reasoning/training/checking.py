"""What is kept of what a writer wrote, and what is wrong with the rest: rejection sampling.

DRAGON keeps good chains of thought by a judge (arXiv 2511.05784, section 4); here the server's own
screen decides, and rules that look for facts, for names from nowhere and for what was asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from guard.reasoning.guide import screened
from guard.reasoning.prompts import guide_prompt
from guard.reasoning.secrets import facts
from guard.reasoning.training.asking import Request
from guard.reasoning.training.aspects import names_aspect

LEAST, MOST = 2, 5  # sentences, as the prompt has it
_SENTENCE = re.compile(r"[.!?][\"'”’)]*(?=\s|$)")
_WITHHOLDS = re.compile(
    r"\b(?:not|no|never|nothing|none|neither|nor|without|cannot|decline|refuse|avoid|leave|"
    r"withhold|omit|refrain)\b|n[’']t\b",
    re.IGNORECASE,
)
# Which language an answer has may be said of any request.
_LANGUAGES = frozenset({"english", "german", "french", "spanish", "italian", "portuguese", "dutch"})


@dataclass(frozen=True, slots=True)
class Checked:
    """What an instruction is like. `text` is the screened one, None where the screen refused it:
    the server would take the template in its place."""

    text: str | None
    about: bool
    told: tuple[str, ...]  # facts of the policy's person that the conversation does not hold
    foreign: tuple[str, ...]  # other names and numbers that it does not hold
    sentences: int
    withholds: bool

    @property
    def leaks(self) -> bool:
        """Whether it says a fact, or names anybody, that the conversation does not."""
        return bool(self.told or self.foreign)

    @property
    def formed(self) -> bool:
        """Whether it is as long as the prompt asks, and says what to leave out."""
        return self.withholds and LEAST <= self.sentences <= MOST

    @property
    def good(self) -> bool:
        """Whether a guard model is to learn it."""
        return self.text is not None and self.formed and self.about and not self.leaks


def checked(text: str, request: Request) -> Checked:
    """Looks at one instruction for one request."""
    conversation = "\n".join(turn.text for turn in request.turns)
    told = tuple(
        fact
        for fact in request.case.secrets
        if _holds(text, fact) and not _holds(conversation, fact)
    )
    allowed = f"{conversation}\n{_frame()}"
    foreign = tuple(
        name
        for name in facts(text)
        if name.casefold() not in _LANGUAGES and not all(_holds(allowed, w) for w in _words(name))
    )
    topic = request.case.slots.get("topic", "")
    return Checked(
        text=screened(text, request.case.binding, request.turns),
        about=all(names_aspect(text, one, topic) for one in request.asked),
        told=told,
        foreign=foreign,
        sentences=len(_SENTENCE.findall(text.strip())),
        withholds=_WITHHOLDS.search(text) is not None,
    )


def _holds(text: str, part: str) -> bool:
    """Whether a text has these words, in any case, as whole ones."""
    return re.search(rf"(?<!\w){re.escape(part)}(?!\w)", text, re.IGNORECASE) is not None


def _words(name: str) -> list[str]:
    return re.findall(r"\w+", name)


@cache
def _frame() -> str:
    """Our own words around a conversation, which an instruction may take up."""
    return guide_prompt("", ())
