"""base64, hexadecimal, ROT13 and text backwards: found, mapped back, never held for long."""

from __future__ import annotations

import base64
import codecs
import hashlib
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.restrict import Match, PhraseAutomaton, Scanner
from guard.restrict.decodings import MAX_DEPTH
from guard.restrict.runs import WHOLE
from tests.support.policies import PASSAGE, SECRET, automaton

PHRASES = automaton("Harry Potter", "Hina", "哈利波特", "Ilse Vinogradova", texts=(PASSAGE, SECRET))
WRITTEN = PhraseAutomaton(replace(phrase, mirrored=False) for phrase in PHRASES.phrases)
NAME = "Harry Potter"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def wrapped(text: str, width: int, end: str = "\n") -> str:
    return end.join(text[i : i + width] for i in range(0, len(text), width))


def rot13(text: str) -> str:
    return codecs.encode(text, "rot13")


def separated(text: str, separator: str) -> str:
    return text.encode().hex(separator)


ENCODED = {
    "standard": b64(NAME),
    "in a sentence": b64("I met Harry Potter today, twice"),
    "no padding": b64("hi Harry Potter").rstrip("="),
    "URL alphabet": base64.urlsafe_b64encode("哈利波特?>>".encode()).decode(),
    "another script": b64("我爱哈利波特吗"),
    "disguised inside": b64("H4rry P\u043etter"),
    "invisible inside": b64("Har\u200bry Pot\u00adter"),
    "a word at a time": b64("Harry") + " " + b64("Potter"),
    "a word at a time, no padding": b64("Harry").rstrip("=") + ", " + b64("Potter"),
    "wrapped": wrapped(b64("I think that Harry Potter was there"), 8),
    "wrapped with CRLF": wrapped(b64("I think that Harry Potter was there"), 12, "\r\n"),
    "wrapped inside JSON": wrapped(b64("I think that Harry Potter was there"), 8, "\\n"),
    "wrapped anyhow": wrapped(
        base64.b64encode(random.Random(5).randbytes(60) + b" Harry Potter was there").decode(), 19
    ),
    "after binary": b64("\x00\x01\x02\x03 Harry Potter"),
    "after a letter": "x" + b64("Of course, Harry Potter"),
    "in a URL": "data:text/plain;base64," + b64("so Harry Potter"),
    "twice": b64(b64(NAME)),
    "hexadecimal in base64": b64(NAME.encode().hex()),
    "base64 in hexadecimal": b64(NAME).encode().hex(),
    "backwards in base64": b64(NAME[::-1]),
    "hexadecimal": NAME.encode().hex(),
    "capital digits": NAME.encode().hex().upper(),
    "pairs": separated(NAME, " "),
    "pairs with colons": separated(NAME, ":"),
    "pairs with 0x": " ".join(f"0x{byte:02x}" for byte in NAME.encode()),
    "a list of 0x": ", ".join(f"0x{byte:02X}" for byte in NAME.encode()),
    "after other bytes": "7f454c4602010100" + NAME.encode().hex(),
    "ROT13": rot13(NAME),
    "backwards": NAME[::-1],
    "each word backwards": "yrraH rettoP",
    "backwards and leet": "r3tt0P yrr4H",
}


@pytest.mark.parametrize("text", ENCODED.values(), ids=ENCODED.keys())
def test_a_name_is_found_in_this_encoding(text: str) -> None:
    for embedded in (text, f"It says {text} there", f"({text})", f'{{"a": "{text}"}}'):
        matches = PHRASES.find_all(embedded)
        assert matches, embedded
        first = matches[0]
        assert embedded.index(text) <= first.start < first.end <= embedded.index(text) + len(text)


@pytest.mark.parametrize(
    "text",
    [b64(SECRET), rot13(SECRET), SECRET[::-1], SECRET.encode().hex(), b64(b64("k: " + SECRET))],
)
def test_a_secret_is_cut_at_its_beginning(text: str) -> None:
    embedded = f"The key is {text}."
    match = min(PHRASES.find_all(embedded), key=lambda match: match.start)
    assert match.start <= len("The key is ") + (8 if "k: " in text else 12)
    assert match.end < len(embedded) - 1


@pytest.mark.parametrize("text", [PASSAGE[::-1], rot13(PASSAGE), b64(PASSAGE)])
def test_a_passage_is_found(text: str) -> None:
    assert PHRASES.find_all(text)
    assert PHRASES.find_all(text[: len(text) * 2 // 3])


def _random_bytes(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


HARMLESS = {
    "an image": "data:image/png;base64," + base64.b64encode(_random_bytes(1, 20_000)).decode(),
    "a wrapped key": wrapped(base64.b64encode(_random_bytes(2, 3_000)).decode(), 64),
    "a token": ".".join(
        base64.urlsafe_b64encode(part).rstrip(b"=").decode()
        for part in (b'{"alg":"HS256","typ":"JWT"}', b'{"sub":"42"}', _random_bytes(3, 32))
    ),
    "digests": "\n".join(hashlib.sha256(bytes([i])).hexdigest() for i in range(200)),
    "base64 of other text": b64("Harry met somebody else, not the potter."),
    "a longer name": b64("Harry Potterverse"),
    "numbers": " ".join(map(str, range(3_000))),
    "a short name by chance": b64("Hina"),
    "ROT13 of other words": rot13("a letter to nobody"),
    "paths": "/usr/share/doc/python3/README.Debian and src/main/java/org/Example.java",
    "code": "def getValueOfItem(self): return self._cache[key] if key else b64decode(dead_beef)",
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS.keys())
def test_other_encoded_text_is_not_touched(text: str) -> None:
    assert PHRASES.find_all(text) == []


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS.keys())
def test_a_blob_streams_on(text: str) -> None:
    scanner = Scanner(PHRASES)
    longest = 0
    for start in range(0, len(text), 3):
        scanner.feed(text[start : start + 3])
        longest = max(longest, scanner.position - scanner.live)
    assert longest <= 64


fragments = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *ENCODED.values(),
                *(b64(SECRET), rot13(PASSAGE), "SGFy", "cnkg", "=", " ", "\n", "\\n", "\\", "-"),
                *("48 61", "0x4", "x", "4861727279", "Harry ", "the ", "internationalisation "),
                "iVBORw0KGgoAAAANSUhEUg",
            ]
        ),
        st.binary(max_size=9).map(lambda raw: base64.b64encode(raw).decode()),
        st.text("SGFycnkgUG90dGVyab4 =/-\n", max_size=8),
        st.text(max_size=4),
    ),
    max_size=6,
).map("".join)


