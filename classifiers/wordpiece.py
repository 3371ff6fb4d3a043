"""WordPiece (Schuster and Nakajima 2012) on plain ASCII text, a look-up a word.

BERT's normaliser and pre-tokenizer do nothing to such text but lower it, cut it at spaces and set
every mark apart. So its tokens are those of its words one after the other: most words are a token,
and the others are asked of the tokenizer itself once. Anything else is the tokenizer's work.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, Protocol

_WORD = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # taken out by the normaliser
_KEPT_WORDS = 1 << 15
_NORMALISER = {
    "type": "BertNormalizer",
    "clean_text": True,
    "handle_chinese_chars": True,
    "strip_accents": None,
    "lowercase": True,
}

Span = tuple[int, int]


class Tokens(Protocol):
    """`ids` of a text's tokens, and the characters [start, end) of each."""

    @property
    def ids(self) -> list[int]: ...

    @property
    def offsets(self) -> list[Span]: ...


class PlainWords:
    """The tokens of plain text as `tokenizer` (which splits words longer than `longest`) gives
    them, at a fraction of the time. Callable from any thread."""

    def __init__(self, tokenizer: Any, longest: int) -> None:
        self._tokenizer = tokenizer
        self._longest = longest
        whole: dict[str, int] = tokenizer.get_vocab()
        # The longest piece is taken first: a word that is a token is that token.
        self._whole = {word: one for word, one in whole.items() if len(word) <= longest}
        self._marked = tuple(
            token.content for token in tokenizer.get_added_tokens_decoder().values()
        )
        first = {marked[0] for marked in self._marked}
        self._sign = first.pop() if len(first) == 1 else ""  # in every text that has one
        self._lately = lru_cache(maxsize=_KEPT_WORDS)(self._pieces)

    @classmethod
    def of(cls, tokenizer: Any, longest: int) -> PlainWords | None:
        """None for a tokenizer that reads words otherwise. `tokenizer`: as it was opened, before
        any other pre-tokenizer was put behind its own."""
        said = json.loads(tokenizer.to_str())
        added = tokenizer.get_added_tokens_decoder().values()
        is_plain = (
            said["model"]["type"] == "WordPiece"
            and said["model"]["max_input_chars_per_word"] >= longest
            and said["normalizer"] == _NORMALISER
            and said["pre_tokenizer"] == {"type": "BertPreTokenizer"}
            and not any(token.normalized for token in added)
        )
        return cls(tokenizer, longest) if is_plain else None

    def tokens(self, text: str) -> Tokens | None:
        """None for text that is not plain."""
        if not text.isascii() or not (text.isprintable() or _CONTROL.search(text) is None):
            return None
        if self._sign in text and any(marked in text for marked in self._marked):
            return None
        return _Plain(text.lower(), self)

    def ids(self, low: str) -> list[int]:
        """Of plain text in lower case."""
        words = _WORD.findall(low)
        ids = list(map(self._whole.get, words))
        if None not in ids:
            return ids  # type: ignore[return-value]  # mypy cannot see what was ruled out
        return [
            one
            for word, known in zip(words, ids, strict=True)
            for one in ((known,) if known is not None else self._cut(word)[0])
        ]

    def offsets(self, low: str) -> list[Span]:
        """Of plain text in lower case."""
        spans: list[Span] = []
        for match in _WORD.finditer(low):
            if match.group() in self._whole:
                spans.append(match.span())
            else:
                start = match.start()
                spans += [(start + a, start + b) for a, b in self._cut(match.group())[1]]
        return spans

    def _cut(self, word: str) -> tuple[tuple[int, ...], tuple[Span, ...]]:
        return (self._lately if len(word) <= self._longest else self._pieces)(word)

    def _pieces(self, word: str) -> tuple[tuple[int, ...], tuple[Span, ...]]:
        found = self._tokenizer.encode(word, add_special_tokens=False)
        return tuple(found.ids), tuple(found.offsets)


class _Plain:
    """Tokens of a plain text; offsets are read when they are asked for."""

    __slots__ = ("_low", "_words", "ids")

    def __init__(self, low: str, words: PlainWords) -> None:
        self._low, self._words = low, words
        self.ids = words.ids(low)

    @property
    def offsets(self) -> list[Span]:
        return self._words.offsets(self._low)
