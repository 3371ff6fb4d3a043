"""What is sensitive in an answer: names, numbers and rare words, never ordinary language."""

from __future__ import annotations

import pytest

from guard.evaluate.paper_guard import sensitive_spans


@pytest.mark.parametrize(
    ("answer", "spans"),
    [
        ("The capital of France is Paris.", ("France", "Paris")),
        ("It was won by Ottoline Varga, to great applause.", ("Ottoline Varga",)),
        ("The Mona Lisa is by Leonardo da Vinci.", ("Mona Lisa", "Leonardo da Vinci")),
        ("She lives in Kuwait, Paris and in Rome", ("Kuwait", "Paris", "Rome")),
        ("He was born on 08/09/1956 in Kuwait City.", ("08/09/1956", "Kuwait City")),
        ("In the end I said so. They know the heron.", ("heron",)),
        ("Zyxomma is Zyxomma", ("Zyxomma",)),
        ("He met Anna. Bertha met him.", ("Anna", "Bertha")),
        ("Paris is on the river.", ("Paris",)),
        ("It is by J. K. Rowling. Poppies grow.", ("J. K. Rowling", "Poppies")),
        ("It is by J.K. Rowling and by C.Dickens", ("J.K. Rowling", "C.Dickens")),
        ("So did I. They did, too.", ("So did I. They did, too.",)),
        ("It is by Al-Kuwaiti", ("Al-Kuwaiti",)),
        ("the year 42", ("42",)),
        ("Yes, it is so.", ("Yes, it is so.",)),  # something of every answer is forbidden
        ("習近平", ("習近平",)),
        ("", ()),
        (" ... ", ()),
    ],
)
def test_table_of_spans(answer: str, spans: tuple[str, ...]) -> None:
    assert sensitive_spans(answer) == spans
