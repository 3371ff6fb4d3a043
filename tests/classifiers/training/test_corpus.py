"""Training and calibration share nothing, and can be made again."""

import re
from itertools import pairwise

import pytest

from bench.detection import gating
from classifiers.training.corpus import corpus
from classifiers.training.people import people
from classifiers.training.templates import CALIBRATE, STORED, TRAIN
from classifiers.words import folded

HALVES = {half: corpus(half, subjects=12, each=24) for half in ("train", "calibrate")}


def test_no_person_of_one_half_is_in_the_other():
    for field in ("name", "city", "father", "mother", "award"):
        train, calibrate = (
            {getattr(one, field) for one in people(half, 200, 3)} for half in ("train", "calibrate")
        )
        assert not train & calibrate, field


def _bigrams(text):
    return set(pairwise(folded(re.sub(r"{\w+}", "§", text))))


def test_no_template_is_near_one_of_another_style():
    """Two templates are near when they share more than half of the shorter one's word pairs."""
    benchmark = (gating._WORKS, gating._PRIZE, gating._PARENTS, gating._PLACE, gating._DATE)
    styles = {
        "stored": [question for question, _ in STORED],
        "train": [one.text for one in TRAIN],
        "calibrate": [one.text for one in CALIBRATE],
        "benchmark": [re.sub(r"{(\d)}", r"{slot\1}", one) for kind in benchmark for one in kind],
    }
    for name, texts in styles.items():
        for other, others in styles.items():
            if name < other:
                for one in texts:
                    for two in others:
                        shared = _bigrams(one) & _bigrams(two)
                        least = min(len(_bigrams(one)), len(_bigrams(two)))
                        assert len(shared) <= least / 2, (one, two)


def test_no_probe_is_in_both():
    train, calibrate = ({probe.text for probe in one.probes} for one in HALVES.values())
    assert not train & calibrate


@pytest.mark.parametrize("half", ["train", "calibrate"])
def test_a_corpus_is_the_same_again_and_its_hash_tells_it(half):
    again = corpus(half, subjects=12, each=24)
    assert again == HALVES[half]
    assert again.hash == HALVES[half].hash
    assert corpus(half, subjects=12, each=24, seed=1).hash != again.hash


@pytest.mark.parametrize("half", ["train", "calibrate"])
def test_what_is_wanted_and_what_is_not_is_never_the_same_prompt(half):
    made = HALVES[half]
    wanted = {(p.subject, p.text) for p in made.probes if p.wanted}
    assert not wanted & {(p.subject, p.text) for p in made.probes if not p.wanted}
    assert {p.kind for p in made.probes} >= {
        "identified",
        "vague",
        "chance",
        "general",
        "other",
        "swapped",
    }


def test_more_people_than_the_tables_have_prizes_for() -> None:
    for half in HALVES:
        made = people(half, 1000, 0)  # as many as `guard detector train --subjects 500` asks for
        assert len({one.award for one in made}) == len({one.name for one in made}) == 1000
