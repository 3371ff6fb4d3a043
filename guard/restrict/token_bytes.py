"""The bytes that every token of a Hugging Face tokenizer adds to a text."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from guard.errors import EngineError

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_META = "\u2581"  # how SentencePiece writes a space


def token_bytes(tokenizer: Any, size: int) -> list[bytes | None]:
    """For each id below `size` its bytes; None for special tokens and for ids without a token.

    Read from the tokenizer's own decoder: byte-level BPE (GPT-2, Llama 3, Qwen), SentencePiece with
    byte fallback (Llama 2, Gemma, Mistral), WordPiece. Raises EngineError for any other: a
    vocabulary that is not understood cannot be guarded.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise EngineError("the model's tokenizer is not a fast one: its tokens cannot be read")
    described = json.loads(backend.to_str())
    kinds = set(_kinds(described.get("decoder")))
    special = {token["id"] for token in described.get("added_tokens", ()) if token["special"]}
    added = {token["id"] for token in described.get("added_tokens", ())}
    special |= set(tokenizer.all_special_ids)
    if "ByteLevel" in kinds:
        read = _byte_level
    elif kinds & {"ByteFallback", "Metaspace"}:
        read = _sentencepiece
    elif "WordPiece" in kinds:
        read = _word_piece
    else:
        raise EngineError(f"tokens decoded by {sorted(kinds) or 'nothing'} cannot be read")
    pieces: list[bytes | None] = [None] * size
    for text, index in tokenizer.get_vocab().items():
        if index < size and index not in special:
            # Added tokens stand for themselves, whatever the others are written in.
            pieces[index] = text.encode() if index in added else read(text)
    return pieces


def _kinds(decoder: Any) -> list[str]:
    if not isinstance(decoder, dict):
        return []
    inner = [kind for one in decoder.get("decoders", ()) for kind in _kinds(one)]
    return [str(decoder.get("type")), *inner]


def _sentencepiece(text: str) -> bytes:
    byte = _BYTE.fullmatch(text)
    return bytes([int(byte[1], 16)]) if byte else text.replace(_META, " ").encode()


def _word_piece(text: str) -> bytes:
    return text[2:].encode() if text.startswith("##") else b" " + text.encode()


@cache
def _byte_alphabet() -> dict[str, int]:
    """The characters that byte-level BPE writes bytes in: printable ones as themselves, the rest
    from U+0100 on, in order (Radford et al. 2019)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable}
    return alphabet | {chr(0x100 + place): byte for place, byte in enumerate(rest)}


def _byte_level(text: str) -> bytes:
    alphabet = _byte_alphabet()
    if any(character not in alphabet for character in text):
        return text.encode()
    return bytes(alphabet[character] for character in text)
