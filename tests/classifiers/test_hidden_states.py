"""Features are the mean of the last layer but one over a prompt's own tokens, in any batch."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from classifiers.errors import EncoderUnavailable, TooManyTokens
from classifiers.hidden_states import HiddenStates
from tests.classifiers.random_llama import WIDTH, random_llama

TEXTS = ("Where was she born?", "Who?", "A river, two bridges and a mill by the old town wall.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def states(folder: Path) -> HiddenStates:
    return HiddenStates(folder)


def test_the_mean_over_tokens_of_the_last_layer_but_one(folder: Path, states: HiddenStates) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for text, row in zip(TEXTS, states.encode(TEXTS), strict=True):
        with torch.inference_mode():
            seen = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        wanted = seen.hidden_states[-2][0].mean(0).numpy()
        assert np.abs(row - wanted).max() < 1e-5
    assert states.dimension == WIDTH


def test_a_token_that_marks_the_beginning_is_read_and_not_counted(
    folder: Path, tmp_path: Path
) -> None:
    import torch
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoModel, AutoTokenizer

    marked = random_llama(tmp_path / "marked")
    tokenizer = AutoTokenizer.from_pretrained(marked)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<system> $A", special_tokens=[("<system>", tokenizer.vocab["<system>"])]
    )
    tokenizer.save_pretrained(marked)
    found = HiddenStates(marked).encode(TEXTS)
    model = AutoModel.from_pretrained(marked, dtype=torch.float32).eval()
    for text, row in zip(TEXTS, found, strict=True):
        ids = [tokenizer.vocab["<system>"], *tokenizer(text, add_special_tokens=False).input_ids]
        with torch.inference_mode():
            seen = model(input_ids=torch.tensor([ids]), output_hidden_states=True)
        assert np.abs(row - seen.hidden_states[-2][0, 1:].mean(0).numpy()).max() < 1e-5


def test_who_shares_the_batch_changes_nothing(states: HiddenStates) -> None:
    together = states.encode([*TEXTS, "x " * 100])
    for text, row in zip(TEXTS, together, strict=False):
        assert np.abs(states.encode([text])[0] - row).max() < 1e-5


def test_windows_hold_the_whole_text_and_each_can_be_encoded(states: HiddenStates) -> None:
    text = " ".join(f"word{number}" for number in range(600))
    chunks = states.windows(text)
    assert chunks[0].start == 0 and chunks[-1].end == len(text) and len(chunks) > 2
    assert all(after.start < before.end for before, after in pairwise(chunks))
    assert states.encode([chunk.text for chunk in chunks]).shape == (len(chunks), WIDTH)
    with pytest.raises(TooManyTokens):
        states.encode([text])


def test_the_name_says_which_weights(folder: Path, states: HiddenStates, tmp_path: Path) -> None:
    assert HiddenStates(folder).name == states.name
    assert HiddenStates(random_llama(tmp_path / "llama", seed=1)).name != states.name


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailable, match="holds no model"):
        HiddenStates(tmp_path)


def test_nothing_and_empty_texts(states: HiddenStates) -> None:
    assert states.encode([]).shape == (0, WIDTH)
    assert np.isfinite(states.encode([""])).all()
