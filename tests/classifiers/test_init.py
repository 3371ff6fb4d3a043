import subprocess
import sys

import pytest

import classifiers


def test_exports_are_these():
    assert classifiers.__all__ == [
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
    assert all(hasattr(classifiers, name) for name in classifiers.__all__)


@pytest.mark.parametrize(
    "module",
    ["torch", "faiss", "openvino", "transformers", "sentence_transformers", "tokenizers", "guard"],
)
def test_importing_the_package_leaves_out(module):
    code = f"import sys, classifiers; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
