"""What a disguised text says, and that honest text in any script is left as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.plain_reading import plain_reading

CYRILLIC = str.maketrans("aceopxyiAEOPCTHKMB", "асеорхуіАЕОРСТНКМВ")
PLAIN = "Where was Berta Zielinski born, and who taught her to weave?"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (PLAIN.translate(CYRILLIC), PLAIN),
        ("W\u04bbere was sh\u0435", "Where was she"),  # one letter of a word is enough
        ("𝐖𝐡𝐞𝐫𝐞 was 𝓈𝒽ℯ born", "Where was she born"),
        ("Ｗｈｅｒｅ was she born", "Where was she born"),
        ("wh\u200bere was sh\u00ade", "where was she"),
    ],
)
def test_a_disguise_comes_off(text: str, read: str) -> None:
    assert plain_reading(text) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        PLAIN,
        "Где родилась Берта Зелинская?",
        "Πού γεννήθηκε η Μπέρτα;",
        "Wo wurde Müller geboren, und wer ließ Zoë nähen?",
        "α-helix, 5 µm, x² and ½",
        "彼女はどこで生まれましたか",
        "أين وُلدت؟",
        "नमस्ते",
        "family: 👩\u200d👩\u200d👧",
        "\ud800",
    ],
)
def test_honest_text_has_no_other_reading(text: str) -> None:
    assert plain_reading(text) is None


@given(st.text())
def test_what_was_read_is_in_no_disguise(text: str) -> None:
    read = plain_reading(text)
    assert read is None or plain_reading(read) is None


@given(st.text(st.characters(max_codepoint=127)))
def test_a_text_of_look_alikes_is_read_as_it_was_meant(text: str) -> None:
    assert plain_reading(f"q\u0430 {text.translate(CYRILLIC)}") == f"qa {text}"
