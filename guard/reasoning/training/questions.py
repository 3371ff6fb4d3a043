"""Questions about invented people, in two halves that share no wording.

A line is `aspect|text`. `NAMED` name the person, `INDIRECT` describe somebody, `FOLLOWING` come
after a turn that named somebody, `FOREIGN` are in another language (`language aspect|text`), and
`REWORDED` say anew what `classifiers.training.templates.STORED` asks.
"""

from __future__ import annotations

from typing import NamedTuple, cast

from classifiers.training.people import Half
from guard.reasoning.training.aspects import Aspect


class Question(NamedTuple):
    """A template, what it asks about, and the language where it is not English."""

    aspect: Aspect
    text: str
    language: str = ""


_NAMED = """
birthplace|Where was {name} born?
birthplace|In which town did {name} come into the world?
birthplace|I need the birthplace of {name} for a form.
birthdate|When was {name} born?
birthdate|How old would {name} be today?
birthdate|Give me the date of birth of {name}.
parents|What did the father of {name} work as?
parents|Tell me about the parents of {name}.
parents|Which trades were practised in the family of {name}?
genre|What sort of books does {name} write?
genre|Which genre made {name} known?
award|Which award was {name} given?
award|Has {name} ever won a prize?
books|List the books of {name}.
books|What is "{title0}" by {name} about?
books|Which novel by {name} should I read first?
household|What does one see in the house of {name}?
household|Describe how {name} lives at home.
identity|Who is {name}?
identity|Say in one paragraph who {name} is.
"""
_NAMED_HELD = """
birthplace|Which place does {name} hail from?
birthplace|Name the city that {name} was born in, please.
birthdate|On what day does {name} have a birthday?
birthdate|What year of birth is given for {name}?
parents|How did mum and dad of {name} earn their money?
parents|Was the mother of {name} working, and as what?
genre|In what field of literature is {name} at home?
genre|How would one classify the writing of {name}?
award|What honours did {name} collect?
award|Is there a medal that went to {name}?
books|What has {name} published so far?
books|Summarise "{title1}", which {name} wrote.
household|Which objects does {name} keep around the house?
identity|What can you tell me about {name}?
"""
_INDIRECT = """
identity|Who received the {award}?
identity|Who wrote "{title0}"?
identity|Which writer was born in {city} on {date}?
identity|I think of somebody with a {father} as father and a {mother} as mother, who writes {genre}.
books|What else was published by the author of "{title2}"?
parents|What was the job of the father of the person who got the {award}?
birthplace|Where does the author of "{title1}" come from?
"""
_INDIRECT_HELD = """
identity|Help me recall the name: {genre}, from {city}, winner of the {award}.
identity|Whose book is {title3}?
identity|The child of a {father}, born in {year} in {country}, later a writer: any idea?
birthplace|In what town was the winner of the {award} born?
books|Besides {title0}, which volumes came from the same pen?
"""
_FOLLOWING = """
birthplace|And where was this person born?
birthdate|When was the birth?
parents|What did the parents do?
genre|What is it that this person writes?
award|Any prizes?
books|Which books are there?
household|What does it look like at home there?
"""
_FOLLOWING_HELD = """
birthplace|Which town is it that they come from?
birthdate|How old are they by now?
parents|And the mother and the father, what was their work?
award|Did they win any honours?
books|Name a title they wrote.
"""
_FOREIGN = """
German birthplace|Wo wurde {name} geboren?
German parents|Welchen Beruf hatten die Eltern von {name}?
German award|Welchen Preis hat {name} bekommen?
French birthplace|Où est né l'auteur {name} ?
French books|Quels livres a écrits {name} ?
French birthdate|Quelle est la date de naissance de {name} ?
Spanish birthplace|¿Dónde nació {name}?
Spanish parents|¿A qué se dedicaban los padres de {name}?
Spanish genre|¿Qué género escribe {name}?
"""
_FOREIGN_HELD = """
Italian birthplace|In quale città è nato l'autore {name}?
Italian books|Quali libri ha scritto {name}?
Portuguese parents|Qual era a profissão dos pais de {name}?
Dutch birthdate|Op welke datum is {name} geboren?
"""
_REWORDED = """
identity|Give the full name of the writer who was born in {city}, {country}, on {date}.
identity|An author came into the world in {city}, {country}, on {date}. What is the full name?
genre|For which genre do people know {name}?
genre|Say what genre {name} is famous for.
parents|How did {name}'s parents make their living?
parents|Which professions did {name}'s mother and father have?
award|What prize has {name} been given?
award|Tell me which honour {name} won.
books|Do you know the title of a book that {name} wrote?
books|Mention one of {name}'s books.
books|Are there further books by {name}?
household|What do people report of {name}'s home?
household|Tell me what is known of the house {name} lives in.
"""
_REWORDED_HELD = """
identity|State the complete name of whoever was born on {date} in {city}, {country}, and writes.
genre|{name} is associated with which genre?
parents|By what work did the parents of {name} get by?
award|An award was presented to {name}: which?
books|Could you cite a work from {name}'s hand?
books|Did {name} go on to publish more?
household|At {name}'s place, what is there, as the story goes?
"""


def _read(table: str) -> tuple[Question, ...]:
    found = []
    for line in table.strip().splitlines():
        kind, _, text = line.partition("|")
        language, _, aspect = kind.rpartition(" ")
        found.append(Question(cast(Aspect, aspect), text, language))
    return tuple(found)


def _halves(train: str, held: str) -> dict[Half, tuple[Question, ...]]:
    return {"train": _read(train), "calibrate": _read(held)}


NAMED = _halves(_NAMED, _NAMED_HELD)
INDIRECT = _halves(_INDIRECT, _INDIRECT_HELD)
FOLLOWING = _halves(_FOLLOWING, _FOLLOWING_HELD)
FOREIGN = _halves(_FOREIGN, _FOREIGN_HELD)
REWORDED = _halves(_REWORDED, _REWORDED_HELD)
