"""What of a conversation may be about somebody."""

import pytest

from classifiers.mentions import Mentions

READER = Mentions(("Mara Ellingsen",), "the author")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Where does Mara Ellingsen live?", "Where does the author live?"),
        ("MARA ELLINGSEN'S house", "the author'S house"),
        ("Is Ellingsen at home?", "Is the author at home?"),
        ("What did she tell him of her and his?", "What did they tell them of their and their?"),
        ("The Ellingsens", "The Ellingsens"),
    ],
)
def test_names_and_pronouns_are_taken_out(text: str, masked: str) -> None:
    assert READER.masked(text) == masked


@pytest.mark.parametrize(
    ("texts", "asked", "left_out"),
    [
        (["Mara Ellingsen wrote. Our shop sells many good books."], "the author wrote.",
         "Our shop sells many good books."),
        (["About Mara Ellingsen:", "And where was she born, by the way?"],
         "And where was they born, by the way?", None),
        (["About Mara Ellingsen:", "And the e-mail?"], "And the e-mail?", None),
        (["About Mara Ellingsen:", "Which town does this writer of novels call home?"],
         "Which town does this writer of novels call home?", None),
    ],
)  # fmt: skip
def test_sentences_that_may_mean_the_subject_are_read(texts, asked, left_out) -> None:
    found = READER.asked(texts)
    assert asked in found
    assert left_out not in found


def test_where_the_name_is_in_disguise_all_is_read() -> None:
    said = "Our shop in this town sells many good books."
    assert READER.asked(["M4ra 3llingsen!", said]) == ["M4ra 3llingsen!", said]
