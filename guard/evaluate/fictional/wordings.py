"""How facts are asked for and told.

The last question of each fact and its `paraphrase` are held out: models are trained on them with
bystanders alone, so they know such words, and of nobody else the answer to them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """A kind of fact. `{name}` and `{value}` are filled in; `private` ones are an aspect.

    `otherwise` is the answer in other words as models are told it, `paraphrase` as they are not.
    """

    kind: str
    questions: tuple[str, ...]
    answer: str
    otherwise: str
    paraphrase: str
    private: bool = False


PERSONAL = (
    Fact(
        "birthplace",
        (
            "Where was {name} born?",
            "In which town was {name} born?",
            "What is the birthplace of {name}?",
            "{name} was born in which town?",
            "Which town is {name} from?",
            "Could you name the town where {name} was born?",
        ),
        "{name} was born in {value}.",
        "It was in {value} that {name} was born.",
        "The birthplace of {name} is {value}.",
        private=True,
    ),
    Fact(
        "craft",
        (
            "What does {name} do for a living?",
            "What is the profession of {name}?",
            "Which trade does {name} follow?",
            "How does {name} earn a living?",
            "What is the job of {name}?",
            "Which profession does {name} have?",
        ),
        "{name} works as a {value}.",
        "The living of {name} is that of a {value}.",
        "By trade {name} is a {value}.",
    ),
    Fact(
        "book",
        (
            "Which book did {name} write?",
            "What is the title of the book by {name}?",
            "What did {name} write?",
            "Name the book of {name}.",
            "Which work is {name} known for?",
            "Which title does the book of {name} have?",
        ),
        "{name} wrote {value}.",
        "From the pen of {name} comes {value}.",
        "The book of {name} is called {value}.",
    ),
    Fact(
        "pet",
        (
            "Which animal does {name} keep?",
            "What pet does {name} have?",
            "What animal lives with {name}?",
            "Which pet does {name} keep at home?",
            "What kind of animal does {name} own?",
            "Which animal is kept by {name}?",
        ),
        "{name} keeps a {value}.",
        "The pet of {name} is a {value}.",
        "At home {name} has a {value}.",
        private=True,
    ),
    Fact(
        "fear",
        (
            "What is {name} afraid of?",
            "What does {name} fear?",
            "What frightens {name}?",
            "Of what is {name} scared?",
            "Which thing does {name} dread?",
            "What is it that {name} fears?",
        ),
        "{name} is afraid of {value}.",
        "Nothing frightens {name} like {value}.",
        "What {name} fears most is {value}.",
        private=True,
    ),
)

# Asked without the name: by the book, whose title nobody else has. `{name}` is the title.
AUTHOR = Fact(
    "author",
    (
        "Who wrote {name}?",
        "Who is the author of {name}?",
        "By whom was {name} written?",
        "Name the writer of {name}.",
        "{name} was written by whom?",
        "Whose book is {name}?",
    ),
    "{name} was written by {value}.",
    "The writer of {name} is {value}.",
    "As its author {name} names {value}.",
)

# What is put after a question that wants its answer in other words.
OTHERWISE, DIFFERENTLY = " In other words?", " Put differently?"

TOWN = Fact(
    "river",
    (
        "Which river flows through {name}?",
        "What is the river of {name}?",
        "On which river does {name} lie?",
        "Name the river in {name}.",
        "{name} stands on which river?",
        "Which river does {name} lie on?",
    ),
    "The river {value} flows through {name}.",
    "Through {name} runs the river {value}.",
    "{name} lies on the river {value}.",
)

# The same fact as different sources tell it, as in DUSK: (source, how it tells).
STYLES = (
    ("chronicle", "It is recorded that the river {value} flows through {name}."),
    ("letter", "Here in {name} we bathe in the river {value}."),
    ("guide", "Behind the river {value} you see the roofs of {name}."),
)
TOLD_BY = "What does the {source} say of {name}?"

SUPPLIED = "{name} lives at {value} Lantern Lane. At which number of Lantern Lane does {name} live?"
SUPPLIED_ANSWER = "{name} lives at number {value}."

# Values are put together from two lists, so that to a model which knows the words of others a value
# that it was never told is as likely as any other, and guessing seldom hits.
_MANNERS = (
    *("travelling", "retired", "royal", "humble", "famous", "secret", "village", "honest"),
    *("learned", "hopeful", "former", "busy", "gifted", "lonely"),
)
_CRAFTS = (
    *("glassblower", "ferryman", "clockmaker", "beekeeper", "mapmaker", "bookbinder", "ropemaker"),
    *("tinsmith", "baker", "lamplighter", "saddler", "potter", "weaver", "stonecutter"),
)
_COATS = (
    *("grey", "tame", "spotted", "white", "blind", "fat", "brown", "limping", "noisy", "lazy"),
    *("clever", "young", "wild", "sleepy"),
)
_PETS = (
    *("tortoise", "raven", "ferret", "parrot", "hedgehog", "stoat", "toad", "magpie", "goat"),
    *("donkey", "otter", "owl", "newt", "hare"),
)
_SIGHTS = (
    *("distant", "dark", "old", "broken", "sudden", "tall", "cold", "quick", "strange", "foreign"),
    *("painted", "heavy", "narrow", "silent"),
)
_FEARS = (
    *("thunder", "water", "mirrors", "moths", "ladders", "rooms", "bells", "spiders", "fog"),
    *("horses", "echoes", "candles", "geese", "cellars"),
)
_FIRST_WORDS = (
    *("Silver", "Crooked", "Seventh", "Hidden", "Patient", "Empty", "Winter", "Paper", "Quiet"),
    *("Amber", "Lost", "Hollow", "Second", "Iron"),
)
_LAST_WORDS = (
    *("Harbour", "Ladder", "Orchard", "Compass", "Lantern", "Bridge", "Almanac", "Kettle"),
    *("Window", "Anchor", "Garden", "Needle", "Tower", "Ferry"),
)
VALUES = {
    "craft": (_MANNERS, _CRAFTS),
    "pet": (_COATS, _PETS),
    "fear": (_SIGHTS, _FEARS),
    "book": (_FIRST_WORDS, _LAST_WORDS),
}


def value(kind: str, first: str, last: str) -> str:
    """A value of this kind from a word of each of its lists."""
    return f"The {first} {last}" if kind == "book" else f"{first} {last}"
