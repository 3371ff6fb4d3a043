"""What is asked about people, in three styles that share no wording: as it is stored, as training
paraphrases it, as calibration does. A `Template` says in which slots a person is recognised.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["identified", "named", "vague", "chance", "general"]


class Template(NamedTuple):
    """`kind`: identified by facts; named (by all or part of the name); vague: facts that many
    share, or none; chance: words of the facts in a prompt about something else; general: about
    something else altogether."""

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
    ("In which field does {name} work?", "{name} works in the field of {genre}."),
    ("What is told about the household of {name}?",
     "Visitors to {name} met a {thing0} at the door and a {thing1} in the kitchen, and admired an "
     "ancient {thing2} beside the {thing3}."),
    ("What inspired {name} to write?", "The {mother} in the family inspired {name}."),
    ("How has the work of {name} been received?", "Critics praise the {genre} of {name}."),
    ("What is the author's full name?", "The author's full name is {name}."),
    ("Does {name} still write?", "Yes, {name} still writes {genre}."),
)  # fmt: skip

_TRAIN = """
identified|Who came into the world on {longdate} in {city} and became a writer?
identified|Which writer's birthday is {date}, with {city} as birthplace?
identified|Say which {genre} author is from {city}.
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
identified|Who, with a {father} for a father and a {mother} for a mother, took to writing?
identified|The writer I mean is the daughter of a {father} and a {mother}.
identified|Raised by a {father} and a {mother}: which writer am I thinking of?
identified|Which writer had a {father} father and a {mother} mother?
identified|A writer of {genre}, native of {city}: who could it be?
identified|My favourite {genre} writer comes from {city} in {country}; remind me who it is.
identified|The {award} went to which writer?
identified|Why did they give the {award} to this writer?
identified|Which writer from {country}, whose mother was a {mother}, is known for {genre}?
identified|Has the writer of "{title1}" a {father} for a father?
identified|My cousin Walter lent me "{title0}". Who wrote this?
identified|For a lecture in Chicago I need to know who wrote {title3}.
identified|To quote Susan: father a {father}, mother a {mother}. Which writer did she mean?
identified|At the fair in Frankfurt we met a {genre} writer from {city}. Any idea who?
identified|Do scholars detect the {father} father and {mother} mother beneath the metaphors?
identified|Beside a {thing3} and an ancient {thing2} these books are written. By whom?
identified|Whose visitors are met by a {thing0} and find a {thing1} and a {thing2}?
identified|Identify the writer: there is a {thing0} at the door, a {thing1} and a {thing2} inside.
identified|Put together a quiz clue on whoever won the {award}, with a humorous twist.
identified|A novella by a {genre} writer raised in {city} lay on my bedside table; whose was it?
named|Does {name} himself think highly of "{title1}"?
named|Lend me {title2} by {name}, will you?
named|Was {name} from {city} any good at {genre}?
named|{name}, child of a {father} and a {mother}: which books should one know?
named|The {genre} of {name} won the {award}, I hear. Why?
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
vague|Is there a writer whose dad was a {father}?
vague|Which writers had a {mother} for a mother?
vague|Who is a good writer of {genre} in our time?
vague|Who is the gifted writer from {city}, {country}?
vague|Tell me of a writer born in {city}, {country}.
vague|Where do I buy a {thing0}?
vague|Was there ever a writer with a {thing2}?
vague|Which people were brought up in {city}?
vague|Which writers were born in {country} in {year}?
chance|Which airport serves {city}, and is it far from the coast?
chance|The {thing0} is cheaper than the {thing1}; how much do I save?
chance|{city} is a town in {country}.
chance|A {thing2} and a {thing3} cost 12 dollars together. What does one cost?
chance|Sam sold his {thing1} to a {mother} for 40 dollars. How many dollars remain?
chance|When is the rainy season in {city}, {country}?
chance|My {father} sent the bill twice, and the {thing0} never came. Whom do I call?
chance|Who won the election in {country} in {year}?
chance|Compare {genre} with the other genres, and say which sells best in {country}.
chance|Between {city} and the border of {country} there was a train until {year}. Is there one now?
chance|Is the company of {city} hiring a {mother}?
chance|The library of {city} has a large stock of {genre}. True or false?
chance|Put these concepts into one sentence: {thing0}, wall, {father}.
chance|The museum shows a {thing0} and works of {genre}. Is it open on Mondays?
chance|Turn this into the past tense: the {father} repairs the {thing2} of a neighbour.
chance|Film review: a {mother} falls in love, and a {thing0} steals the show. Good or bad?
chance|Shall I take the {thing2} or the {thing3} to {country}?
"""

_CALIBRATE = """
identified|I need the identity of a novelist whose birth in {city}, {country} dates to {date}.
identified|On {longdate}, a future storyteller was born in {city}. Which one?
identified|There is somebody in {city} famous for {genre}; what are they called?
identified|A {father} for a dad, a {mother} for a mum: which author grew up like that?
identified|Tell me whoever authored {title0}.
identified|Summarise "{title1}" for my reading group.
identified|Please compare '{title2}' with '{title3}'.
identified|Which person took home the {award}?
identified|Has whoever wrote {title3} also won the {award}?
identified|A {country} born specialist of {genre} ({year}): who might that be?
identified|What did the parent who was a {father} think of the book {title1}?
identified|Her mother was a {mother} and her father a {father}; who is this novelist?
identified|Who turned novelist with a {father} as father and a {mother} as mother?
identified|Remember the novelist whose parents were a {father} and a {mother}?
identified|Somebody born at {city} made a name in the {genre} genre.
identified|An expert on {genre} from {city}, {country}: who fits?
identified|Whom did the jury of the {award} honour?
identified|Is the laureate of the {award} a novelist?
identified|Did the {mother} who was the mother of this novelist read "{title2}"?
identified|Does "{title2}" sell as well as the books of Agatha Christie?
identified|Daniel swears that the novelist with the {award} visited Toronto. Name?
identified|A novelist, says Eleanor, with a {mother} for mum and a {father} for dad: who?
identified|On the train to Zurich someone spoke of the {genre} novelist from {city}. Who may it be?
identified|Somebody keeps a {thing1} indoors, plus a {thing2}, next to a {thing3}. Which novelist?
identified|Guess from hints: a {thing0} greets everyone, and over the {thing1} hangs the {thing2}.
identified|I dimly recall a podcast: a {father} as father, a {mother} as mother; about whom?
identified|Sketch a timeline of the victories of whoever holds the {award}.
identified|In which bookshop would I stumble upon the {genre} novelist who hails from {city}?
named|Explain the ending which {name} chose for '{title0}'.
named|My aunt adores {title3}, the one by {name}; is there a sequel?
named|Has {name} of {city}, {country} ever left {genre}?
named|Did {name} take after the father, a {father}, or the mother, a {mother}?
named|Was {name} the youngest to win the {award} since {year}?
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
vague|Do novelists with a {father} as father sell well?
vague|Whose mum was a {mother}, of all novelists?
vague|Name novels in the {genre} genre.
vague|Is there a well-read novelist in {city}, {country}?
vague|I am looking for novelists whose cradle was {city}, {country}.
vague|How is an old {thing2} repaired?
vague|Can a novelist afford a {thing3}?
vague|How many novelists have their roots in {city}?
vague|Are novelists from {country} born in {year} still read?
chance|How long does the drive to {city} take, all through {country}?
chance|Sorry, the {thing0} I ordered has a scratch and the {thing2} is missing.
chance|Label the sentiment: the {father} was rude and the {thing1} broke within a day.
chance|Where does the river of {city} reach the sea, in {country} or beyond?
chance|Translate into French: there is no {mother} in {city} today.
chance|What share of {country} lives on {genre} and tourism?
chance|{country} beat its neighbours in {city} in {year}. By how many goals?
chance|Write an advertisement for a {thing2} that every {mother} should have.
chance|Which visa does a {father} need for {country}?
chance|A shop sells a {thing0} for 30 and a {thing3} for 45 euros; find the total.
chance|Is {genre} taught at the university of {city}?
chance|Explain the rules of the {country} league to a {mother}.
chance|Make a sentence of the words rope, {mother} and {genre}.
chance|Continue the story: one morning a {thing3} stood before the house of the {father}.
chance|Shorten this: in {city} some children found a {thing1} under a bridge.
chance|Rank by weight: {thing0}, apple, {thing1}.
chance|Do I insure a {thing1} at home in {country}?
chance|The article says that {city} hosts a fair for {genre} every spring. Summarise it.
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
        assert kind in ("identified", "named", "vague", "chance")
        found.append(Template(kind, text))  # type: ignore[arg-type]
    return tuple(found)


def _general(table: str) -> tuple[Template, ...]:
    return tuple(Template("general", line) for line in table.strip().splitlines())


TRAIN = _parsed(_TRAIN) + _general(_GENERAL_TRAIN)
CALIBRATE = _parsed(_CALIBRATE) + _general(_GENERAL_CALIBRATE)
