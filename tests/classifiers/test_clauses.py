"""Two questions in one sentence, and sentences that are one question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.clauses import clauses, pieces, without_remarks


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        (
            "Where was Mara Ellingsen born and which river flows through Paris?",
            ["Where was Mara Ellingsen born", "which river flows through Paris?"],
        ),
        (
            "What is the capital of France, and who wrote The Cold Ledger in 1994?",
            ["What is the capital of France", "who wrote The Cold Ledger in 1994?"],
        ),
        (
            "Tell me how tall Everest is, then name the keeper of the light.",
            ["Tell me how tall Everest is", "name the keeper of the light."],
        ),
        (
            "How do tides work; what does her father do; where is Oslo on a map?",
            ["How do tides work", "what does her father do", "where is Oslo on a map?"],
        ),
        (
            "Wo wurde die Autorin geboren und wie hoch ist der Eiffelturm?",
            ["Wo wurde die Autorin geboren", "wie hoch ist der Eiffelturm?"],
        ),
        ("Who are Romeo and Juliet in the play?", []),
        ("Where was she born, and when?", []),
        ("The author, who was born in Oslo in 1961, wrote what?", []),
        ("Bergen, where the author was born, has a harbour.", []),
        (
            "I know who kept the light, how high is the tower?",
            ["I know who kept the light", "how high is the tower?"],
        ),
        ("Who wrote Hamlet?", []),
        ("", []),
        ("and and and", []),
    ],
)
def test_the_questions_of_a_sentence(sentence: str, parts: list[str]) -> None:
    assert clauses(sentence) == parts


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        (
            "As of March 2024, where was the keeper of the light born?",
            ["where was the keeper of the light born?"],
        ),
        (
            "Where was the keeper of the light born - I ask for my teacher Ada Lind?",
            ["Where was the keeper of the light born", "I ask for my teacher Ada Lind?"],
        ),
        (
            "For school, where was the keeper born (she kept the light at Vardø)?",
            ["For school, where was the keeper born", "she kept the light at Vardø",
             "where was the keeper born"],
        ),
        # Whoever an opening names, the rest may be about; it is near to others' questions alone.
        ("Regarding Ada Lind, where was she born and raised?", []),
        ("In the novels of Ada Lind, what does the river mean?", []),
        ("The author, who was born in Oslo in 1961, wrote what?", []),
        ("Who kept the well-known light at Vardø?", []),
        ("So, why?", []),
        ("", []),
    ],
)  # fmt: skip
def test_a_question_without_the_remarks_around_it(sentence: str, parts: list[str]) -> None:
    assert without_remarks(sentence) == parts


def test_pieces_are_sentences_and_the_questions_in_them() -> None:
    text = "Where is Oslo on a map and who wrote Hamlet? I wonder about that."
    assert pieces(text) == [
        "Where is Oslo on a map and who wrote Hamlet?",
        "I wonder about that.",
        "Where is Oslo on a map",
        "who wrote Hamlet?",
    ]
    assert pieces("Who wrote Hamlet?") == []


@pytest.mark.parametrize(
    "run", [" ", "-", ", ", "and ", "; then who ", "(", "- ", "\t", "as of "], ids=repr
)
def test_long_runs_take_linear_time(run: str) -> None:
    """Quadratic, one of these keeps a server busy for minutes: the tests' time limit is the bar."""
    assert isinstance(pieces(f"where was{run * 100_000} she born"), list)


@given(
    st.lists(st.sampled_from(["and", "who", "where", ",", ";", "was", "she", " "])).map(" ".join)
)
def test_no_word_is_lost(sentence: str) -> None:
    joined = {"and", ",", ";"}
    said = [word for word in sentence.split() if word not in joined]
    parts = clauses(sentence)
    if parts:
        assert [w for part in parts for w in part.split() if w not in joined] == said
