from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.signals import Signal
from classifiers.verdicts import VerdictCache, verdict_key

KEYS = st.tuples(st.binary(min_size=1, max_size=1), st.just(frozenset({1})), st.booleans())


def said(number):
    return [Signal("nearest_prompt", number, 0.5, False)]


@given(
    size=st.integers(0, 4),
    steps=st.lists(st.tuples(st.sampled_from(["get", "put"]), KEYS, st.integers(0, 9))),
)
def test_it_keeps_what_was_asked_for_last_and_never_more(size, steps):
    cache, model = VerdictCache(size), OrderedDict()
    for step, key, number in steps:
        if step == "put":
            cache.put(key, said(number))
            model[key] = said(number)
            model.move_to_end(key)
            while len(model) > size:
                model.popitem(last=False)
        else:
            assert cache.get(key) == model.get(key)
            if key in model:
                model.move_to_end(key)
        assert len(cache) == len(model) <= size


def test_what_came_out_can_be_changed_without_changing_what_is_kept():
    cache = VerdictCache(2)
    key = verdict_key(["a"], frozenset({1}), thorough=False)
    cache.put(key, said(1))
    cache.get(key).clear()
    assert cache.get(key) == said(1)


@given(
    st.lists(st.text()),
    st.lists(st.text()),
    st.frozensets(st.integers()),
    st.frozensets(st.integers()),
)
def test_different_requests_have_different_keys(texts, others, subjects, strangers):
    same = verdict_key(texts, subjects, thorough=False)
    assert (same == verdict_key(others, subjects, thorough=False)) is (texts == others)
    assert same != verdict_key(texts, subjects, thorough=True)
    assert (same == verdict_key(texts, strangers, thorough=False)) is (subjects == strangers)


def test_a_size_below_nothing_is_refused():
    with pytest.raises(ValueError, match="size"):
        VerdictCache(-1)
