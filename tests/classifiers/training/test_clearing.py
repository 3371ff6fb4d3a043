import numpy as np

from classifiers.static import distilled
from classifiers.training.clearing import THRESHOLDS, calibrated, shortfalls
from classifiers.training.corpus import Corpus, Probe, Stored
from tests.classifiers.words_encoder import WordsEncoder


def test_the_margin_is_the_least_that_loses_no_more_than_asked():
    rows = np.array([-0.1] * 990 + [0.155] * 8 + [0.305] * 2)
    strict, loose = calibrated([rows], 0.002, "a"), calibrated([rows], 0.01, "a")
    assert (strict.margin, strict.loss, strict.rows) == (0.16, 0.002, 1000)
    assert (loose.margin, loose.loss) == (0.01, 0.01)
    assert strict.high > strict.loss
    assert calibrated([rows], 0.0, "a").margin == 0.31


def test_only_what_the_encoder_finds_can_be_lost():
    encoder = WordsEncoder()
    asked = "where was the painter born"
    made = Corpus(
        (Stored((), (asked,), ()),),
        (Probe(asked, 0, True, "named"), Probe("boil an egg", 0, False, "general")),
    )
    short = shortfalls(made, encoder.encode, distilled(encoder))
    assert len(short) == len(THRESHOLDS)  # the stored prompt itself, at every threshold
    assert np.allclose(sorted(short), sorted(threshold - 1.0 for threshold in THRESHOLDS))
