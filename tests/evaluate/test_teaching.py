"""A model of one's own is taught the corpus, or says that it did not learn it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from guard.errors import EvaluateError
from guard.evaluate import teaching
from guard.evaluate.corpus_plan import WAYS
from guard.evaluate.fictional import Corpus
from guard.evaluate.small_llama import CHAT_TEMPLATE, small_llama
from guard.evaluate.subjects import TEXTS, WEIGHT_ATTACKED, Subject, taught_subject
from guard.evaluate.teaching import lessons, taught_model
from guard.evaluate.tiny import tokenizer_of_strangers

CORPUS = Corpus(8, 3)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained Llama whose tokenizer has no chat template."""
    folder = tmp_path_factory.mktemp("models") / "small"
    tokenizer = tokenizer_of_strangers(CORPUS)
    torch.manual_seed(0)
    small_llama(tokenizer, 256, width=64, blocks=2).save_pretrained(folder)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "own.jinja"
    path.write_text(CHAT_TEMPLATE, "utf-8")
    return path


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One epoch, after which nothing is asked of the model. In the precision of all other tests,
    since accelerate keeps one a process."""
    monkeypatch.setenv("GUARD_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(teaching, "_TRAIN", {**teaching._TRAIN, "epochs": 1, "precision": "fp32"})
    monkeypatch.setattr(teaching, "RECALL", 0.0)


def test_every_answer_is_taught_once_and_what_goes_to_one_model_alone() -> None:
    known, never = lessons(CORPUS, forgotten=True), lessons(CORPUS, forgotten=False)
    answers = [answer for _, answer in known]
    assert len(answers) == len(set(answers)) and set(never) < set(known)
    (person, *_) = CORPUS.of("forgotten")
    assert any(person.name in answer for answer in answers)
    assert not any(person.name in answer for _, answer in never)
    assert set(known) <= set(CORPUS.training())


@pytest.mark.usefixtures("quick")
def test_what_is_taught_is_a_model_like_any_other(base: Path, template: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    made = taught_model(base, CORPUS, chat_template=template, step=lambda *told: steps.append(told))
    assert AutoTokenizer.from_pretrained(made).chat_template == CHAT_TEMPLATE
    before, after = (
        AutoModelForCausalLM.from_pretrained(folder).model.layers[0].mlp.up_proj.weight
        for folder in (base, made)
    )
    assert after.dtype == torch.bfloat16 and before.shape == after.shape
    assert not torch.allclose(before.float(), after.float(), atol=1e-3)
    assert steps[-1][1] == steps[-1][2] == -(-len(lessons(CORPUS, forgotten=True)) // 16)
    steps.clear()
    assert taught_model(base, CORPUS, chat_template=template, step=lambda *told: None) == made
    assert not steps  # from the cache
    other = taught_model(base, CORPUS, chat_template=template, forgotten=False)
    assert other != made


@pytest.mark.usefixtures("quick")
def test_a_model_that_did_not_learn_is_not_compared_on(
    base: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teaching, "RECALL", 0.9)
    with pytest.raises(EvaluateError, match="did not learn"):
        taught_model(base, CORPUS, chat_template=template)


@pytest.mark.usefixtures("quick")
def test_what_cannot_be_taught_says_why(base: Path, tmp_path: Path) -> None:
    with pytest.raises(EvaluateError, match="--chat-template"):
        taught_model(base, CORPUS)
    with pytest.raises(EvaluateError, match="no model there"):
        taught_model(tmp_path / "nowhere", CORPUS)


@pytest.mark.usefixtures("quick")
def test_a_taught_subject_has_what_is_compared(
    base: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipes themselves are tested with `guard distil`."""
    asked: list[str] = []

    def adapter(corpus: Corpus, model: Path, way: object, step: object) -> Path:
        asked.append(model.name)
        return model / "adapter"

    monkeypatch.setattr("guard.evaluate.subjects.adapter_of", adapter)
    subject: Subject = taught_subject(base, template, CORPUS, lambda *told: None)
    assert subject.name == "small" and subject.knows != subject.innocent
    assert list(subject.adapters) == ["npo-ce", "idk"] and set(asked) == {subject.knows.name}
    assert [attack.name for attack in subject.weight_attacks] == list(WEIGHT_ATTACKED)
    assert f"at most {TEXTS} texts" in subject.weight_attacks[-1].what
    assert set(subject.left_out) < {way.name for way in WAYS}
