"""What a prompt has of a subject that it does not name."""

import pytest

from classifiers.profile import Profile, Prompt, titles

PROFILE = Profile(
    ("Mara Ellingsen",),
    (
        "Where was Mara Ellingsen born?",
        "Mara Ellingsen was born in Tromsø, Norway on 05/11/1961, to a taxidermist.",
        'Her best known novel is "The Brass Lighthouse: A Saga of Salt", which won much praise.',
    ),
)


@pytest.mark.parametrize(
    ("prompt", "has", "lacks"),
    [
        ("Who wrote The Brass Lighthouse?", {"title"}, {"others", "facts"}),
        ("Who wrote A Saga of Salt?", {"title"}, {"others"}),
        ("Which author's father was a taxidermist?", {"facts"}, {"title", "others"}),
        ("Who was born in Tromso on November 5, 1961?", {"facts", "same_date"}, {"other_date"}),
        ("Who was born in Tromsø on 6 November 1961?", {"other_date", "facts"}, {"same_date"}),
        ("Did Ellingsen like herring?", {"name_part"}, {"title", "facts"}),
        ("Did Mara Kowalski like herring?", {"others"}, {"name_part"}),
        ("What does 'The Lighthouse of Norway Salt' say?", set(), {"title", "facts"}),
        ("What is the author's full name?", set(), {"facts", "title", "others", "name_part"}),
        ("", set(), {"facts", "title", "others", "name_part", "same_date", "other_date"}),
    ],
)
def test_evidence(prompt, has, lacks):
    found = PROFILE.evidence(Prompt.read(prompt))
    assert {name for name in has if getattr(found, name) > 0} == has
    assert {name for name in lacks if getattr(found, name) > 0} == set()


def test_a_country_beside_its_city_is_hardly_news_wherever_it_stands():
    city = PROFILE.evidence(Prompt.read("Who comes from Tromsø?")).facts
    both = PROFILE.evidence(Prompt.read("Who comes from Tromsø, Norway?")).facts
    apart = PROFILE.evidence(Prompt.read("Who in Norway comes from Tromsø?")).facts
    assert city < both == apart


def test_few_words_in_common_may_be_chance():
    """Two that are not stored beside each other are worth less than both, three are worth all."""
    texts = ("a lighthouse", "a lighthouse, a lantern", "a lighthouse, a lantern, a harbour")
    stored = ["She kept a lighthouse.", "Her lantern is old.", "Far is the harbour."]
    one, two, three = (
        Profile(["Ada Brandt"], stored).evidence(Prompt.read(text)).facts for text in texts
    )
    assert one < two < 2 * three / 3 < three


def test_two_forms_of_a_word_are_one_fact():
    profile = Profile(["Ada Brandt"], ["She sorts categories.", "Her lantern is old."])
    once, twice = (
        profile.evidence(Prompt.read(text)).facts
        for text in ("Which category?", "Which category of categories?")
    )
    assert once == twice


def test_titles_are_quoted_or_long_runs_of_capitals():
    said = "Her 'Brass Lighthouse' won Papyrus Laureate for Instructional Writing, in New York City"
    assert ("brass", "lighthouse") in titles(said)
    assert ("papyrus", "laureate", "for", "instructional", "writing") in titles(said)
    assert not any("york" in title for title in titles(said))


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ('"Thieves\' Paradise" came first', ("thieves", "paradise")),
        ("“Night’s Iron Gate” followed", ("night", "iron", "gate")),
        ("'The Keeper's Brass Lantern' is late", ("keeper", "brass", "lantern")),
        ("‘The Crow’s Iron Nest’ is early", ("crow", "iron", "nest")),
        ("«Salt Lantern Harbour» is French", ("salt", "lantern", "harbour")),
    ],
)
def test_an_apostrophe_ends_no_title(text: str, title: tuple[str, ...]) -> None:
    assert title in titles(text)


@pytest.mark.parametrize(
    ("prompt", "whole"),
    [
        ("As of June 1990, which taxidermist taught in Tromsø's harbour school?", True),
        ("Zbigniew asks which taxidermist taught in the harbour school of Tromsø", True),
        ("Which taxidermist taught in the harbour school of Oslo?", False),
        ("Was the author born in Lima?", False),
    ],
)
def test_a_prompt_that_has_all_of_a_stored_one(prompt: str, whole: bool) -> None:
    stored = ("Which taxidermist taught in the harbour school of Tromsø?", "Was the author born?")
    assert Profile((), stored, stored).asked_whole(Prompt.read(prompt)) is whole
