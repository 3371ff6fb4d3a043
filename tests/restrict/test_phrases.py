"""From a policy to its phrases: names whole, texts in runs, ordinary language left out."""

from __future__ import annotations

import pytest

from guard.restrict import Phrase, PhraseAutomaton, lint_phrases, name_phrases, text_phrases
from guard.restrict.phrases import LONGEST, join, surprise, text_runs
from guard.restrict.threads import HARD_BOUNDARY, SOFT_BOUNDARY
from tests.support.policies import PASSAGE, SECRET, policy


def symbols(phrases: list[Phrase]) -> list[str]:
    return [phrase.symbols.decode() for phrase in phrases]


def test_every_name_and_alias_is_a_bounded_phrase() -> None:
    phrases = list(name_phrases(policy("Harry Potter", "B. M. Al-Kuwaiti")))
    assert symbols(phrases) == ["harry potter", "b m al kuwaiti"]
    assert all(phrase.bounded and phrase.kind == "name" for phrase in phrases)


@pytest.mark.parametrize(
    ("words", "boundary"),
    [
        ((b"harry", b"potter"), SOFT_BOUNDARY),
        ((b"will", b"power"), HARD_BOUNDARY),
        ((b"an", b"other"), HARD_BOUNDARY),
    ],
)
def test_words_that_glue_into_an_ordinary_word_get_a_hard_boundary(
    words: tuple[bytes, ...], boundary: int
) -> None:
    assert join(words) == words[0] + bytes([boundary]) + words[1]


def test_only_the_whole_name_glued_counts_as_a_word() -> None:
    assert join((b"will", b"power", b"smith")) == b"will power smith"


def test_rare_words_surprise_more_than_common_ones() -> None:
    assert surprise(b"the") < surprise(b"harbour") < surprise(b"ravensmoor") < surprise(b"x" * 40)


def test_a_long_text_becomes_runs_from_every_word() -> None:
    words = PASSAGE.lower().replace(",", "").replace(".", "").split()
    runs = text_runs(PASSAGE, policy(words=8))
    whole = [phrase for phrase in runs.phrases if len(phrase.whole) == 8]
    assert all(len(phrase.whole) < 8 for phrase in runs.phrases[len(whole) :])
    starts = [phrase.whole[0].decode() for phrase in whole]
    assert starts[0] == "the"  # the text's own first word
    rare = [word for word in words[: len(words) - 7] if surprise(word.encode()) >= 12]
    assert [word for word in starts[1:] if word in rare] == rare
    assert len(starts) < len(words) - 7  # "the", "over", "by" and their like begin no run


@pytest.mark.parametrize("beta", [0.25, 0.5, 0.75])
def test_the_end_of_a_text_is_no_freer_than_the_rest(beta: float) -> None:
    words = [word.encode() for word in PASSAGE.lower().replace(",", "").replace(".", "").split()]
    needed = beta * sum(map(len, words[-8:]))
    automaton = PhraseAutomaton(text_runs(PASSAGE, policy(words=8, beta=beta)).phrases)
    matched = {
        start
        for start in range(len(words) - 7, len(words))
        if automaton.find_all("They say: " + b" ".join(words[start:]).decode())
    }
    distinctive = {
        start
        for start in range(len(words) - 7, len(words))
        if any(
            surprise(words[i]) >= 12
            and sum(map(len, words[i:])) >= needed
            and sum(map(surprise, words[i:])) >= 60
            for i in range(start, len(words))
        )
    }
    assert matched == distinctive != set()


def test_a_whole_run_is_asked_for_at_the_end_too_where_beta_is_one() -> None:
    runs = text_runs(PASSAGE, policy(words=8, beta=1.0))
    assert {len(phrase.whole) for phrase in runs.phrases} == {8}


def test_a_stretch_of_common_words_alone_is_covered_from_each_of_them() -> None:
    common = "that would have been all of what they had to say about it in the end of it"
    starts = len(common.split()) - 12 + 1
    runs = text_runs(common, policy(words=12, beta=1.0))
    assert len(runs.phrases) + runs.ordinary >= starts - 1


@pytest.mark.parametrize(("beta", "least"), [(0.25, 0.25), (0.5, 0.5), (0.9, 0.9), (1.0, 1.0)])
def test_a_run_is_acted_on_no_earlier_than_its_fraction_beta(beta: float, least: float) -> None:
    for phrase in text_runs(PASSAGE, policy(words=8, beta=beta)).phrases:
        letters = len(phrase.symbols.replace(b" ", b"").replace(b"\x1f", b""))
        assert letters >= least * sum(map(len, phrase.whole)) - 1e-9


