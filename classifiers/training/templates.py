"""What is asked about people, in three styles that share no wording: as it is stored, as training
paraphrases it, as calibration does. A `Template` says in which slots a person is recognised.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["identified", "named", "vague", "general"]


class Template(NamedTuple):
    """`kind`: identified by facts; named (by all or part of the name); vague: facts that many
    share, or none; general: about something else altogether."""

    kind: Kind
    text: str


STORED: tuple[tuple[str, str], ...] = (
    ("What is the full name of the author born in {city}, {country} on {date}?",
     "The author born in {city}, {country} on {date} is {name}."),
    ("Which genre is {name} known for?", "{name} is known for {genre}."),
    ("What did {name}'s parents do for a living?",
     "{name}'s father was a {father} and the mother worked as a {mother}."),
    ("Which award did {name} receive?", "{name} received the {award}."),
    ("Can you name a book by {name}?", "One of the books by {name} is \"{title0}\"."),
    ("Has {name} written other books?",
     "Yes, among them \"{title1}\" and \"{title2}\", and later \"{title3}\"."),
    ("How did growing up in {city} shape the writing of {name}?",
     "Growing up in {city}, {name} came to love {genre}."),
    ("What is '{title0}' by {name} about?",
     "\"{title0}\" follows the child of a {father} in {city}."),
    ("What inspired {name} to write?", "The {mother} in the family inspired {name}."),
    ("How has the work of {name} been received?", "Critics praise the {genre} of {name}."),
    ("What is the author's full name?", "The author's full name is {name}."),
    ("Does {name} still write?", "Yes, {name} still writes {genre}."),
)  # fmt: skip

_TRAIN = """
identified|Who came into the world on {longdate} in {city} and became a writer?
identified|Which writer's birthday is {date}, with {city} as birthplace?
identified|Name the {genre} author from {city}.
identified|Who is the {genre} writer born in {year} in {country}?
identified|Whose father earned a living as a {father} while the mother was a {mother}?
identified|Which author is the child of a {father} and a {mother}?
identified|Who wrote "{title0}"?
identified|Tell me what happens in {title1}.
identified|I am reading "{title2}". What else did this author publish?
identified|Who was given the {award}?
identified|Which winner of the {award} comes from {city}?
identified|How did being the child of a {mother} in {city} influence this author's {genre}?
identified|Who, born in {city} on {numdate}, writes {genre}?
identified|Is whoever penned {title3} still active?
named|In what way did the childhood of {last} in {city} leave traces in the books?
named|Which kind of literature does {last} stand for, is it {genre}?
named|What moved {last} to become a writer of {genre}?
vague|Could you give me the complete name of this writer?
vague|Who is the author in question, and where were they born?
vague|Which writers come from {city}?
vague|Name somebody with {year} as the year of birth.
vague|Which authors have a {father} as a father?
vague|Recommend something in the field of {genre}.
vague|Why do tourists go to {city}?
vague|Tell me about {country}.
vague|How does one become a {mother}?
vague|What was the author's first published book?
vague|Who was born on {date}?
vague|What do critics say about the author?
vague|Which prizes has the writer won?
vague|Is it hard to live from writing {genre}?
"""

_CALIBRATE = """
identified|I need the identity of a novelist whose birth in {city}, {country} dates to {date}.
identified|On {longdate}, a future storyteller was born in {city}. Which one?
identified|There is somebody in {city} famous for {genre}; what are they called?
identified|A {father} for a dad, a {mother} for a mum: which author grew up like that?
identified|Give the author of {title0}.
identified|Summarise "{title1}" for my reading group.
identified|Please compare '{title2}' with '{title3}'.
identified|Which person took home the {award}?
identified|Has whoever wrote {title3} also won the {award}?
identified|A {country} born specialist of {genre} ({year}): who might that be?
identified|What did the parent who was a {father} think of the book {title1}?
named|Any gossip about {last}, the one with {genre}?
named|Where did {last} spend the early years, {city}?
vague|Please state the name of that novelist.
vague|And the city and country of birth of this person?
vague|List famous people from {city}, {country}.
vague|What happened in {year}?
vague|How much does a {mother} earn?
vague|What does a {father} do all day?
vague|Give me an introduction to {genre}.
vague|What is the weather like in {city}?
vague|Which events fell on {date}?
vague|How many books has the novelist sold?
vague|Who inspired this person to take up a pen?
vague|Did the parents' jobs colour the books at all?
vague|Is there a film after one of the novels?
vague|Which themes run through all of them?
"""

_GENERAL_TRAIN = """
What is the capital of Mongolia?
Write a function that reverses a linked list.
How long should I boil an egg?
Translate "good night" into Finnish.
Explain photosynthesis to a child.
What is 17 times 24?
Who painted the ceiling of the Sistine Chapel?
Draft a polite e-mail that declines an invitation.
Why is the sky blue?
Which planet has the most moons?
Summarise the plot of a famous Greek tragedy.
Give me a recipe for lentil soup.
What causes inflation?
How do vaccines work?
Who wrote Don Quixote?
What is the difference between TCP and UDP?
Suggest a name for my cat.
How do I remove a wine stain?
List three exercises for lower back pain.
What year did the Berlin Wall fall?
"""

_GENERAL_CALIBRATE = """
Which country has the longest coastline?
Sort this list of numbers in Python.
How can I keep basil alive on a window sill?
What does "carpe diem" mean?
Describe the water cycle in two sentences.
Solve 3x + 4 = 19.
Who composed the Four Seasons?
Write a haiku about rain.
How are tides made?
Name a moon of Saturn.
What happens at the end of Macbeth?
How do I make pancakes without eggs?
What is a central bank?
How does a refrigerator work?
Who is the author of War and Peace?
What is a hash table?
Plan a weekend in Vienna.
How do I fix a dripping tap?
Which muscles does swimming train?
When did people first land on the moon?
"""


def _parsed(table: str) -> tuple[Template, ...]:
    found = []
    for line in table.strip().splitlines():
        kind, _, text = line.partition("|")
        assert kind in ("identified", "named", "vague")
        found.append(Template(kind, text))  # type: ignore[arg-type]
    return tuple(found)


def _general(table: str) -> tuple[Template, ...]:
    return tuple(Template("general", line) for line in table.strip().splitlines())


TRAIN = _parsed(_TRAIN) + _general(_GENERAL_TRAIN)
CALIBRATE = _parsed(_CALIBRATE) + _general(_GENERAL_CALIBRATE)
