"""Text that the user pasted to have it made shorter or said in another way.

Under `scope: parametric` a model cannot forget what it is being shown. But a pasted text is also
where a question hides, and many requests about one ("correct this") have the model say what it
knows. So the form is closed: one user turn that is a request made of a small vocabulary and a
passage that asks nothing. Anything else is judged as it stands.
"""

from __future__ import annotations

import re
from dataclasses import replace

from guard.asked import Asked

LEAST_WORDS = 40
"""Words of a passage; less is a question's preamble."""
_MOST_ASKED = 24  # words of the request

_VERBS = frozenset(
    {
        "summarise", "summarize", "summary", "translate", "translation", "shorten", "condense",
        "rephrase", "paraphrase", "tldr",
    }
)  # fmt: skip
_AROUND = frozenset(
    {
        "please", "can", "could", "would", "you", "me", "for", "of", "a", "an", "the", "this",
        "following", "above", "below", "text", "passage", "article", "paragraph", "paragraphs",
        "page", "letter", "email", "excerpt", "it", "in", "into", "to", "from", "as", "one", "two",
        "three", "four", "five", "few", "sentence", "sentences", "words", "word", "bullet",
        "points", "lines", "short", "shorter", "brief", "briefly", "simple", "simpler", "plain",
        "give", "write", "make", "provide", "arabic", "chinese", "dutch", "english", "french",
        "german", "greek", "hindi", "italian", "japanese", "korean", "polish", "portuguese",
        "russian", "spanish", "swedish", "turkish", "ukrainian",
    }
)  # fmt: skip
# How a sentence that tells begins: a request can begin with any verb, so the list is of the others.
_OPENERS = frozenset(
    {
        "the", "a", "an", "this", "that", "these", "those", "she", "he", "it", "they", "we", "her",
        "his", "its", "their", "our", "there", "one", "two", "three", "both", "many", "most",
        "some", "all", "each", "another", "others", "no", "nobody", "everybody", "although",
        "though", "while", "because", "since", "if",
    }
)  # fmt: skip
# After these the subject comes next, or a year or a name before it.
_BEFORE_SUBJECT = frozenset(
    {
        "in", "on", "at", "by", "from", "with", "after", "before", "during", "until", "under",
        "over", "for", "as", "later", "then", "soon", "today", "once", "finally", "meanwhile",
        "however", "and", "but", "yet", "so",
    }
)  # fmt: skip
_FINITE = frozenset({"was", "were", "is", "are", "has", "had", "did", "became", "went", "made"})
_PARTICLES = frozenset(
    {"of", "de", "da", "van", "von", "der", "la", "le", "al", "el", "bin", "and"}
)
# A sentence in another language could ask in words that are not in the lists.
_ENGLISH = frozenset(
    {
        "the", "of", "and", "with", "from", "that", "had", "were", "has", "been", "by", "for",
        "she", "they", "their", "this", "at", "on", "to", "her", "his", "its", "it", "is", "was",
    }
)  # fmt: skip
_SENTENCES = re.compile(r"(?<=[.!;:。！])\s+|\n+")
# What a passage has that asks for something, or leaves something to be filled in.
_ASKS = re.compile(
    r"[?¿？؟_\[\]{}<>…]|\.\.\.|\b(?:you|your|assistant|model|ai|please|answer|tell|explain|"
    r"describe|list|state|name the|write|say|give|add|include|complete|continue|fill|correct|"
    r"question|respond|reply|output|print|instruction|instructions|ignore|note|mention|reveal|"
    r"provide|show|identify|recall|repeat|summarise|summarize|translate|append|specify|elaborate|"
    r"expand|supply|insert|quote|disclose|divulge|recite|enumerate|outline|clarify|spell|guess|"
    r"i|me|my|need|want|must|should|whether|omitted|missing|unknown|blank|forget|sure)\b"
    r"|(?:^|[.!:;\n])\W*(?:who|whom|whose|what|which|when|where|why|how)\b",
    re.IGNORECASE,
)
_ENDS = (".", "!", '"', "”", "»", ")", "。", "！")
_WORD = re.compile(r"\w+(?:['’-]\w+)*")


def without_passage(asked: Asked) -> Asked | None:
    """The request without the passage that it is about; None where it has not that form."""
    users = [turn for turn in asked.turns if turn.role == "user"]
    if len(users) != 1:
        return None
    whole = users[0].text
    request = _request(whole)
    if request is None:
        return None
    others = tuple(text for text in asked.texts if text != whole)
    # The whole may have come in parts, which are then judged, each and joined.
    return replace(asked, texts=(request, *others), spans=())


def _request(text: str) -> str | None:
    """What a turn asks about the passage that it also is."""
    for place in _joints(text):
        first, last = text[:place].strip(), text[place:].strip()
        for request, passage in ((first, last), (last, first)):
            if _is_closed(request) and _is_passage(passage):
                return request
    return None


def _joints(text: str) -> list[int]:
    """Where a request may end or begin: the first colon or line, and the last line."""
    places = [text.find(mark) + len(mark) for mark in (":", "\n") if mark in text]
    return [*places, text.rfind("\n") + 1] if "\n" in text else places


def _is_closed(request: str) -> bool:
    words = [word.lower() for word in _WORD.findall(request)]
    return (
        0 < len(words) <= _MOST_ASKED
        and any(word in _VERBS for word in words)
        and all(word in _VERBS or word in _AROUND or word.isdigit() for word in words)
    )


def _is_passage(text: str) -> bool:
    told = text.endswith(_ENDS) and _ASKS.search(text) is None
    if not told or len(_WORD.findall(text)) < LEAST_WORDS:
        return False
    return all(_tells(part) for part in _SENTENCES.split(text) if _WORD.search(part))


def _tells(sentence: str) -> bool:
    """Whether a sentence is one that states something, in English, by how it begins."""
    words = _WORD.findall(sentence)
    lower = [word.lower() for word in words]
    if _ENGLISH.isdisjoint(lower):
        return False
    if lower[0] in _BEFORE_SUBJECT and len(words) > 1:
        return lower[1] in _OPENERS or words[1][0].isupper() or words[1].isdigit()
    return lower[0] in _OPENERS or _names_first(words)


def _names_first(words: list[str]) -> bool:
    """Marie Curie was ...: capitals, and a finite verb after them."""
    for place, word in enumerate(words):
        if not word[0].isupper() and word.lower() not in _PARTICLES:
            return place > 0 and (word in _FINITE or (len(word) > 3 and word.endswith("ed")))
    return False
