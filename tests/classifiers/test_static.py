import numpy as np
import pytest

from classifiers import Closed
from classifiers.static import cached, distilled, keep
from tests.classifiers.words_encoder import WORDS, WordsEncoder


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    monkeypatch.setenv("GUARD_CACHE_DIR", str(tmp_path))
    return WordsEncoder()


def test_a_text_is_a_unit_vector_whatever_the_order_of_its_words(encoder):
    static = distilled(encoder)
    vectors, whole = static.encode(["boil an egg", "egg an boil", "which river"])
    assert whole.all()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert vectors[0] @ vectors[1] == pytest.approx(1.0, abs=1e-5)
    assert vectors[0] @ vectors[2] < 0.99


def test_common_words_count_less_than_rare_ones(encoder):
    static = distilled(encoder)
    (whole, rare, common), _ = static.encode(["the almanac", "almanac", "the"])
    assert whole @ rare > 0.95 > whole @ common


@pytest.mark.parametrize("text", ["", "   ", "boil an omelette", "?"])
def test_of_a_text_with_nothing_or_something_unknown_the_vector_says_nothing(encoder, text):
    vectors, whole = distilled(encoder).encode([text, "boil an egg"])
    assert whole.tolist() == [False, True]
    assert np.isfinite(vectors).all()


def test_tokens_that_were_not_distilled_are_unknown(encoder):
    few = [encoder.vocabulary[word] for word in ("boil", "an", "egg", "river")]
    _, whole = distilled(encoder, tokens=few).encode(["boil an egg", "which river"])
    assert whole.tolist() == [True, False]
    assert encoder.asked == len(few)


def test_what_is_kept_comes_back_the_same(encoder):
    assert cached(encoder) is None
    static = distilled(encoder)
    keep(static, encoder)
    again = cached(encoder)
    assert encoder.asked == len(WORDS)
    texts = ["where was the painter born", "which river"]
    assert np.array_equal(again.encode(texts)[0], static.encode(texts)[0])


def test_the_table_of_another_encoder_or_a_broken_file_is_not_taken(encoder, tmp_path):
    keep(distilled(encoder), encoder)
    other = WordsEncoder()
    other.name = "other"
    assert cached(other) is None
    (file,) = (tmp_path / "static").glob("*.npy")
    file.write_bytes(b"broken")
    assert cached(encoder) is None


def test_distilling_ends_when_closed(encoder):
    with pytest.raises(Closed):
        distilled(encoder, closed=lambda: encoder.asked > 0)
    assert 0 < encoder.asked < len(WORDS)


@pytest.mark.encoder
def test_the_encoders_tokens_make_alike_texts_alike(minilm):
    texts = (
        "Where was the violinist born?",
        "What is the birthplace of the violinist?",
        "How long should I boil an egg?",
    )
    tokens = sorted({one for row in minilm.token_ids(texts) for one in row})
    static = distilled(minilm, tokens=tokens, dimension=16)
    vectors, whole = static.encode([*texts, "unheard zeppelins"])
    assert whole.tolist() == [True, True, True, False]
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
