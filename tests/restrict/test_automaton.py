"""What counts as a match: names and texts in every disguise, and what only looks like one."""

from __future__ import annotations

import gc
import weakref
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.restrict import Match, PhraseAutomaton, Scanner
from tests.support.policies import PASSAGE, SECRET, automaton

POTTER = automaton("Harry Potter", "Hina", "Andor", "Will Power", "哈利波特", "Ива")
TEXTS = automaton(texts=(PASSAGE, SECRET))

TAGS = "".join(chr(0xE0000 + ord(char)) for char in "Harry Potter")

DISGUISES = [
    "Harry Potter",
    "HARRY POTTER",
    "harry potter",
    "hARRY pOTTER",
    "HarryPotter",
    "harrypotter",
    "Harry  Potter",
    "Harry\nPotter",
    "Harry\tPotter",
    "Harry\u00a0Potter",
    "Harry-Potter",
    "Harry_Potter",
    "Harry, Potter",
    "Harry Potter's",
    "“Harry Potter”",
    "H\u0430rry P\u043etter",
    "Нarry Potter",
    "Ｈａｒｒｙ Ｐｏｔｔｅｒ",
    "𝐇𝐚𝐫𝐫𝐲 𝐏𝐨𝐭𝐭𝐞𝐫",
    "Ⓗⓐⓡⓡⓨ Ⓟⓞⓣⓣⓔⓡ",
    "🅷🅰🆁🆁🆈 🅿🅾🆃🆃🅴🆁",
    "H\u0301a\u0301rry Po\u0308tter",
    "Har\u200bry Pot\u200bter",
    "Har\u00adry Pot\u00adter",
    "H\u2060a\u2060r\u2060r\u2060y Potter",
    "\u202eHarry Potter\u202c",
    "Har\ufe0fry Pot\ufe0fter",
    "Harry" + TAGS[:3] + " Potter",
    TAGS,
    "H4rry P0tt3r",
    "H@rry P0773r",
    "H a r r y  P o t t e r",
    "H.a.r.r.y P.o.t.t.e.r",
    "H-a-r-r-y-P-o-t-t-e-r",
    "H🔥a🔥r🔥r🔥y 🔥Potter",
    "**Har**ry Potter",
    "_Harry_ `Potter`",
    "Har-ry Pot-ter",
    "&#72;arry &#x50;otter",
    "Harry&nbsp;Potter",
    "H&aacute;rry Potter",
    "%48arry%20Potter",
    "Harry%C2%A0Potter",
    "\\u0048arry\\nPotter",
    "\\ud835\\udc07arry Potter",
    "\\x48arry Potter",
    '{\\"first\\":\\"Harry\\",\\n\\"last\\"',
]


@pytest.mark.parametrize("text", DISGUISES[:-1])
def test_a_name_is_found_in_this_disguise(text: str) -> None:
    for embedded in (text, f"I met {text} today.", f"({text})"):
        matches = POTTER.find_all(embedded)
        assert [match.phrases[0].symbols for match in matches] == [b"harry potter"], embedded


@pytest.mark.parametrize(
    "text",
    [
        "Potterverse",
        "Harry Potterverse",
        "Debharry Potter",
        "Harry met Potter",
        "Harry Pot",
        "Potter Harry",
        "China",
        "machina and rhinal",
        "HINAtest",
        "NASAHina",
        "7Hina",
        "vonhina",
        "Hinaverse",
        "Hina7",
        "and/or",
        "willpower",
        "the hin a",
        "Har ry Potter",
        "Harry Pottering",
        "Иванов",
        "哈利 is not 波特",
        "harry 7 potter",
        "",
    ],
)
def test_this_is_not_the_name(text: str) -> None:
    assert POTTER.find_all(text) == []


@pytest.mark.parametrize("text", ["Will Power", "will  power", "Is it Will-Power?"])
def test_two_words_that_glued_are_an_ordinary_word_must_stand_apart(text: str) -> None:
    assert POTTER.find_all(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("HarryHarry Potter", "Harry Potter"),
        ("DrHarry Potter", "Harry Potter"),
        ("Harry PotterSays", "Harry Potter"),
        ("Harry PotterHarry", "Harry Potter"),
        ("saysHARRYPotterWas", "HARRYPotter"),
        ("chinaHina", "Hina"),
        ("getHinaName()", "Hina"),
        ("vonH\u0456na", "H\u0456na"),
        ("vo\u0301n\u200bHina", "Hina"),
        ("\u00e9Hina", "Hina"),
        ("sieheHinaÄhnlich", "Hina"),
        ("von\U0001d407\U0001d422\U0001d427\U0001d41a", "\U0001d407\U0001d422\U0001d427\U0001d41a"),
        ("изИва", "Ива"),
        ("ИваЯ", "Ива"),
        ("שלוםHina", "Hina"),
        ("vo%6eHina", "Hina"),
        ("vo&#110;Hina", "Hina"),
        ("von%48ina", "%48ina"),
        ("x%20hina", "hina"),
        ("x\\nhina", "hina"),
        ("Hina%41", "Hina"),
    ],
)
def test_a_change_to_upper_case_begins_a_word_and_ends_one(text: str, found: str) -> None:
    matches = POTTER.find_all(text)
    assert [text[match.start : match.end] for match in matches] == [found]


