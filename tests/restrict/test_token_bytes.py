"""A tokenizer's tokens as bytes: decoding and concatenating give the same text."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from guard.errors import EngineError
from guard.restrict.token_bytes import token_bytes
from tests.support.tiny_llama import tiny_llama


@pytest.mark.parametrize(
    "text", ["The copper heron", "naïve — ünïcode 習近 😀", " leading", "tabs\tand\nlines", "a&b%c"]
)
def test_byte_level_tokens_join_to_the_text(text: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama())
    pieces = token_bytes(tokenizer, len(tokenizer))
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert b"".join(pieces[i] or b"" for i in ids).decode() == tokenizer.decode(ids)
    assert all(pieces[i] is None for i in tokenizer.all_special_ids)


def built(vocabulary: dict[str, int], decoder: Any) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    if decoder is not None:
        backend.decoder = decoder
    return PreTrainedTokenizerFast(tokenizer_object=backend)


def test_sentencepiece_tokens_are_spaces_and_single_bytes() -> None:
    sentencepiece = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback()])
    tokenizer = built({"?": 0, "▁the": 1, "<0xE2>": 2, "é": 3}, sentencepiece)
    assert token_bytes(tokenizer, 5) == [b"?", b" the", b"\xe2", "é".encode(), None]


def test_word_pieces_begin_a_word_unless_marked() -> None:
    tokenizer = built({"?": 0, "play": 1, "##ing": 2}, decoders.WordPiece())
    assert token_bytes(tokenizer, 3) == [b" ?", b" play", b"ing"]


@pytest.mark.parametrize("tokenizer", [built({"?": 0}, None), object()])
def test_a_tokenizer_that_is_not_understood_is_refused(tokenizer: object) -> None:
    with pytest.raises(EngineError):
        token_bytes(tokenizer, 1)
