"""A classifier for each policy, kept by content: another request trains only its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from classifiers.hidden_states import HiddenStates
from guard.errors import DetectorError
from guard.hidden.files import file_of, kept
from guard.hidden.training import Trainer, train_missing
from guard.policy import Policy
from tests.hidden.conftest import FEW, FIRST, SECOND


@pytest.fixture(scope="module")
def trainer(states: HiddenStates) -> Trainer:
    return Trainer(states, target=0.02, subjects=FEW)


@pytest.fixture(scope="module")
def heads(trainer: Trainer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads")
    list(train_missing([FIRST], trainer, folder, ()))
    return folder


def test_it_finds_its_own_prompts_in_other_frames_and_no_strangers(
    trainer: Trainer, heads: Path, states: HiddenStates
) -> None:
    classifier = kept(heads, [FIRST], states.name)["first"]
    assert trainer.found(FIRST, classifier) >= 0.3  # random weights know no frame from another
    near = "Where was Bofur Wexelhaupt born?"
    assert classifier.odds(states.encode([near]))[0] < classifier.threshold
    assert classifier.policy == FIRST.hash and set(classifier.corpora) == {"train", "calibrate"}


def test_another_request_trains_only_its_own(
    trainer: Trainer, heads: Path, states: HiddenStates
) -> None:
    before = file_of(heads, FIRST).read_bytes()
    known = kept(heads, [FIRST, SECOND], states.name)
    states_of = [one.state for one in train_missing([FIRST, SECOND], trainer, heads, known)]
    assert states_of == ["kept", "trained"]
    assert file_of(heads, FIRST).read_bytes() == before
    assert set(kept(heads, [FIRST, SECOND], states.name)) == {"first", "second"}


def test_another_content_has_no_classifier_yet(heads: Path, states: HiddenStates) -> None:
    changed = replace(FIRST, prompts=(*FIRST.prompts, "Which loom has she?"))
    assert kept(heads, [changed], states.name) == {}


def test_a_policy_of_texts_alone_is_left_out(trainer: Trainer, tmp_path: Path) -> None:
    (outcome,) = train_missing([Policy(name="bare")], trainer, tmp_path, ())
    assert outcome.state == "policy 'bare' has no names, prompts or pairs"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda file, other: file.write_bytes(b"no"), "is no prompt classifier"),
        (lambda file, other: file.write_bytes(other.read_bytes()), "trained for another policy"),
    ],
)
def test_a_spoiled_folder_is_refused(
    spoil, says: str, trainer: Trainer, states: HiddenStates, tmp_path: Path
) -> None:
    list(train_missing([FIRST, SECOND], trainer, tmp_path, ()))
    spoil(file_of(tmp_path, FIRST), file_of(tmp_path, SECOND))
    with pytest.raises(DetectorError, match=says):
        kept(tmp_path, [FIRST], states.name)


def test_another_model_is_refused_with_the_command(heads: Path) -> None:
    with pytest.raises(DetectorError, match=r"not on other-model: run `guard detector hidden`"):
        kept(heads, [FIRST], "other-model")
