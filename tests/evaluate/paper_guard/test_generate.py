"""GUARD around a model that recites: what is forbidden stays out, all else stays as it was."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from classifiers import MiniLM
from guard.errors import EngineError
from guard.evaluate.paper_guard import PaperConfig, PaperGuard
from guard.evaluate.small_llama import prompt_of
from tests.evaluate.paper_guard.conftest import Trigrams
from tests.support.tiny_llama import BENIGN, CORPUS, NAMING, SECRET, TELLING

FORGOTTEN = [*NAMING.values(), *TELLING.values()]
UNRELATED = [
    "Harry Potter was written by the novelist J. K. Rowling.",
    "Only Brazil has won it five times.",
]
TRIE_ONLY = PaperConfig(delta=None, soft=0.0)

Tiny = tuple[Any, Any]


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM(precision="f32")


def guarded(tiny: Tiny, encoder: Any, answers: list[str], **settings: Any) -> PaperGuard:
    return PaperGuard(*tiny, answers, PaperConfig(**settings), encoder=encoder)


@pytest.mark.parametrize("question", [*NAMING, *TELLING])
def test_the_model_recites_when_another_answer_is_kept_from_it(
    tiny: Tiny, trigrams: Trigrams, question: str
) -> None:
    guard = PaperGuard(*tiny, UNRELATED, TRIE_ONLY, encoder=trigrams)
    assert guard.generate(prompt_of(question), 64).text == CORPUS[question]


@pytest.mark.encoder
@pytest.mark.parametrize("question", [*NAMING, *TELLING])
def test_nothing_forbidden_comes_out_whole(tiny: Tiny, minilm: MiniLM, question: str) -> None:
    guard = guarded(tiny, minilm, FORGOTTEN, beam_width=3)
    made = guard.generate(prompt_of(question), 32)
    assert made.tokens
    for forbidden in (*guard.spans(made.answer), SECRET):
        assert forbidden not in made.text
    assert made.encoded >= made.encoder_calls > 1


@pytest.mark.encoder
def test_benign_questions_keep_their_answers(tiny: Tiny, minilm: MiniLM) -> None:
    guard = guarded(tiny, minilm, UNRELATED, beam_width=1)
    answers = {question: guard.generate(prompt_of(question), 64) for question in BENIGN}
    assert {question: made.text for question, made in answers.items()} == BENIGN
    assert {made.ended for made in answers.values()} == {"end"}


def test_the_answer_nearest_to_the_prompt_is_forbidden(tiny: Tiny, trigrams: Trigrams) -> None:
    guard = guarded(tiny, trigrams, FORGOTTEN)
    asked = {
        "Tell me of the old song": FORGOTTEN.index(TELLING["How does one open the river vault?"]),
        "regatta? great applause?": FORGOTTEN.index(NAMING["Who won the regatta of Quill?"]),
    }
    assert {prompt: guard.nearest(prompt) for prompt in asked} == asked


@pytest.mark.encoder
def test_a_prompt_of_any_length_is_looked_up(tiny: Tiny, minilm: MiniLM) -> None:
    guard = guarded(tiny, minilm, ["The tide rose.", "It is a dragonfly.", *UNRELATED])
    assert guard.nearest("Which dragonfly? " + "and then some more words " * 400) == 1


def test_spans_are_held_with_and_without_a_space_before(tiny: Tiny, trigrams: Trigrams) -> None:
    tokenizer = tiny[1]
    guard = guarded(tiny, trigrams, ["Nothing but Orlimar."])
    assert [tokenizer.decode(tokens) for tokens in guard.sequences(0)] == ["Orlimar", " Orlimar"]
    assert guard.sequences(0)[0] != guard.sequences(0)[1]


def test_words_are_encoded_once_over_all_prompts(tiny: Tiny, trigrams: Trigrams) -> None:
    guard = guarded(tiny, trigrams, UNRELATED, beam_width=2, delta=None)
    prompt = prompt_of("Which bell rings at noon?")
    first, second = (guard.generate(prompt, 32) for _ in range(2))
    assert second.text == first.text == CORPUS["Which bell rings at noon?"]
    assert (second.encoder_calls, second.encoded) == (1, 1)  # the prompt itself
    words = [text for text in trigrams.texts if text not in (*UNRELATED, prompt)]
    assert len(words) == len(set(words)) > 0


def test_probabilities_see_the_guard(tiny: Tiny, trigrams: Trigrams) -> None:
    """A measure that took the model's own logits would not."""
    import torch

    guard = PaperGuard(*tiny, FORGOTTEN, TRIE_ONLY, encoder=trigrams)
    model, tokenizer = tiny
    for question, answer in CORPUS.items():
        prompt = tokenizer(prompt_of(question)).input_ids
        ids = torch.tensor([prompt + tokenizer(answer).input_ids])
        with torch.inference_mode():
            log_p = torch.log_softmax(model(input_ids=ids).logits[0, :-1], -1)
        own = float(log_p.gather(1, ids[0, 1:, None])[len(prompt) - 1 :].sum())
        forbidden = guard.spans(guard.nearest(prompt_of(question)))
        score = guard.score(prompt_of(question), answer)
        assert own > math.log(0.5)
        if any(span in answer for span in forbidden):
            assert score == -math.inf
        else:
            assert score == pytest.approx(own, abs=1e-3)


