"""Step 3 of GUARD, what a candidate token costs: the trie's penalty and that of its words.

`P_token` is infinity when the match ratio reaches beta; `P_sbert` is infinity when a word comes
within delta of a span and else its cosine; a candidate with an infinite one is dropped.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Sequence
from dataclasses import dataclass

from guard.evaluate.paper_guard.trie import Live, TokenTrie, match_ratio
from guard.evaluate.paper_guard.words import WordPenalty, words_of

_DECODER = codecs.getincrementaldecoder("utf-8")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text has got to: forbidden sequences under way, the bytes of the word under way."""

    live: Live = ()
    word: bytes = b""


class Penalty:
    """What is forbidden by one stored answer, for the tokens of one model.

    `pieces`: the bytes of every token by id, None for a special one, which nobody may take: between
    two tokens of a forbidden sequence it would hide it. The end of the text is not asked about.
    """

    def __init__(
        self,
        pieces: Sequence[bytes | None],
        trie: TokenTrie,
        words: WordPenalty,
        *,
        beta: float,
    ) -> None:
        self._pieces = pieces
        self._trie = trie
        self._words = words
        self._beta = beta

    def judge(self, candidates: Sequence[tuple[Place, int]]) -> list[tuple[Place, float] | None]:
        """For each (place, token): where it leads and what it costs; None when it is dropped.

        The words of all candidates that have not been met before go to the encoder together.
        """
        reached = [self._after(place, token) for place, token in candidates]
        texts = [words_of(_read(found.word)[0]) if found else [] for found in reached]
        self._words.prepare(word for words in texts for word in words)
        return [
            self._cost(place, found, words) if found else None
            for (place, _), found, words in zip(candidates, reached, texts, strict=True)
        ]

    def _after(self, place: Place, token: int) -> Place | None:
        """The place after a token, with all of its text in `word`; None for a complete match."""
        piece = self._pieces[token] if token < len(self._pieces) else None
        if not piece:
            return None
        live = self._trie.advance(place.live, token)
        return None if match_ratio(live) >= self._beta else Place(live, place.word + piece)

    def _cost(self, before: Place, after: Place, words: list[str]) -> tuple[Place, float] | None:
        """A word that grows has paid for what it was, and pays the difference."""
        penalty = sum(map(self._words.of, words))
        if math.isinf(penalty):
            return None
        paid = sum(map(self._words.of, words_of(_read(before.word)[0])))
        text, broken = _read(after.word)
        under_way = words[-1] if words and not text[-1:].isspace() else ""
        return Place(after.live, under_way.encode() + broken), penalty - paid


def _read(word: bytes) -> tuple[str, bytes]:
    """The text of some bytes, and the bytes of a character at their end that is not complete."""
    decoder = _DECODER("ignore")
    text = decoder.decode(word)
    return text, decoder.getstate()[0]
