"""Cosines of another encoder on the scale that thresholds are stated on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers import BatchedEncoder, NearestPrompt, Subject
from classifiers.head import Head, load, packaged
from classifiers.scale import SAME, Scale
from classifiers.training.corpus import corpus
from classifiers.training.scale import LEVELS, by_quantiles, matched
from tests.classifiers.conftest import HashEncoder

NARROW = Scale((-1.0, 0.7, 0.9, 1.0), (-1.0, 0.1, 0.8, 1.0))

cosines = st.floats(-1.0, 1.0)
curves = st.lists(st.integers(-999, 999), min_size=2, max_size=12, unique=True).map(
    lambda points: tuple(one / 1000 for one in sorted(points))
)


@given(curves, cosines, cosines)
def test_a_scale_keeps_order_and_can_be_taken_back(points, left, right):
    shared = tuple(np.linspace(-1.0, 1.0, len(points)).tolist())
    scale = Scale(points, shared)
    low, high = sorted((left, right))
    assert scale.to_shared(low) <= scale.to_shared(high)
    assert scale.to_own(low) <= scale.to_own(high)
    inside = min(max(low, points[0]), points[-1])
    assert scale.to_own(scale.to_shared(inside)) == pytest.approx(inside, abs=1e-9)
    assert scale.all_to_shared(np.array([low]))[0] == pytest.approx(scale.to_shared(low))


@given(cosines)
def test_the_shipped_encoder_is_left_as_it_is(cosine):
    assert SAME.to_shared(cosine) == SAME.to_own(cosine) == cosine


@pytest.mark.parametrize(
    ("own", "shared"),
    [
        ((0.0,), (0.0,)),
        ((0.0, 1.0), (0.0, 0.5, 1.0)),
        ((0.0, 0.0), (0.0, 1.0)),
        ((0.0, 1.0), (1.0, 0.0)),
    ],
)
def test_what_does_not_rise_is_no_scale(own, shared):
    with pytest.raises(ValueError, match="scale"):
        Scale(own, shared)


@given(st.integers(0, 2**32 - 1))
def test_as_many_pairs_reach_a_level_by_either_encoder(seed):
    shipped = np.random.default_rng(seed).uniform(-0.2, 1.0, 4000)
    scale = by_quantiles(0.7 + 0.3 * shipped**3, shipped)
    for level in LEVELS[3:]:
        own = scale.to_own(level)
        assert (0.7 + 0.3 * shipped**3 >= own).mean() == pytest.approx(
            (shipped >= level).mean(), abs=0.002
        )


def test_an_encoder_is_matched_with_itself(hash_encoder):
    made = corpus("train", subjects=3, each=12)
    scale = matched(hash_encoder.encode, hash_encoder.encode, made)
    assert scale.to_shared(0.5) == pytest.approx(0.5, abs=0.02)


def test_a_head_keeps_its_encoder_and_scale(tmp_path):
    file = tmp_path / "head.json"
    shipped = packaged()
    head = Head(shipped.weights, 0.0, 0.5, 0.001, {}, "e5@0123", NARROW)
    file.write_text(head.saved())
    assert load(file) == head
    file.write_text(shipped.saved())
    assert load(file).scale is SAME and load(file).encoder == "all-MiniLM-L6-v2"


class Crowded(HashEncoder):
    """No two texts have a cosine far below 0.7, as with some encoders."""

    dimension = 9

    def row(self, text):
        return np.append(own_row(text) * 0.3**0.5, 0.7**0.5).astype(np.float32)


def own_row(text):
    return HashEncoder().row(text)


async def test_thresholds_are_meant_on_the_shared_scale():
    crowded = Crowded()
    batched = BatchedEncoder(crowded)
    subjects = [Subject(1, prompts=("who keeps the harbour",))]
    head = packaged()
    scaled = Head(head.weights, head.bias, head.threshold, head.target, {}, "x", NARROW)
    try:
        for used in (None, scaled):
            nearest = NearestPrompt(subjects, batched, head=used)
            own = nearest._index.search(crowded.encode(["how long boils an egg"]))[0][0][1]
            (signal,) = [
                one
                for one in await nearest.score(["how long boils an egg"], frozenset({1}))
                if one.name == "nearest_prompt"
            ]
            assert signal.score == pytest.approx(NARROW.to_shared(own) if used else own, abs=1e-5)
            assert signal.fired is (signal.score >= 0.8)
            same = await nearest.score(["who keeps the harbour"], frozenset({1}))
            assert same[0].fired and same[0].score == pytest.approx(1.0, abs=1e-4)
    finally:
        batched.close()
