"""What the short answers of a policy say, beside its texts."""

from __future__ import annotations

from typing import Any

import pytest

from guard.policy import Pair, Policy
from guard.policy.compiled import Restrict
from guard.restrict import PhraseAutomaton, telling, value_phrases
from tests.support.policies import policy


def made(*pairs: tuple[str, str], **fields: Any) -> Policy:
    return policy("Alma Brekke", pairs=pairs, **{"action": "restrict", **fields})


def values(of: Policy) -> list[str]:
    return [b" ".join(phrase.whole).decode() for phrase in value_phrases(of)]


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("Where was Alma Brekke born?", "In Tromsø.", ["tromso"]),
        ("Where was Alma Brekke born?", "Alma Brekke was born in Tromsø.", ["tromso"]),
        (
            "What is her mother's trade?",
            "Her mother is a lighthouse keeper.",
            ["lighthouse keeper"],
        ),
        ("Was it so?", "Yes, it was.", []),
        ("When was Alma born?", "She was born in 1961, in Tromsø.", ["1961", "tromso"]),
        ("What was her first book called?", "Alma Brekke.", []),
        ("Tell me of her.", "She wrote poems in Tromsø, farmed reindeer and built harbours.", []),
        ("Who?", " ".join(["Tromsø", *["is a town that people know of"] * 2]), []),
    ],
)
def test_the_values_of_an_answer(question: str, answer: str, expected: list[str]) -> None:
    assert values(made((question, answer))) == expected


def test_what_is_to_be_kept_is_no_value() -> None:
    kept = (Pair("Where is the harbour?", "In Tromsø."),)
    assert values(made(("Where was Alma born?", "In Tromsø."), retain_pairs=kept)) == []


@pytest.mark.parametrize(
    "fields", [{"action": "refuse"}, {"restrict": Restrict(meaning=None)}], ids=str
)
def test_answers_that_nobody_reads_for_meaning_have_none(fields: dict[str, Any]) -> None:
    assert values(made(("Where was Alma born?", "In Tromsø."), **fields)) == []


def test_a_sentence_tells_unless_the_client_did() -> None:
    automaton = PhraseAutomaton(value_phrases(made(("Where was Alma born?", "In Tromsø."))))
    sentences = ["It is a town.", "She comes from T r o m s o !", "Tromsoe is near."]
    assert telling(automaton, sentences, ["Where was Alma born?"]) == [False, True, False]
    assert telling(automaton, sentences, ["Is it Tromsø?"]) == [False] * 3
    assert telling(PhraseAutomaton(()), sentences, []) == [False] * 3
