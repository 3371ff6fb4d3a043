"""The lexicon: near words by cosine, embedded once, kept on disk, ended when asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifiers import Closed, Lexicon
from tests.classifiers.conftest import HashEncoder

WORDS = tuple(f"word{i}" for i in range(100))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GUARD_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_near_words_are_those_at_the_floor_or_above() -> None:
    encoder = HashEncoder()
    asked = ("word3", "elsewhere")
    found = Lexicon(WORDS, encoder).near(asked, 0.6)
    expected = {w: max(float(encoder.row(w) @ encoder.row(a)) for a in asked) for w in WORDS}
    assert found == pytest.approx({w: c for w, c in expected.items() if c >= 0.6}, abs=1e-3)
    assert found["word3"] == pytest.approx(1.0, abs=1e-3)
    assert Lexicon(WORDS, encoder).near((), 0.1) == {}


def test_words_are_embedded_once_a_machine() -> None:
    encoder = HashEncoder()
    first = Lexicon(WORDS, encoder).near(("word3",), 0.5)
    batches = len(encoder.batches)
    assert Lexicon(WORDS, encoder).near(("word3",), 0.5) == pytest.approx(first, abs=1e-3)
    assert len(encoder.batches) == batches


@pytest.mark.parametrize("content", [b"", b"not an array"])
def test_a_damaged_file_is_made_again(content: bytes) -> None:
    lexicon = Lexicon(WORDS, HashEncoder())
    lexicon.path.parent.mkdir()
    lexicon.path.write_bytes(content)
    assert "word3" in lexicon.near(("word3",), 0.5)


def test_closing_ends_what_is_embedded() -> None:
    lexicon = Lexicon(WORDS, HashEncoder())
    lexicon.close()
    with pytest.raises(Closed):
        lexicon.near(("word3",), 0.5)
