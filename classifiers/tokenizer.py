"""An encoder's own tokenizer, so set that it neither cuts nor pads and sees all of a text."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from classifiers.errors import UnsupportedModel
from classifiers.optional import optional
from classifiers.wordpiece import PlainWords, Tokens

_SHORT = 2000  # characters of a text whose tokens are kept for the next to ask
_LONGEST_WORD = 100  # characters
_SURROGATE = re.compile("[\ud800-\udfff]")


class SentenceTokenizer:
    """Of `tokenizer.json` in `folder`: WordPiece, Unigram (SentencePiece) or BPE.

    `prompt` is put before every text that is encoded, and counts among its tokens; `vocabulary` is
    how many tokens the model has rows for. Raises UnsupportedModel. Callable from any thread.
    """

    def __init__(self, folder: Path, prompt: str, vocabulary: int) -> None:
        file = folder / "tokenizer.json"
        self._tokenizer, self._plain = _opened(file)
        if max(self._tokenizer.get_vocab().values(), default=0) >= vocabulary:
            raise UnsupportedModel(file, f"has tokens beyond the model's {vocabulary}")
        self._prompt = prompt
        # What was cut into windows is asked for its tokens right after.
        self._lately = lru_cache(maxsize=256)(self._tokenised)
        one = self._tokenizer.encode("a")
        marked = one.special_tokens_mask
        inside = [at for at, is_marker in enumerate(marked) if not is_marker] or [len(marked)]
        own: list[int] = self._tokenizer.encode(prompt, add_special_tokens=False).ids
        self._before = (*one.ids[: inside[0]], *(own if prompt else ()))
        self._after = tuple(one.ids[inside[-1] + 1 :])

    @property
    def added(self) -> int:
        """Tokens that every text has besides its own: markers and prompt. One or two too many
        where the prompt's last piece and the text's first are read as one."""
        return len(self._before) + len(self._after)

    @property
    def vocabulary(self) -> dict[str, int]:
        """Every token with its id."""
        held: dict[str, int] = self._tokenizer.get_vocab()
        return held

    def rows(self, texts: list[str]) -> list[list[int]]:
        """What the model reads of each text: markers and prompt included."""
        whole = [self._prompt + _clean(text) for text in texts]
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(whole)]

    def row_of(self, token: int) -> list[int]:
        """What the model reads of one token as a text of its own."""
        return [*self._before, token, *self._after]

    def tokens(self, text: str) -> Tokens:
        """`ids` and character `offsets` of a text alone."""
        return (self._lately if len(text) <= _SHORT else self._tokenised)(text)

    def _tokenised(self, text: str) -> Tokens:
        plain = None if self._plain is None else self._plain.tokens(text)
        if plain is not None:
            return plain
        found: Tokens = self._tokenizer.encode(_clean(text), add_special_tokens=False)
        return found


def _opened(file: Path) -> tuple[Any, PlainWords | None]:
    tokenizers = optional("tokenizers")
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        raise UnsupportedModel(file, f"cannot be read: {error}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    plain = PlainWords.of(tokenizer, _LONGEST_WORD)
    if isinstance(tokenizer.model, tokenizers.models.WordPiece):
        # WordPiece reads a word of over 100 characters as one unknown token, which would hide
        # whatever is glued together; in pieces of 100 it is all seen.
        pieces = tokenizers.pre_tokenizers.FixedLength(length=_LONGEST_WORD)
        earlier = [] if tokenizer.pre_tokenizer is None else [tokenizer.pre_tokenizer]
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([*earlier, pieces])
    return tokenizer, plain


def _clean(text: str) -> str:
    """Lone surrogates are no text and the tokenizer refuses them; lengths stay, so offsets do."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
