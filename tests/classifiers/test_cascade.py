import pytest

from classifiers import Cascade, EncoderUnavailable, Signal, Subject, VectorCache

ASKED = "where was she born"
SUBJECTS = (Subject(1, names=("ada",)), Subject(2, prompts=(ASKED,)))


def find(text):
    return [1] if "ada" in text.split() else []


@pytest.fixture
def cascade(batched):
    return Cascade(SUBJECTS, find, batched)


@pytest.mark.parametrize(
    ("texts", "subjects", "fired"),
    [
        (["tell me of ada"], None, [("name", 1)]),
        ([ASKED], None, [("nearest_prompt", 2)]),
        (["ada", ASKED], None, [("name", 1)]),
        (["ada", ASKED], frozenset({2}), [("nearest_prompt", 2)]),
        ([ASKED], frozenset({1}), []),
        (["something else"], None, []),
        ([], None, []),
    ],
)
async def test_names_first_then_the_nearest_prompt(cascade, texts, subjects, fired):
    signals = await cascade.full(texts, subjects)
    assert [(signal.name, signal.subject) for signal in signals if signal.fired] == fired
    assert cascade.cheap(texts, subjects) == [s for s in signals if s.name == "name"]


async def test_a_fired_name_saves_the_encoder(cascade, hash_encoder):
    built = len(hash_encoder.batches)
    assert await cascade.full(["ada"]) == [Signal("name", 1, 1.0, True)]
    assert len(hash_encoder.batches) == built


async def test_names_alone_need_no_encoder():
    cascade = Cascade(SUBJECTS[:1], find, None)
    assert await cascade.full(["nobody"]) == []
    assert await cascade.full(["ada"]) == cascade.cheap(["ada"])


def test_prompts_without_an_encoder_fail_closed():
    with pytest.raises(EncoderUnavailable, match=r"guard-forget\[detect\]"):
        Cascade(SUBJECTS, find, None)


async def test_an_encoder_that_fails_gives_no_verdict(cascade):
    with pytest.raises(RuntimeError, match="this batch fails"):
        await cascade.full(["fail"])


def test_a_matcher_that_fails_gives_no_verdict():
    def broken(text):
        raise LookupError(text)

    with pytest.raises(LookupError):
        Cascade((), broken, None).cheap(["x"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Cascade((SUBJECTS[0], SUBJECTS[0]), find, None), "same id"),
        (lambda: Cascade(SUBJECTS[:1], find, None).cheap(["x"], frozenset({9})), "not know"),
    ],
)
def test_wrong_ids_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_shared_cache_reaches_the_prompts(batched, hash_encoder):
    cache = VectorCache()
    for _ in range(2):
        Cascade(SUBJECTS, find, batched, cache=cache)
    assert hash_encoder.batches == [[ASKED]]
