"""Names that are almost right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers import NearNames, Subject
from classifiers.near_names import ENOUGH, SLIP, slips
from classifiers.words import bits

NEAR = NearNames(
    [
        Subject(1, ("Basil Mahfouz Al-Kuwaiti",)),
        Subject(2, ("Takashi Nakamura", "The Quiet One of Nara")),
        Subject(3, ("Ji-Yeon Park",)),
        Subject(4, ("Madonna",)),
    ]
)
ALL = frozenset({1, 2, 3, 4})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who is Basil Mahfuz Al-Kuwaity?", [1]),
        ("Al-Kuwaiti, Basil", [1]),
        ("Basil M. Al-Kuwaiti", [1]),
        ("basil al kuwaiti", [1]),
        ("Who is B. M. Al-Kuwaiti?", [1]),
        ("B. M. Al-Kuwaiti's books", [1]),
        ("Takasi Nakamura's novels", [2]),
        ("takahsi nakamurra", [2]),
        ("Park Ji-Yeon", [3]),
        ("Ji-Yeon Soo", []),
        ("J. Park", []),
        ("Nakamura alone", []),
        ("Takashi went home. Much later, and elsewhere, we met a Nakamura.", []),
        ("Madona", []),
        ("Basil and tomatoes from Kuwait", []),
        ("x" * 5000, []),
        ("", []),
    ],
)
def test_names_nearly_there(text, expected):
    assert [signal.subject for signal in NEAR([text], ALL)] == expected


def test_only_the_subjects_asked_about_answer():
    assert NEAR(["Takasi Nakamura"], frozenset({1})) == []
    (signal,) = NEAR(["Takasi Nakamura", "Takashi Nakamura"], ALL)
    assert (signal.name, signal.score, signal.fired) == ("near_name", 1.0, True)


def test_among_very_many_subjects_more_must_be_there():
    def asked(text: str, many: int) -> list[int]:
        return [signal.subject for signal in NEAR([text], frozenset(range(many)))]

    assert asked("Who is Basil Mahfuz Al-Kuwaity?", 1_000_000) == [1]
    assert asked("takahsi nakamurra", 64) == [2]  # three slips away
    assert asked("takahsi nakamurra", 10_000) == []


@pytest.mark.parametrize(
    ("word", "part", "expected"),
    [
        ("nakamura", "nakamura", 0),
        ("nakamrua", "nakamura", 1),
        ("nakmuraa", "nakamura", 2),
        ("park", "perk", 1),
        ("lee", "lea", None),
        ("parks", "pike", None),
    ],
)
def test_slips(word, part, expected):
    assert slips(word, part) == expected


@given(st.text("abcdefgh", min_size=4, max_size=12), st.data())
def test_one_slip_anywhere_in_a_word_is_found(word, data):
    near = NearNames([Subject(7, (f"{word} Qzxvkowalski",))])
    at = data.draw(st.integers(0, len(word)))
    slipped = data.draw(st.sampled_from([word[:at] + word[at + 1 :], word[:at] + "z" + word[at:]]))
    tells = bits(word) + bits("qzxvkowalski") - SLIP >= ENOUGH  # a common word may tell too little
    if slips(slipped, word) is not None and tells:
        assert near([f"ask {slipped} Qzxvkowalski now"], frozenset({7}))