@pytest.mark.parametrize("text", ["我爱哈利波特吗", "哈 利 波 特", "x哈利波特y"])
def test_an_unspaced_script_needs_no_boundaries(text: str) -> None:
    assert [match.phrases[0].whole for match in POTTER.find_all(text)] == [
        tuple(char.encode() for char in "哈利波特")
    ]


def test_offsets_are_raw_code_points() -> None:
    text = "𝐱𝐲 \u200bHar\u200bry Potter!"
    (match,) = POTTER.find_all(text)
    assert text[match.start : match.end] == "Har\u200bry Potter"


def test_more_invisible_characters_than_any_writer_needs_are_a_disguise() -> None:
    (match,) = POTTER.find_all("He is Har" + "\u200b" * 10_000 + "ry Potter")
    assert match.start == 6


def test_after_a_long_gap_only_the_end_of_a_name_is_cut() -> None:
    text = "Harry" + " " * 200 + "Potter"
    (match,) = POTTER.find_all(text)
    assert text[match.start :] == "Potter"


@pytest.mark.parametrize("start", range(12))
def test_a_passage_is_found_from_any_word_on(start: int) -> None:
    words = PASSAGE.split()
    quoted = " ".join(words[start : start + 8])
    matches = TEXTS.find_all(f"It says: {quoted} and so on")
    assert matches
    assert matches[0].start >= len("It says: ")


def test_a_text_is_acted_on_at_its_distinctive_point() -> None:
    # The first of several: a key is known from every later character on too.
    match = min(TEXTS.find_all(f"The key is {SECRET}."), key=lambda match: match.start)
    assert match.start == len("The key is ")
    acted = match.end - match.start
    assert len(SECRET) / 2 <= acted <= len(SECRET) * 0.75
    assert TEXTS.find_all(f"The key is {SECRET[: acted - 1]} or so.") == []


@pytest.mark.parametrize(
    "text",
    [
        "The nightjar is a bird that sings at night over the harbour.",
        "Tobias counts lanterns.",
        "one by one, and nobody in the village remembers why",
        "sk-9f8a7b6c",
    ],
)
def test_ordinary_words_of_a_passage_are_not_it(text: str) -> None:
    assert TEXTS.find_all(text) == []


def _place(match: Match) -> tuple[int, int, bytes]:
    return match.start, match.end, match.phrases[0].symbols


def feed_in_pieces(phrases: PhraseAutomaton, text: str, cuts: list[int]) -> list[Match]:
    scanner = Scanner(phrases)
    found: list[Match] = []
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    for start, end in pairwise(places):
        found += scanner.feed(text[start:end])
        assert scanner.live <= scanner.position
    return found + scanner.flush()


fragments = st.lists(
    st.one_of(
        st.sampled_from(
            [*DISGUISES, PASSAGE, SECRET, "Harry", "xHina", " ", "&", "%4", "\\u00", "\u200b"]
        ),
        st.sampled_from(["Har", "ry", "=4", "8arry", "=\r", "\n", '"', '\\"', " + ", "'", "=C4="]),
        st.text(max_size=6),
    ),
    max_size=6,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(fragments, st.lists(st.integers(0, 10_000), max_size=12))
def test_matches_do_not_depend_on_how_the_text_is_cut(text: str, cuts: list[int]) -> None:
    both = automaton("Harry Potter", "Hina", texts=(PASSAGE, SECRET))
    pieces, whole = feed_in_pieces(both, text, cuts), both.find_all(text)
    assert sorted(pieces, key=_place) == sorted(whole, key=_place)


@settings(max_examples=200, deadline=None)
@given(fragments, st.integers(0, 10_000))
def test_what_lies_before_the_live_point_is_never_part_of_a_later_match(text: str, at: int) -> None:
    both = automaton("Harry Potter", "Hina", texts=(PASSAGE, SECRET))
    scanner = Scanner(both)
    scanner.feed(text[: at % (len(text) + 1)])
    live = scanner.live
    later = scanner.feed(text[at % (len(text) + 1) :]) + scanner.flush()
    assert all(match.start >= live for match in later)


@pytest.mark.parametrize(
    "text",
    [
        "a a " * 20_000,
        "aa" * 40_000,
        "Harry " * 10_000,
        "&" * 80_000,
        "%4" * 40_000,
        "\\u00" * 20_000,
        "H" + "\u0301" * 60_000,
        "1l|i" * 20_000,
    ],
)
def test_adversarial_text_is_read_to_its_end(text: str) -> None:
    phrases = automaton("Harry Potter", *(f"a a a {'a ' * n}b" for n in range(60)), "a" * 180)
    scanner = Scanner(phrases)
    scanner.feed(text)
    assert scanner.position == len(text)


def test_a_hundred_overlapping_matches_at_one_place_are_all_reported() -> None:
    names = [f"alpha {'beta ' * n}" for n in range(100)]
    phrases = automaton(*names)
    text = "alpha " + "beta " * 99
    assert {match.phrases[0].symbols for match in phrases.find_all(text)} == {
        phrase.symbols for phrase in phrases.phrases
    }


def test_an_automaton_goes_with_its_last_reference_once_it_has_read_a_text() -> None:
    """Some live for one request, and a collection that would find them may be minutes away."""
    phrases = automaton("Harry Potter")
    assert phrases.find_all("Harry Potter, and SGFycnkgUG90dGVy")
    gone = weakref.ref(phrases)
    gc.disable()
    try:
        del phrases
        assert gone() is None
    finally:
        gc.enable()
