"""Every exception that classifiers raises on purpose.

ClassifierError
├── EncoderUnavailable     prompts need an encoder, and there is none (the extra is missing)
├── UnsupportedModel       a folder is no sentence-transformers model, or of a kind not supported
├── TooManyTokens          a request is longer than the bound on what one request may encode
├── QueueFull              the bounded queue of texts to encode has no room
├── OtherEncoder           stored embeddings are of another model than the encoder
├── OtherHead              what was trained or calibrated with another encoder than the one used
└── Closed                 the encoder was closed
"""

from __future__ import annotations

from pathlib import Path

INSTALL_HINT = "pip install 'guard-forget[detect]'"


class ClassifierError(Exception):
    """Base of everything classifiers raises on purpose. No message repeats a prompt."""


class EncoderUnavailable(ClassifierError):
    """Prompts need a sentence encoder (or the index library), and it is not installed."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}; install it with: {INSTALL_HINT}")


class UnsupportedModel(ClassifierError):
    """A folder cannot be an encoder; names the file, or folder, and the reason."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file} {reason}")


class OtherHead(ClassifierError):
    """A head, or another thing with figures in it, belongs to another encoder: they say nothing
    about the one that is used."""

    def __init__(self, what: str, made_with: str, used: str) -> None:
        super().__init__(f"{what} was made with the encoder {made_with}, not with {used}")


class OtherEncoder(ClassifierError):
    """Stored embeddings are of another model: no cosine with them means anything."""

    def __init__(self, stored: str, used: str) -> None:
        super().__init__(f"embeddings of {stored} cannot be compared with those of {used}")


class TooManyTokens(ClassifierError):
    """The texts of one request hold more tokens than the bound: refused, never truncated."""

    def __init__(self, tokens: int, limit: int) -> None:
        super().__init__(f"{tokens} tokens to classify, at most {limit} allowed in one request")
        self.tokens = tokens
        self.limit = limit


class QueueFull(ClassifierError):
    """The bounded queue of texts waiting for the encoder has no room; try again later."""

    def __init__(self, waiting: int, limit: int) -> None:
        super().__init__(f"{waiting} texts wait for the encoder already, at most {limit} may")
        self.waiting = waiting
        self.limit = limit


class Closed(ClassifierError):
    """The encoder was closed before, or while, this request waited."""

    def __init__(self) -> None:
        super().__init__("the encoder is closed")
