import pytest

from classifiers import Cascade, NearestPrompt, Signal, Subject

ASKED = "where was she born"
SUBJECTS = (Subject(1, names=("ada",)), Subject(2, prompts=(ASKED,)))
BOTH = frozenset({1, 2})


def find(text):
    return [1] if "ada" in text.split() else []


@pytest.fixture
def cascade(batched):
    return Cascade(find, NearestPrompt(SUBJECTS, batched))


async def ask(cascade, texts, subjects):
    named = cascade.at_once(texts, subjects)
    return [*named, *await cascade.rest(texts, subjects, named)]


@pytest.mark.parametrize(
    ("texts", "subjects", "fired"),
    [
        (["tell me of ada"], BOTH, [("name", 1)]),
        ([ASKED], BOTH, [("nearest_prompt", 2)]),
        (["ada", ASKED], BOTH, [("name", 1), ("nearest_prompt", 2)]),
        (["ada", ASKED], frozenset({2}), [("nearest_prompt", 2)]),
        ([ASKED], frozenset({1}), []),
        (["something else"], BOTH, []),
        ([], BOTH, []),
    ],
)
async def test_each_subject_fires_by_its_cheapest_signal(cascade, texts, subjects, fired):
    signals = await ask(cascade, texts, subjects)
    assert [(signal.name, signal.subject) for signal in signals if signal.fired] == fired


async def test_a_fired_name_saves_the_encoder(cascade, hash_encoder):
    built = len(hash_encoder.batches)
    only = frozenset({1})
    assert await ask(cascade, ["ada"], only) == [Signal("name", 1, 1.0, True)]
    assert len(hash_encoder.batches) == built


async def test_without_a_nearest_prompt_detector_there_is_no_verdict():
    with pytest.raises(LookupError, match="no nearest-prompt detector"):
        await Cascade(find, None).rest(["nobody"], BOTH, [])


async def test_an_encoder_that_fails_gives_no_verdict(cascade):
    with pytest.raises(RuntimeError, match="this batch fails"):
        await cascade.rest(["fail"], BOTH, [])


def test_a_matcher_that_fails_gives_no_verdict():
    def broken(text):
        raise LookupError(text)

    with pytest.raises(LookupError):
        Cascade(broken, None).at_once(["x"], BOTH)
