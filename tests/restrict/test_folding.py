"""Folding: what each character stands for, and where the shipped tables come from."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from guard.restrict.folding import code_points, fold_tables, fold_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Harry Potter", ["harry", "potter"]),
        ("Basil Mahfouz Al-Kuwaiti", ["basil", "mahfouz", "al", "kuwaiti"]),
        ("Maria Skłodowska-Curie", ["maria", "sklodowska", "curie"]),
        ("O'Brien’s", ["o", "brien", "s"]),
        ("B. M. Al-Kuwaiti", ["b", "m", "al", "kuwaiti"]),
        ("Straße", ["strasse"]),
        ("ÆSIR Øystein đom ıyi", ["aesir", "oystein", "dom", "iyi"]),
        ("İstanbul", ["istanbul"]),
        ("ｆｕｌｌ ＷＩＤＴＨ", ["full", "width"]),
        ("𝐛𝐨𝐥𝐝 𝒾𝓉𝒶𝓁𝒾𝒸 🅱🅾🆇", ["bold", "italic", "box"]),
        ("e\u0301te\u0301", ["ete"]),
        ("zero\u200bwidth soft\u00adhyphen", ["zerowidth", "softhyphen"]),
        ("٠١٢ ०१२", ["012", "012"]),
        ("Гарри Поттер", ["гарри", "поттер"]),
        ("哈利波特", ["哈", "利", "波", "特"]),
        ("ハリー", ["ハ", "リ", "ー"]),
        ("해리", ["해", "리"]),
        ("हिन्दी", ["हिन्दी"]),
        ("", []),
        ("... --- !!!", []),
        ("🔥🔥", []),
    ],
)
def test_a_text_folds_to_the_words_its_author_meant(text: str, words: list[str]) -> None:
    assert [word.decode() for word in fold_words(text)] == words


@pytest.mark.parametrize("text", ["\ud800 lone", "\x00nul\x00", "\u202eright to left\u202c"])
def test_odd_code_points_do_not_break_folding(text: str) -> None:
    assert all(fold_words(text))


def test_code_points_keep_lone_surrogates_apart() -> None:
    assert code_points("a\ud83d").tolist() == [0x61, 0xD83D]


def test_every_symbol_is_lower_case_letters_digits_or_other_script() -> None:
    for point in range(0x250):
        for word in fold_words(chr(point)):
            assert word.decode().islower() or not word.decode().isascii() or word.isdigit(), chr(
                point
            )


@pytest.mark.skipif(
    unicodedata.unidata_version != fold_tables().unicode_version,
    reason="the tables were made with another interpreter's Unicode",
)
def test_the_shipped_tables_are_what_the_script_makes() -> None:
    from scripts.fold_tables import make

    shipped = fold_tables()
    for name, array in make().items():
        if name != "unicode_version":
            assert np.array_equal(array, getattr(shipped, name)), name
