"""Prompt detectors as a library of its own: names, prompts and thresholds in, signals out.

torch, OpenVINO, FAISS and the tokenizer are imported by what needs them, not by this package.
"""

from classifiers.batching import BatchedEncoder, Counters
from classifiers.cascade import Cascade, Nearest
from classifiers.encoder import Encoder, MiniLM
from classifiers.errors import (
    ClassifierError,
    Closed,
    EncoderUnavailable,
    QueueFull,
    TooManyTokens,
)
from classifiers.index import PromptIndex
from classifiers.lexicon import Lexicon
from classifiers.names import NameSignal
from classifiers.nearest import NearestPrompt, VectorCache
from classifiers.signals import Signal, Subject
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
    "MiniLM",
    "NameSignal",
    "Nearest",
    "NearestPrompt",
    "PromptIndex",
    "QueueFull",
    "Signal",
    "Subject",
    "TextChunk",
    "TooManyTokens",
    "VectorCache",
    "windows",
]
