"""The trained head."""

import json

import numpy as np
import pytest

from classifiers.head import FEATURES, features, fitted, load, packaged
from classifiers.profile import Evidence


def test_the_packaged_head_knows_facts_from_wording():
    head = packaged()
    nothing = head.probability(0.99, Evidence())
    told = head.probability(0.7, Evidence(facts=35.0, same_date=1.0))
    another = head.probability(0.95, Evidence(facts=20.0, others=44.0))
    assert nothing < 0.5 < told
    assert told >= head.threshold > another


def test_features_are_capped():
    far = features(0.5, Evidence(title=1e9, facts=1e9, name_part=1e9, others=1e9))
    assert max(far) == 3.0
    assert len(far) == len(FEATURES)


def test_a_head_is_saved_and_read_again(tmp_path):
    path = tmp_path / "head.json"
    path.write_text(packaged().saved())
    assert load(path) == packaged()


@pytest.mark.parametrize(
    "change", [{"features": ["cosine"]}, {"weights": [1.0]}, {"bias": None}, {"corpora": 3}]
)
def test_another_versions_head_is_refused(tmp_path, change):
    path = tmp_path / "head.json"
    path.write_text(json.dumps(json.loads(packaged().saved()) | change))
    with pytest.raises(ValueError, match="head"):
        load(path)


def test_fitting_finds_the_side_that_counts():
    draw = np.random.default_rng(3)
    rows = draw.normal(size=(400, 3))
    wanted = rows[:, 1] + 0.2 * draw.normal(size=400) > 1.0  # unbalanced: one in six
    weights, bias = fitted(rows, wanted)
    assert np.argmax(np.abs(weights)) == 1
    right = (rows @ np.array(weights) + bias > 0) == wanted
    assert right[wanted].mean() > 0.9
    assert right[~wanted].mean() > 0.9
