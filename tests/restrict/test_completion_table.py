"""Tables compiled ahead say what the walk of the vocabulary says, for every thread there can be."""

from __future__ import annotations

import random

import numpy as np
import pytest

from guard.restrict.automaton import PhraseAutomaton
from guard.restrict.completing import completing, new_scratch
from guard.restrict.completion_table import (
    NOTHING,
    PIECE,
    VARIANTS,
    CompletionTable,
    compile_table,
)
from guard.restrict.folding import fold_tables
from guard.restrict.letter_index import letter_index
from guard.restrict.outlook import outlook
from guard.restrict.phrases import Phrase
from guard.restrict.trie import Trie, build_trie
from guard.restrict.vocabulary import Vocabulary, build_vocabulary
from guard.restrict.word_start import AFTER_LOWER, AT_WORD, INSIDE, WORD_STARTS
from tests.restrict.test_token_guard import PHRASES, VOCABULARY, phrase

INDEX = letter_index(VOCABULARY)


def trie_of(phrases: list[Phrase]) -> Trie:
    return build_trie([p.symbols for p in phrases], [p.flag for p in phrases])


def tokens_of(table: CompletionTable, node: int, variant: int) -> set[int]:
    row = table.entry[node]
    if row == NOTHING:
        return set()
    start, size = table.place[row, variant].tolist()
    found: set[int] = set()
    for low, high in table.pool[start : start + size].tolist():
        assert 0 < high - low <= PIECE
        found.update(range(low, high))
    return found


def walked(vocabulary: Vocabulary, trie: Trie, node: int, variant: int) -> set[int]:
    v, tables = vocabulary, fold_tables()
    root = node == 0
    out = np.zeros((1 << 16, 2), dtype=np.int32)
    one = np.array([node if root else (node << 3) | variant], dtype=np.int64)
    found = completing(
        one, int(not root), one, int(root), variant if root else 0, 0, 0,
        tables.code, tables.symbols, tables.alternatives, trie.first, trie.labels, trie.accept,
        outlook(trie).reach, v.first, v.labels, v.low, v.own, v.high, v.most, v.most_new,
        *new_scratch(v.longest), out,
    )  # fmt: skip
    return {token for low, high in out[:found].tolist() for token in range(low, high)}


def stands(trie: Trie) -> list[int]:
    """Nodes at which a thread can stand."""
    return [
        node
        for node in range(1, trie.nodes)
        if trie.first[node] < trie.first[node + 1] and trie.labels[node - 1] > 0x20
    ]


def check(vocabulary: Vocabulary, trie: Trie, table: CompletionTable) -> None:
    for node in stands(trie):
        for variant in range(VARIANTS):
            assert tokens_of(table, node, variant) == walked(vocabulary, trie, node, variant)
    for word_start in range(WORD_STARTS):
        assert tokens_of(table, 0, word_start) == walked(vocabulary, trie, 0, word_start)


def test_tables_say_what_the_walk_says() -> None:
    trie = trie_of(PHRASES)
    check(VOCABULARY, trie, compile_table(trie, outlook(trie), VOCABULARY, INDEX))


@pytest.mark.parametrize("seed", range(6))
def test_random_phrases_and_vocabularies(seed: int) -> None:
    random_ = random.Random(seed)
    letters = "abABl1іІß é-_ .\u0301習近0"
    pieces = {"".join(random_.choices(letters, k=random_.randint(1, 6))) for _ in range(300)}
    broken = [bytes(random_.choices([0xC3, 0xA9, 0x61, 0x20, 0xE7, 0xBF], k=3)) for _ in range(40)]
    vocabulary = build_vocabulary(
        [None, *dict.fromkeys([*(piece.encode() for piece in sorted(pieces)), *broken])]
    )
    texts = {"".join(random_.choices("abL習é ", k=random_.randint(2, 7))) for _ in range(40)}
    phrases = [phrase(text, bounded=random_.random() < 0.6) for text in sorted(texts)]
    trie = trie_of([one for one in phrases if one.symbols])
    table = compile_table(trie, outlook(trie), vocabulary, letter_index(vocabulary))
    check(vocabulary, trie, table)
    check_roots(vocabulary, phrases, table)


def check_roots(vocabulary: Vocabulary, phrases: list[Phrase], table: CompletionTable) -> None:
    """A phrase begins inside a token where the filter says so, behind each kind of letter."""
    automaton = PhraseAutomaton([one for one in phrases if one.symbols])
    texts = [vocabulary.bytes_of(token).decode("utf-8", "replace") for token in vocabulary.order]
    for before, word_start in (("X", INSIDE), ("-", AT_WORD), ("x", AFTER_LOWER)):
        matching = {
            at
            for at, text in enumerate(texts)
            if "\ufffd" not in text and automaton.find_all(before + text)
        }
        whole = {at for at, text in enumerate(texts) if "\ufffd" not in text}
        assert tokens_of(table, 0, word_start) & whole == matching


def test_strings_of_too_many_readings_are_walked_in_full() -> None:
    pieces = ["сосоророссс", "сосоророссся", "1l1l1l1l1l", " soc", "о", "сос"]
    vocabulary = build_vocabulary([None, *(piece.encode() for piece in pieces)])
    index = letter_index(vocabulary)
    assert index.kind.any()
    trie = trie_of([phrase("а сосоророссс"), phrase("x illillilli", bounded=False)])
    check(vocabulary, trie, compile_table(trie, outlook(trie), vocabulary, index))


def test_what_is_known_is_taken_over() -> None:
    old = trie_of(PHRASES)
    known = compile_table(old, outlook(old), VOCABULARY, INDEX)
    new = trie_of([*PHRASES, phrase("Ana Lib"), phrase("the blue tower")])
    check(VOCABULARY, new, compile_table(new, outlook(new), VOCABULARY, INDEX, [known]))
    again = compile_table(old, outlook(old), VOCABULARY, INDEX, [known, known])
    check(VOCABULARY, old, again)
    assert len(again.pool) == len(known.pool)
    little = trie_of([phrase("Ana Li")])
    alone = compile_table(little, outlook(little), VOCABULARY, INDEX)
    taken = compile_table(little, outlook(little), VOCABULARY, INDEX, [known])
    check(VOCABULARY, little, taken)
    assert len(taken.pool) == len(alone.pool)  # nothing comes along that is not needed


def test_nothing_to_forbid() -> None:
    trie = build_trie([], [])
    table = compile_table(trie, outlook(trie), VOCABULARY, INDEX)
    check(VOCABULARY, trie, table)
    assert tokens_of(table, 0, AT_WORD) == set()
