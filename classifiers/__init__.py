"""Prompt detectors as a library of its own: names, prompts and thresholds in, signals out.

torch, OpenVINO, FAISS and the tokenizer are imported by what needs them, not by this package.
"""

from classifiers.batching import BatchedEncoder, Counters
from classifiers.cascade import Cascade, Limits, Nearest
from classifiers.encoder import Encoder, MiniLM, SentenceEncoder, open_encoder
from classifiers.errors import (
    ClassifierError,
    Closed,
    EncoderUnavailable,
    OtherEncoder,
    OtherHead,
    QueueFull,
    TooManyTokens,
    UnsupportedModel,
)
from classifiers.index import PromptIndex
from classifiers.lexicon import Lexicon
from classifiers.names import NameSignal
from classifiers.near_names import NearNames
from classifiers.nearest import NearestPrompt, Tally, VectorCache
from classifiers.signals import Signal, Stored, Subject
from classifiers.windows import TextChunk, windows

__all__ = [
    "BatchedEncoder",
    "Cascade",
    "ClassifierError",
    "Closed",
    "Counters",
    "Encoder",
    "EncoderUnavailable",
    "Lexicon",
    "Limits",
    "MiniLM",
    "NameSignal",
    "NearNames",
    "Nearest",
    "NearestPrompt",
    "OtherEncoder",
    "OtherHead",
    "PromptIndex",
    "QueueFull",
    "SentenceEncoder",
    "Signal",
    "Stored",
    "Subject",
    "Tally",
    "TextChunk",
    "TooManyTokens",
    "UnsupportedModel",
    "VectorCache",
    "open_encoder",
    "windows",
]
