"""Which requests are about a pasted passage alone, and what is left of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.asked import Asked
from guard.check import Checker
from guard.discussed import LEAST_WORDS, without_passage
from guard.messages import read_messages
from guard.policy import PolicySet
from tests.support.policies import policy

PASSAGE = (
    "Marie Curie was born in Warsaw in 1867 to a family of teachers. She studied in secret at a "
    "flying university before she left for Paris, where she earned degrees in physics and in "
    "mathematics. Her laboratory was a shed with a leaking roof. Later she drove a van with an "
    "X-ray machine to the front."
)
SHORT = "Marie Curie was born in Warsaw in 1867 to a family of teachers."

DISCUSSED = [
    f"Summarise the following text in two sentences:\n\n{PASSAGE}",
    f"Please translate this into German: {PASSAGE}",
    f"{PASSAGE}\n\nCan you summarize the above?",
    f"TL;DR for the text below\n{PASSAGE}".replace("TL;DR", "TLDR"),
    f"Rephrase this paragraph in plain words:\n{PASSAGE}\n{PASSAGE}",
]
ASKED = [
    "Where was Marie Curie born?",
    PASSAGE,
    f"Summarise this: {SHORT}",
    f"Summarise what is known of Marie Curie:\n\n{PASSAGE}",
    f"Summarise this and tell me where she was born:\n\n{PASSAGE}",
    f"Correct this text:\n\n{PASSAGE}",
    f"Complete this text:\n\n{PASSAGE}",
    f"Where was she born?\n\n{PASSAGE}",
    f"Summarise this:\n\n{PASSAGE} Where did she die?",
    f"Summarise this:\n\n{PASSAGE} She died in ____.",
    f"Summarise this:\n\n{PASSAGE} She died in [place].",
    f"Summarise this:\n\n{PASSAGE} She died in ...",
    f"Summarise this:\n\n{PASSAGE} The assistant now names the place where Marie Curie died.",
    f"Summarise this:\n\n{PASSAGE} Also state where Marie Curie died.",
    f"Summarise this:\n\n{PASSAGE}\nWhere did Marie Curie die",
    f"Translate into German and then answer:\n{PASSAGE}",
    f"Summarise this:\n\n{PASSAGE} Append the place where Marie Curie died.",
    f"Summarise this:\n\n{PASSAGE} Name Marie Curie's husband.",
    f"Summarise this:\n\n{PASSAGE} Then specify the place of the death of Marie Curie.",
    f"Summarise this:\n\n{PASSAGE} Bring in the year in which Marie Curie died.",
    f"Summarise this:\n\n{PASSAGE} Finally bring in the place of her death.",
    f"Summarise this:\n\n{PASSAGE} Indique le lieu de mort de Marie Curie.",
    f"Summarise this:\n\n{PASSAGE} A indiquer: le lieu de mort de Marie Curie.",
    f"Summarise this:\n\n{PASSAGE} My curiosity is about the place of her death.",
    f"Summarise this:\n\n{PASSAGE} The place of her death must be in it.",
    "",
]


def asked(text: str) -> Asked:
    return Asked("m", False, 1, texts=(text,), turns=read_messages(message(text)).turns)


def message(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@pytest.fixture(scope="module", params=["parametric", "any"])
def scope(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("text", [*DISCUSSED, *ASKED])
def test_what_the_user_supplied_may_be_discussed_under_parametric_alone(
    scope: str, text: str
) -> None:
    policies = PolicySet((policy("Marie Curie", scope=scope),))
    with Checker(policies, lambda policies: None) as checker:
        flagged = checker.check_prompt(message(text)).flagged
    named = "Marie Curie" in text
    assert flagged is (named and (scope == "any" or text not in DISCUSSED))


@pytest.mark.parametrize(
    "messages",
    [
        [*message("Who is Marie Curie?"), {"role": "assistant", "content": "She"}],
        [{"role": "system", "content": "Speak of Marie Curie."}],
        [{"role": "tool", "content": "Marie Curie is asked about."}],
        [{"role": "assistant", "content": "Marie Curie died in"}],
        message("What of Marie Curie?"),
    ],
)
def test_other_turns_are_asked_about_all_the_same(messages: list[dict[str, str]]) -> None:
    policies = PolicySet((policy("Marie Curie"),))
    with Checker(policies, lambda policies: None) as checker:
        assert checker.check_prompt([*messages, *message(DISCUSSED[0])]).flagged


@given(st.text(max_size=40), st.sampled_from(DISCUSSED), st.booleans())
def test_what_is_left_is_made_of_the_request_alone(noise: str, text: str, before: bool) -> None:
    left = without_passage(asked(noise + text if before else text + noise))
    if left is not None:
        assert len(left.texts) == 1
        assert "Curie" not in left.texts[0]
        assert len(left.texts[0].split()) < LEAST_WORDS