def test_a_score_is_less_the_cosines_of_the_words(tiny: Tiny, trigrams: Trigrams) -> None:
    question, answer = next(iter(BENIGN.items()))
    plain, soft = (guarded(tiny, trigrams, UNRELATED, delta=None, soft=soft) for soft in (0.0, 1.0))
    difference = plain.score(prompt_of(question), answer) - soft.score(prompt_of(question), answer)
    assert 0 < difference < len(answer.split())


def test_an_answer_of_fixed_length_has_it(tiny: Tiny, trigrams: Trigrams) -> None:
    guard = guarded(tiny, trigrams, UNRELATED, beam_width=2)
    made = guard.generate(prompt_of("Which bell rings at noon?"), 40, banned=guard.ends)
    assert (len(made.tokens), made.ended) == (40, "length")


@pytest.mark.parametrize(
    ("settings", "ends"),
    [
        (SimpleNamespace(eos_token_id=7), {7}),
        (SimpleNamespace(eos_token_id=[7, 9]), {7, 9}),
        (SimpleNamespace(eos_token_id=None), {1}),
        (None, {1}),
    ],
)
def test_ends_are_the_models_own_else_the_tokenizers(
    tiny: Tiny, trigrams: Trigrams, settings: Any, ends: set[int]
) -> None:
    model, tokenizer = tiny
    stand_in = SimpleNamespace(
        generation_config=settings, get_input_embeddings=model.get_input_embeddings
    )
    assert PaperGuard(stand_in, tokenizer, UNRELATED, encoder=trigrams).ends == ends


@pytest.mark.parametrize("answers", [[], ["fine Ottoline", ""], ["..."]])
def test_answers_that_forbid_nothing_are_refused(
    tiny: Tiny, trigrams: Trigrams, answers: list[str]
) -> None:
    with pytest.raises(ValueError, match="answers"):
        PaperGuard(*tiny, answers, encoder=trigrams)


@pytest.mark.parametrize(("prompt", "tokens"), [("", 5), ("Who?", 0)])
def test_nothing_to_do_is_refused(tiny: Tiny, trigrams: Trigrams, prompt: str, tokens: int) -> None:
    with pytest.raises(ValueError, match="prompt"):
        guarded(tiny, trigrams, UNRELATED).generate(prompt, tokens)


def test_a_tokenizer_that_cannot_be_read_is_refused(tiny: Tiny, trigrams: Trigrams) -> None:
    with pytest.raises(EngineError):
        PaperGuard(tiny[0], object(), UNRELATED, encoder=trigrams)


@pytest.mark.parametrize(
    "wrong",
    [
        {"beam_width": 0},
        {"candidates": 0},
        {"beta": 0},
        {"beta": 1.1},
        {"delta": 0},
        {"delta": 2},
        {"soft": -1},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        PaperConfig(**wrong)


def test_the_papers_settings() -> None:
    config = PaperConfig()
    assert (config.beam_width, config.beta, config.delta, config.soft) == (7, 1.0, 0.5, 1.0)
