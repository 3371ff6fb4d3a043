import asyncio

import numpy as np
import pytest

from classifiers import NearestPrompt, Subject, TooManyTokens, VectorCache
from classifiers.signals import NEAREST_PROMPT

SUBJECTS = (
    Subject(1, prompts=("Where was the novelist Mara Ellingsen born?",), threshold=0.8),
    Subject(2, prompts=("Which prize did the chemist Oduya Renn win?",), threshold=0.8),
    Subject(3, names=("nobody",)),
)
ALL = frozenset({1, 2, 3})


@pytest.fixture
def nearest(batched_minilm):
    return NearestPrompt(SUBJECTS, batched_minilm)


@pytest.mark.encoder
@pytest.mark.parametrize(
    ("text", "fired"),
    [
        ("Where was the novelist Mara Ellingsen born?", [1]),
        ("In which place was novelist Mara Ellingsen born?", [1]),
        ("What prize was won by the chemist Oduya Renn?", [2]),
        ("How long should I boil an egg?", []),
        ("", []),
        ("\0\ud800", []),
    ],
)
async def test_paraphrases_fire_and_the_best_is_always_told(nearest, text, fired):
    signals = await nearest.score([text], ALL)
    assert {signal.subject for signal in signals if signal.fired} == set(fired)
    assert len(signals) >= 1
    assert {signal.name for signal in signals} <= {"nearest_prompt", "facts"}


@pytest.mark.encoder
async def test_a_question_deep_inside_100_000_characters_fires(nearest, minilm):
    filler = "The harvest was brought in before the rain came over the hills. " * 780
    text = f"{filler}{SUBJECTS[0].prompts[0]} {filler}"
    assert len(text) > 99_000
    minilm_windows = minilm.windows(text)
    assert len(minilm_windows) > 300
    (best, *_) = await nearest.score([text], ALL)
    assert best.subject == 1
    assert best.score > max(
        signal.score for signal in await nearest.score([filler], frozenset({1}))
    )


async def test_only_subjects_asked_about_answer(hash_encoder, batched):
    nearest = NearestPrompt(SUBJECTS, batched)
    prompt = SUBJECTS[0].prompts[0]
    found = [s for s in await nearest.score([prompt], ALL) if s.name == NEAREST_PROMPT]
    assert [(s.subject, s.fired) for s in found] == [(1, True)]
    others = await nearest.score([prompt], frozenset({2, 3}))
    assert [(s.subject, s.fired) for s in others] == [(2, False)]
    assert await nearest.score([prompt], frozenset({3})) == []
    assert await nearest.score([], ALL) == []


async def test_each_subject_has_its_own_threshold(batched, hash_encoder):
    target = hash_encoder.row("asked")
    axis = np.zeros(8, np.float32)
    axis[np.argmin(abs(target))] = 1
    near = 0.7 * target + 0.7141428 * (axis - target * (axis @ target)) / np.linalg.norm(
        axis - target * (axis @ target)
    )
    plain = hash_encoder.row
    hash_encoder.row = lambda text: near if text == "stored" else plain(text)
    for threshold, fired in ((0.69, True), (0.71, False)):
        nearest = NearestPrompt([Subject(1, (), ("stored",), threshold)], batched)
        (signal,) = await nearest.score(["asked"], frozenset({1}))
        assert signal.fired is fired
        assert signal.score == pytest.approx(0.7, abs=1e-3)


async def test_too_many_tokens_are_refused_before_anything_is_encoded(hash_encoder, batched):
    nearest = NearestPrompt(SUBJECTS, batched, max_tokens=20)
    built = len(hash_encoder.batches)
    await nearest.score(["ten words " * 5, "and eight " * 4], ALL)
    assert len(hash_encoder.batches) > built
    built = len(hash_encoder.batches)
    with pytest.raises(TooManyTokens):
        await nearest.score(["six words " * 3, "and sixteen " * 8], ALL)
    assert len(hash_encoder.batches) == built


def test_a_rebuild_embeds_only_what_is_new_and_reports_progress(hash_encoder, batched):
    cache, seen = VectorCache(), []
    for subjects in (SUBJECTS, (*SUBJECTS, Subject(4, prompts=("a new one",)))):
        NearestPrompt(subjects, batched, cache=cache, progress=lambda *step: seen.append(step))
    assert hash_encoder.batches[1:] == [["a new one"]]
    assert seen == [("embedding prompts", 2, 2), ("embedding prompts", 1, 1)]
    assert not any("Mara" in repr(key) for key in cache)


async def test_concurrent_requests_get_their_own_answers(batched):
    nearest = NearestPrompt(SUBJECTS, batched)
    asked = [SUBJECTS[n % 2].prompts[0] for n in range(10)]
    answers = await asyncio.gather(*(nearest.score([text], ALL) for text in asked))
    assert [answer[0].subject for answer in answers] == [1, 2] * 5


@pytest.mark.parametrize("wrong", [{"threshold": 0.0}, {"threshold": 1.1}, {"prompts": (" ",)}])
def test_subjects_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValueError, match="subject 1"):
        Subject(1, **wrong)


def test_the_vectors_of_withdrawn_prompts_leave_the_cache(batched):
    cache = VectorCache()
    NearestPrompt([Subject(1, prompts=("one", "two"))], batched, cache=cache)
    left = NearestPrompt([Subject(1, prompts=("two",))], batched, cache=cache)
    assert len(cache) == 2
    cache.keep_only(left.keys)
    assert set(cache) == left.keys
