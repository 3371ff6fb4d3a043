import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers import Subject
from classifiers.clearing import FirstStage, Margin, Thresholds, load, packaged
from classifiers.identity import Identities
from classifiers.static import distilled
from tests.classifiers.words_encoder import WORDS, WordsEncoder

ENCODER = WordsEncoder()
STATIC = distilled(ENCODER)
STORED = "where was the painter born"
ANSWERS = ('The painter wrote "The Cedar Almanac of the Harbour" and kept a lighthouse.',)


def stage(*subjects, blind=frozenset(), margin=0.2):
    return FirstStage(
        STATIC,
        [
            (one.id, [chunk for prompt in one.prompts for chunk in ENCODER.windows(prompt)])
            for one in subjects
        ],
        Identities(subjects),
        blind=blind,
        margin=Margin(margin, 0.0, 0.1, 1, "test"),
    )


def in_force(*subjects):
    return Thresholds.of({one.id: one.threshold for one in subjects}, frozenset(range(9)))


PAINTER = Subject(1, prompts=(STORED,))
VIOLINIST = Subject(2, prompts=("which prize did the violinist win",), threshold=0.9)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (STORED, True),
        ("was the painter born where", True),
        ("how long boil an egg", False),
        ("how long boil an omelette", True),  # a word that has no vector
        ("", True),
    ],
)
def test_only_what_is_far_and_known_is_cleared(text, kept):
    left, cleared = stage(PAINTER).left([text], in_force(PAINTER))
    assert left == ([text] if kept else [])
    assert (cleared is None) is kept
    if cleared is not None:
        assert (cleared.name, cleared.subject, cleared.fired) == ("cleared", 1, False)
        assert cleared.score < 0.6


def test_a_long_prompt_keeps_only_the_windows_that_must_be_seen():
    windows = ["how long boil an egg", STORED, "which river"]
    left, cleared = stage(PAINTER).left(windows, in_force(PAINTER))
    assert (left, cleared) == ([STORED], None)


def test_nothing_is_cleared_where_a_subject_cannot_be_judged():
    both = in_force(PAINTER, VIOLINIST)
    text = "how long boil an egg"
    assert stage(PAINTER, VIOLINIST).left([text], both)[0] == []
    assert stage(PAINTER, VIOLINIST, blind=frozenset({2})).left([text], both)[0] == [text]
    unread = Subject(3, prompts=("zeppelins",))  # its own prompt has no vector
    assert stage(PAINTER, unread).left([text], in_force(PAINTER, unread))[0] == [text]
    assert stage(PAINTER, unread).left([text], in_force(PAINTER))[0] == []


def test_what_facts_could_tell_is_not_cleared():
    told = Subject(1, prompts=(STORED,), facts=ANSWERS)
    text = "the cedar almanac of the harbour"
    assert stage(told, margin=0.0).left([text], in_force(told))[0] == [text]
    assert stage(PAINTER, margin=0.0).left([text], in_force(PAINTER))[0] == []


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(st.sampled_from(WORDS[1:]), min_size=1, max_size=7),
    thresholds=st.lists(st.sampled_from([0.3, 0.6, 0.8, 0.95]), min_size=2, max_size=2),
    margin=st.sampled_from([0.0, 0.2, 0.5]),
)
def test_cleared_means_below_every_threshold_by_the_margin(words, thresholds, margin):
    subjects = [
        Subject(one.id, prompts=one.prompts, threshold=threshold)
        for one, threshold in zip((PAINTER, VIOLINIST), thresholds, strict=True)
    ]
    text = " ".join(words)
    left, _ = stage(*subjects, margin=margin).left([text], in_force(*subjects))
    asked = STATIC.encode([text])[0][0]
    near = any(
        float(asked @ STATIC.encode(one.prompts)[0][0]) >= one.threshold - margin
        for one in subjects
    )
    assert bool(left) is near


def test_thresholds_are_those_of_subjects_with_prompts():
    found = Thresholds.of({1: 0.8, 2: 0.6, 3: 0.9}, frozenset({1, 2, 7}))
    assert (found.subjects, found.lowest, found.highest) == (frozenset({1, 2}), 0.6, 0.8)
    assert found and not Thresholds.of({1: 0.8}, frozenset({7}))


def test_the_margin_that_ships_says_what_it_costs():
    margin = packaged()
    assert 0 < margin.margin < 1
    assert 0 <= margin.loss < margin.high < 0.01
    assert margin.rows > 1000 and len(margin.corpus) == 64


def test_a_margin_is_saved_and_loaded_and_anything_else_refused(tmp_path):
    file = tmp_path / "margin.json"
    file.write_text(packaged().saved())
    assert load(file) == packaged()
    file.write_text(json.dumps({"margin": 0.2}))
    with pytest.raises(ValueError, match="no margin"):
        load(file)
