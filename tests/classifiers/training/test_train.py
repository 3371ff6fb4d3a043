"""Training from invented people alone."""

import pytest

from classifiers.head import FEATURES, packaged
from classifiers.training.corpus import corpus
from classifiers.training.train import probabilities, scored, train


@pytest.mark.encoder
def test_a_small_head_finds_other_people_in_other_words(minilm):
    parts = [corpus(half, subjects=4, each=12) for half in ("train", "calibrate")]
    head = train(*parts, minilm.encode, target=0.05)
    found = scored(parts[1], minilm.encode)
    flagged = probabilities(head, found) >= head.threshold
    assert flagged[~found.wanted].mean() <= 0.05
    assert flagged[found.wanted].mean() > 0.6
    assert head.corpora == {"train": parts[0].hash, "calibrate": parts[1].hash}
    assert head.target == 0.05


def test_the_packaged_head_was_made_from_the_corpora_of_this_version():
    assert packaged().corpora == {half: corpus(half).hash for half in ("train", "calibrate")}
    assert len(packaged().weights) == len(FEATURES)