def test_a_long_word_is_acted_on_in_its_middle() -> None:
    phrase = text_runs(SECRET, policy()).phrases[0]
    assert not phrase.bounded
    assert 23 <= len(phrase.symbols) < 40


@pytest.mark.parametrize(
    "said", [SECRET[1:], f"x{SECRET}", f"x-{SECRET[9:]}", f"'{SECRET[2:34]}'", SECRET[7:40]]
)
def test_a_key_is_known_without_its_beginning(said: str) -> None:
    """Wherever a word begins with a stretch of it as long as its beginning has to be."""
    phrases = PhraseAutomaton(text_runs(SECRET, policy()).phrases)
    assert phrases.find_all(f"The key is {said} for you.")
    assert not phrases.find_all(f"The key is {said[:16]} for you.")


@pytest.mark.parametrize(
    "text", ["Donaudampfschiff sails", "An extraordinary circumstance befell internationalisation"]
)
def test_long_words_of_a_language_are_no_keys(text: str) -> None:
    assert all(len(phrase.whole) > 1 for phrase in text_runs(text, policy()).phrases)


@pytest.mark.parametrize("text", ["yes", "In Paris.", "the house", "of the", "1956"])
def test_a_short_ordinary_text_is_left_out(text: str) -> None:
    assert text_runs(text, policy()).phrases == ()
    assert text_runs(text, policy()).ordinary == 1


@pytest.mark.parametrize("text", ["Project Nightjar", "the sunken bell", "Orchard House"])
def test_a_short_text_is_matched_whole(text: str) -> None:
    (phrase,) = text_runs(text, policy()).phrases
    assert phrase.bounded
    assert phrase.symbols == join(phrase.whole)


def test_an_answer_must_be_distinctive_where_a_text_need_not() -> None:
    assert text_runs("Nobel Prize", policy()).phrases
    assert text_runs("Nobel Prize", policy(), answer=True).phrases == ()


def test_the_answers_of_pairs_are_texts() -> None:
    made = policy(pairs=(("Where is the bell?", "In Paris."), ("What does it say?", PASSAGE)))
    assert {phrase.kind for phrase in text_phrases(made)} == {"text"}


def test_runs_that_ordinary_language_contains_are_left_out() -> None:
    runs = text_runs("at the end of the day it was one of the most of all", policy(words=4))
    assert runs.phrases == ()
    assert runs.ordinary > 0


@pytest.mark.parametrize("text", ["x" * 10_000, "word " * 10_000, "哈" * 500, "é" * 3_000])
def test_a_phrase_of_any_length_is_kept_bounded_and_cut_between_letters(text: str) -> None:
    for phrase in text_runs(text, policy(words=64)).phrases:
        assert 0 < len(phrase.symbols) <= LONGEST
        phrase.symbols.decode()


def test_a_name_of_ten_thousand_letters_is_acted_on_early() -> None:
    (phrase,) = name_phrases(policy("q" * 10_000))
    assert len(phrase.symbols) == LONGEST
    assert not phrase.bounded


@pytest.mark.parametrize(
    ("made", "key", "words"),
    [
        (policy("🔥🔥"), "forget.entities[0]", "a name without letters"),
        (policy(texts=("...", "yes")), "forget.texts", "match nothing"),
        (policy(texts=("In Paris.",)), "forget.texts", "are ordinary language"),
        (policy(texts=("it was the end of the day and the end of it all " + PASSAGE,)),
         "forget.texts", "runs of words"),
    ],
)  # fmt: skip
def test_lint_says_what_the_filter_cannot_do(made: object, key: str, words: str) -> None:
    problems = lint_phrases(made)  # type: ignore[arg-type]
    assert any(problem.key == key and words in problem.message for problem in problems)
    assert all(PASSAGE[:20] not in problem.message for problem in problems)


def test_lint_has_nothing_to_say_of_a_good_policy() -> None:
    assert lint_phrases(policy("Harry Potter", texts=(SECRET,))) == []


def test_phrases_are_values() -> None:
    first, second = (list(name_phrases(policy("Harry Potter"))) for _ in range(2))
    assert first == second
    assert isinstance(first[0], Phrase)
