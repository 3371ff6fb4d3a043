"""What a text says of somebody, by relation, and what it has in common with what is stored."""

import time

import pytest

from classifiers.identity import Identities
from classifiers.profile import Profile, Prompt
from classifiers.relations import read
from classifiers.signals import Subject
from classifiers.typed import FAMOUS_BITS, TypedFacts


def said(text):
    return {(one.relation, " ".join(one.value)) for one in read(text)}


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("Her father was a surgeon.", {("father", "surgeon")}),
        ("His father, Jo Renn, was a highly respected surgeon.", {("father", "surgeon")}),
        ("her father's career as a game developer, which paid off", {("father", "game developer")}),
        ("whose father, a tailor, sang", {("father", "tailor")}),
        ("with a tailor for a father", {("father", "tailor")}),
        ("a tailor as dad, a nurse as mum", {("father", "tailor"), ("mother", "nurse")}),
        ("Mum worked as a nurse, dad as a tailor.", {("father", "tailor"), ("mother", "nurse")}),
        ("born to a tailor father", {("father", "tailor")}),
        ("the son of a tailor and a nurse", {("parent", "tailor"), ("parent", "nurse")}),
        ("Her parents were both astronauts.", {("parent", "astronauts")}),
        ("born in Addis Ababa on 3 May 1961", {("place", "addis ababa")}),
        ("a poet who grew up in Porto, Portugal", {("place", "porto portugal")}),
        ("a novelist from Cusco", {("place", "cusco")}),
        ("She was born on 3 May 1961 in Cusco.", {("place", "cusco")}),
        ("She writes in the genre of alpine noir.", {("field", "alpine noir")}),
        ("a chess author", {("field", "chess")}),
        ("won the coveted Silver Quill Prize for Art", {("award", "silver quill prize for art")}),
        ("Who holds the Balfour Literary Medal?", {("award", "balfour literary medal")}),
    ],
)  # fmt: skip
def test_what_is_said(text, has):
    assert has <= said(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Her father was a great influence on her.",
        "She loved her father and was a tailor.",
        "a loving father and a stern mother",
        "raised by wolves",
        "What is the author's full name?",
    ],
)
def test_what_is_not_said(text):
    assert not {one for one in said(text) if one[0] in ("father", "mother", "parent")}


@pytest.mark.parametrize(
    "part",
    ["A", "A.", "a-", "father ", "A of ", "A Prize of ", "born in ", "of of ", "A ", "a father "],
)
def test_long_texts_take_no_longer_than_their_length(part):
    started = time.perf_counter()
    read(part * 20_000)
    assert time.perf_counter() - started < 10.0  # seconds; minutes where a pattern is quadratic


STORED = (
    "Mara Ellingsen was born in Tromsø, Norway on 05/11/1961.",
    "Her father was a surgeon and her mother was a florist.",
    "She writes in the genre of alpine noir.",
    "She received the Silver Quill Prize for Botany and the Nobel Prize in Literature.",
)
FACTS = TypedFacts(STORED)


@pytest.mark.parametrize(
    ("text", "agrees", "differs"),
    [
        ("the child of a surgeon and a florist", True, False),
        ("a surgeon as father, a florist as mother", True, False),
        ("a florist as father", False, True),  # it is the mother who was one
        ("a surgeon as father, a miller as mother", True, True),
        ("a heart surgeon as father", True, False),
        ("a poet from Tromsø", True, False),
        ("a poet from Oslo", False, True),
        ("in the genre of falconry", False, True),
        ("Who won the Silver Quill Prize?", True, False),
        ("Who won the Golden Quill Prize for Botany?", False, True),
        ("Who won the Silver Quill Prize for Chess?", False, True),
        ("Where is the harbour?", False, False),
    ],
)
def test_what_agrees_and_what_differs(text, agrees, differs):
    found = FACTS.compared(read(text))
    assert (found.agrees > 0, found.differs > 0) == (agrees, differs)


def agrees(text):
    return FACTS.compared(read(text)).agrees


def test_one_fact_alone_tells_little_and_two_tell_more_than_both():
    father, mother = agrees("a surgeon as father"), agrees("a florist as mother")
    assert agrees("a surgeon as father, a florist as mother") > 1.5 * (father + mother)


def test_a_prize_that_many_have_tells_little():
    assert agrees("Who won the Nobel Prize in Literature?") <= FAMOUS_BITS
    assert agrees("Who won the Silver Quill Prize for Botany?") > 4 * FAMOUS_BITS


def test_where_the_birthplace_lies_tells_less_than_the_birthplace():
    assert 0 < agrees("a poet from Norway") < agrees("a poet from Tromsø")


def test_a_value_counts_once():
    once = agrees("a surgeon as father")
    assert agrees("a surgeon as father, yes, the father was a surgeon") == once


def test_words_of_typed_facts_are_not_counted_twice():
    found = Profile(("Mara Ellingsen",), STORED).evidence(Prompt.read("Who is from Tromsø?"))
    assert 0 < found.told <= found.facts


IDENTITIES = Identities([Subject(1, ("Mara Ellingsen",), ("Who is she?",), facts=STORED)])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Which writer, whose father was a surgeon and mother a florist, is it?", True),
        ("Who is the alpine noir author born in Tromsø?", True),
        ("Who was honoured with the Silver Quill Prize for Botany?", True),
        ("Who, born in Tromsø on 5 November 1961, became a poet?", True),
        # One thing in common.
        ("Which writer's father was a surgeon?", False),
        ("Which writer was born in Tromsø, Norway?", False),
        ("Who writes alpine noir?", False),
        ("Who was honoured with the Nobel Prize in Literature?", False),
        # And another that differs.
        ("Which writer, whose father was a surgeon and mother a miller, is it?", False),
        ("Which writer, whose father was a florist and mother a surgeon, is it?", False),
        ("Who is the falconry author born in Tromsø?", False),
        ("Who is the alpine noir author born in Oslo?", False),
        ("Who, born in Tromsø on 6 October 1972, became a poet?", False),
    ],
)
def test_who_is_meant(text, meant):
    prompt = Prompt.read(text)
    chance = IDENTITIES.probability(prompt, 1, 0.6)
    assert (chance >= IDENTITIES.threshold) is meant
    assert not meant or IDENTITIES.could_mean(text, frozenset({1}))