def _key(match: Match) -> tuple[int, int, bytes]:
    return match.start, match.end, match.phrases[0].symbols


@settings(max_examples=400, deadline=None)
@given(fragments, st.lists(st.integers(0, 10_000), max_size=12))
def test_matches_do_not_depend_on_how_the_text_is_cut(text: str, cuts: list[int]) -> None:
    scanner = Scanner(PHRASES)
    found: list[Match] = []
    gone = 0  # what has been let go; of an encoding inside one, fewer than `WHOLE` characters
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    for start, end in pairwise(places):
        new = scanner.feed(text[start:end])
        assert all(match.start > gone - WHOLE for match in new), "too much had been let go"
        found += new
        assert scanner.live <= scanner.position == end
        gone = max(gone, scanner.live)
    new = scanner.flush()
    assert all(match.start > gone - WHOLE for match in new)
    assert sorted([*found, *new], key=_key) == sorted(PHRASES.find_all(text), key=_key)


@pytest.mark.parametrize(
    "name", [NAME, "H4rry Potter", "\u041darry P\u043etter", "H.arry-Potter", "harry potter"]
)
@pytest.mark.parametrize("before", ["", " ", '"', "so ", "(I, "])
@pytest.mark.parametrize(
    "encode", [b64, lambda text: text.encode().hex(), rot13, lambda t: t[::-1]]
)
def test_not_a_character_of_an_encoded_or_mirrored_phrase_is_let_go(
    encode: Callable[[str], str], before: str, name: str
) -> None:
    if encode is rot13 and name not in (NAME, "H.arry-Potter", "harry potter"):
        name = NAME  # ROT13 of look-alikes is not found
    text = f"It is {encode(before + name)}"
    scanner, gone, found = Scanner(PHRASES), 0, []
    for char in f"{text} then":
        for match in (new := scanner.feed(char)):
            assert match.start >= gone
        found += new
        gone = max(gone, scanner.live)
    assert found


@settings(max_examples=200, deadline=None)
@given(fragments)
def test_of_a_phrase_as_it_is_written_nothing_is_let_go(text: str) -> None:
    plain, scanner = Scanner(WRITTEN, MAX_DEPTH), Scanner(PHRASES)
    gone = 0
    for char in text:
        assert all(match.start >= gone for match in plain.feed(char))
        scanner.feed(char)
        gone = max(gone, scanner.live)
    assert all(match.start >= gone for match in plain.flush())


@pytest.mark.parametrize(
    "text", ["It was g", "the nightjar L", "on 30", "she sees it as I do b", "also"]
)
def test_the_last_word_of_ordinary_text_does_not_wait(text: str) -> None:
    scanner = Scanner(automaton("Harry Potter"))
    scanner.feed(text)
    assert scanner.live == len(text)


def test_a_letter_that_a_phrase_may_begin_with_waits() -> None:
    for text in ("It was a", "It was S", "It was 4"):  # h and H in base64, h in hexadecimal digits
        scanner = Scanner(automaton("Harry Potter"))
        scanner.feed(text)
        assert scanner.live == len(text) - 1


@settings(max_examples=100, deadline=None)
@given(fragments)
def test_one_character_at_a_time_is_the_same(text: str) -> None:
    scanner = Scanner(PHRASES)
    found = [match for char in text for match in scanner.feed(char)] + scanner.flush()
    assert sorted(found, key=_key) == sorted(PHRASES.find_all(text), key=_key)


@settings(max_examples=200, deadline=None)
@given(st.text("abyz AZ09,.-\n'éж漢", max_size=12), st.text(max_size=12))
def test_base64_of_any_text_with_the_name_is_found(before: str, after: str) -> None:
    text = f"{before} {NAME} {after}"
    encoded = b64(text)
    assert any(m.phrases[0].symbols == b"harry potter" for m in PHRASES.find_all(encoded))


@pytest.mark.parametrize(
    "text",
    ["SGFy" * 20_000, "4861" * 20_000, "48 " * 20_000, b64("H " * 20_000), "U0dG" * 20_000],
)
def test_adversarial_text_is_read_to_its_end(text: str) -> None:
    scanner = Scanner(PHRASES)
    scanner.feed(text)
    assert scanner.position == len(text)
    assert scanner.position - scanner.live < 1_000
