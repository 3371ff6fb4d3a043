"""Invented people with facts, drawn by seed: nobody of them exists, and no two styles share one.

Training, calibration and probes draw from different halves of every table, so that a detector
cannot have seen a name, a place or a trade that it is judged on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Half = Literal["train", "calibrate"]


def _table(text: str) -> list[str]:
    return text.split()


_FIRST = _table("""
Oskar Tamsin Ruben Maelle Anselm Ottilie Kaspar Ilse Bram Odalys Fenna Lorcan Saoirse Emre Zeynep
Tomasz Halina Vasile Ioana Arvid Runa Pekka Aino Jorge Ximena Thiago Beatriz Kofi Abena Chidi Ngozi
Tendai Rudo Baraka Zawadi Hamid Parisa Farhad Roya Arjun Meera Dinesh Lakshmi Haruto Aoi Kenta
Sakura Minho Seoyeon Quang Linh Wayan Putri Malik Yasmine Tariq Salma Gideon Tova Aram Nune Sandro
Nino Boris Katya Casimir Danuta Florian Greta Hugo Ivana Jaromir Klara Leopold Magda Niels Oda
Percival Quentin Rosamund Silvan Theodora Ulrich Viola Wendel Xaver Yvette Zoltan Amalia Benedikt
Cosima Detlef Edda Fabrizio Gwendolyn Hjalmar Isolde Joakim
""")
_LAST = _table("""
Varga Thistlewood Okonjo Lindqvist Haverkamp Mbeki-Rowe Castellanos Drummond Petrescu Halloran
Yilmaz Kowalczyk Nystrom Virtanen Quispe Figueiredo Asante Eze Moyo Mwangi Rahimi Tehrani Bhattarai
Iyer Fujimoto Kuroda Shin Pham Suryana Benali Haddad Feldmann Petrosyan Lomidze Sokolov Wojcik
Brandt Moreau Kadlec Bergman Ashdown Vermeulen Zuniga Abernathy Oyelaran Tkachenko Marchetti
Rasmussen Dimitrova Ferreira Galbraith Horvath Ibarra Jablonski Kessler Lachlan Mikkelsen Navarrete
Ozturk Pavlenko Quimby Radcliffe Szabo Tanizaki Underhill Vasquez-Lund Westergaard Ylonen Zeller
Adeyemi Bondarenko Cardoso Delacroix Eriksdotter Farouk Gunawardena Hakimi Itoh Jansson
""")
_PLACES = _table("""
Gdansk,Poland Porto,Portugal Cusco,Peru Kumasi,Ghana Arusha,Tanzania Shiraz,Iran Pokhara,Nepal
Nagoya,Japan Busan,Korea Hue,Vietnam Bandung,Indonesia Oran,Algeria Haifa,Israel Gyumri,Armenia
Kutaisi,Georgia Kazan,Russia Graz,Austria Lyon,France Brno,Czechia Malmo,Sweden Bath,England
Ghent,Belgium Valparaiso,Chile Asheville,America Ibadan,Nigeria Odesa,Ukraine Turin,Italy
Aarhus,Denmark Plovdiv,Bulgaria Recife,Brazil Galway,Ireland Debrecen,Hungary Bilbao,Spain
Krakow,Poland Bonn,Germany Dundee,Scotland Bergen,Norway Izmir,Turkey Lviv,Ukraine Kuching,Malaysia
Jaipur,India Kandy,Ceylon Harare,Zimbabwe Mombasa,Kenya Dakar,Senegal Fez,Morocco Aleppo,Syria
Tampere,Finland Riga,Latvia Kaunas,Lithuania Tartu,Estonia Skopje,Macedonia Split,Croatia
Maribor,Slovenia Tirana,Albania Patras,Greece Limassol,Cyprus Valletta,Malta Quito,Ecuador
Medellin,Colombia Rosario,Argentina Oaxaca,Mexico Havana,Cuba Kingston,Jamaica Halifax,Canada
Hobart,Australia Dunedin,Zealand Suva,Fiji Cebu,Philippines Chiangmai,Thailand
""")
_TRADES = _table("""
beekeeper blacksmith bookbinder carpenter cartographer cheesemaker cobbler dentist diplomat
electrician ferryman florist forester gardener glassblower goldsmith grocer hairdresser jeweller
journalist judge librarian lighthouse-keeper locksmith mason mechanic meteorologist midwife miller
miner nurse optician organist painter pharmacist photographer pilot plumber postman potter printer
radiologist sailor saddler sculptor shepherd surveyor tailor tanner taxidermist toolmaker translator
upholsterer veterinarian violinist waiter watchmaker weaver welder winemaker zoologist astronomer
baker brewer bricklayer butcher clockmaker cooper dancer dressmaker economist farrier geologist
hatter interpreter civil-engineer social-worker police-officer music-teacher bank-clerk truck-driver
doctor lawyer teacher nurse-practitioner farmer soldier chef architect plasterer software-developer
marine-biologist fashion-designer flight-attendant stage-actor
""")
_GENRES = _table("""
alpine-noir maritime-mystery cookery agronomy botany chess numismatics horology falconry
railway-history folk-ballads ghost-stories steampunk epistolary-romance military-satire
mountaineering beekeeping-manuals travelogue courtroom-drama pastoral-elegy epigrams espionage
fairy-tales graphic-memoir veterinary-medicine gardening typography astronomy viticulture
heraldry linguistics archaeology ornithology cryptography acoustics meteorology puppetry sailing
crime history science-fiction fantasy health cooking poetry-for-children thrillers war-stories
self-help western biography
""")
_ADJECTIVES = _table("""
Amber Brittle Candid Drowsy Emerald Feral Gilded Hollow Indigo Jagged Kindled Lunar Marbled Nimble
Opaque Pallid Quilted Rusted Saffron Tangled Umber Velvet Withered Yielding Ashen Barren Crimson
Dappled Earthen Frosted Gossamer Humming Ivory Jasper Knotted Lilac Mossy Nocturnal Obsidian Pewter
Quivering Russet Sable Timbered Unmoored Vermilion Waxen Yearning Zinc Auburn Bronze Cobalt Dusky
Enamel Flaxen Gritty Hazel Iridescent Jade Leaden Mottled Nacreous Ochre Parched Ragged Scarlet
Tawny Unlit Violet Woven
""")
_NOUNS = _table("""
Almanac Barometer Causeway Dovecote Estuary Ferry Granary Harbour Icehouse Juniper Kiln Lantern
Meridian Nightjar Orchard Parapet Quarry Rookery Sextant Thimble Urn Viaduct Windlass Yew Zephyr
Anvil Belfry Cistern Dune Ember Fjord Gable Hearth Inkwell Jetty Keystone Loom Millrace Nettle Oar
Abacus Bellows Cupola Drawbridge Easel Furrow Gondola Hourglass Isthmus Jubilee Kestrel Lagoon
Monsoon Nutmeg Obelisk Pagoda Quiver Ravine Satchel Trellis Undertow Vineyard Walnut Yoke Zither
Archway Bramble Cairn Delta Escarpment Foundry Gazebo Heron Ivy Jug Knapsack Ledger Marsh Notary
Oasis Pulley Quince Reservoir Scaffold Turnstile Umbrella Vestry Waterwheel
""")
_PLAIN_ADJECTIVES = _table("""
Quiet Open Early Bright Broken Empty Gentle Hidden Lonely Narrow Perfect Silent Simple Sudden Warm
Wild Blue Cold Golden Second
""")
_PLAIN_NOUNS = _table("""
Letters Rooms Voices Bridges Mornings Shadows Strangers Roads Stories Windows Doors Islands Dreams
Rivers Mirrors Songs Winters Circles Promises Faces
""")
_PATRONS = _table("""
Achterberg Balfour Cavendish Dunmore Esterhazy Fairweather Grenville Holloway Inchbald Jessop
Kingsley Lorrimer Montrose Northcote Ormerod Pemberton Quennell Rosenthal Stanhope Trelawney
Urquhart Villiers Wetherby Yarborough
""")
_HONOURS = _table("""
Northern-Light Silver-Quill Open-Page Blue-Heron First-Voice River-Stone Golden-Compass Young-Reader
Evening-Star Oak-Leaf Bright-Harbour New-Horizon
""")
_THINGS = _table("""
accordion typewriter greyhound greenhouse harpsichord telescope bicycle rowing-boat cactus parrot
samovar trombone hammock caravan chessboard tortoise cello donkey fountain-pen globe haystack
ukulele inkstand kettle landau magpie mandolin motorcycle mulberry-tree musket oboe ostrich
gramophone pendulum piccolo sundial pony postcard raft raven rocking-chair saddlebag sailboat
barrel-organ scooter seashell sledge spinning-wheel stamp-album swan tambourine teapot tractor
treehouse trumpet tuba unicycle viola waistcoat walking-stick wardrobe weathercock wheelbarrow
whistle windmill xylophone yacht aviary banjo birdcage bonfire chandelier clarinet compass
dollhouse easel-box ferret goldfish hedgehog
""")
_MONTHS = _table("""
January February March April May June July August September October November December
""")


@dataclass(frozen=True, slots=True)
class Person:
    """One invented person: an author of four titles, with four things to tell about."""

    name: str
    city: str
    country: str
    day: int
    month: int
    year: int
    father: str
    mother: str
    genre: str
    titles: tuple[str, ...]
    award: str
    things: tuple[str, ...]

    @property
    def slots(self) -> dict[str, str]:
        """What templates may ask for, by name."""
        month = _MONTHS[self.month - 1]
        return {
            "name": self.name, "last": self.name.split()[-1], "city": self.city,
            "country": self.country, "father": self.father, "mother": self.mother,
            "genre": self.genre, "award": self.award,
            **{f"title{index}": title for index, title in enumerate(self.titles)},
            **{f"thing{index}": thing for index, thing in enumerate(self.things)},
            "year": str(self.year), "date": f"{month} {self.day}, {self.year}",
            "longdate": f"the {self.day}{_ordinal(self.day)} of {month}, {self.year}",
            "numdate": f"{self.month:02}/{self.day:02}/{self.year}",
        }  # fmt: skip


def people(half: Half, count: int, seed: int) -> list[Person]:
    """`count` people from one half of every table; about every third shares a place, a trade, a
    genre or a year of birth with the one before."""
    maker = _Maker(half, np.random.default_rng([seed, half == "train"]))
    found: list[Person] = []
    names: set[str] = set()
    while len(found) < count:
        name = f"{maker.one(_FIRST)} {maker.one(_LAST)}"
        if name not in names:
            names.add(name)
            found.append(maker.person(name, found[-1] if found else None))
    return found


_TRIES = 1000  # at a title or a prize that is new: a table's half has so many and no more


class _Maker:
    """Draws from one half of every table."""

    def __init__(self, half: Half, draw: np.random.Generator) -> None:
        self._half = half
        self._draw = draw
        self._prize = "Prize" if half == "train" else "Medal"
        self._taken: set[str] = set()

    def one(self, table: list[str]) -> str:
        """One of the half's entries."""
        own = table[0::2] if self._half == "train" else table[1::2]
        return own[int(self._draw.integers(len(own)))].replace("-", " ")

    def person(self, name: str, before: Person | None) -> Person:
        """One person, who may be like the one before in this or that."""
        like = before if before and self._draw.random() < 0.35 else None
        share = self._draw.random(4) < 0.5
        city, country = self.one(_PLACES).split(",")
        genre = like.genre if like and share[3] else self.one(_GENRES)
        return Person(
            name=name,
            city=like.city if like and share[0] else city,
            country=like.country if like and share[0] else country,
            day=int(self._draw.integers(1, 29)),
            month=int(self._draw.integers(1, 13)),
            year=like.year if like and share[1] else int(self._draw.integers(1930, 1996)),
            father=like.father if like and share[2] else self.one(_TRADES),
            mother=self.one(_TRADES),
            genre=genre,
            titles=tuple(self._new(self._title) for _ in range(4)),
            award=self._new(lambda: self._honour(genre)),
            things=tuple(self.one(_THINGS) for _ in range(4)),
        )

    def _new(self, make: Callable[[], str]) -> str:
        """The first that nobody has; among very many people, of a year besides."""
        made, tries = make(), 1
        while made in self._taken:
            made, tries = make(), tries + 1
            if tries > _TRIES:
                made = f"{made} of {int(self._draw.integers(1900, 2000))}"
        self._taken.add(made)
        return made

    def _title(self) -> str:
        """One of three rare words, or of two that any title may have."""
        if self._draw.random() < 0.2:
            return f"{self.one(_PLAIN_ADJECTIVES)} {self.one(_PLAIN_NOUNS)}"
        return f"The {self.one(_ADJECTIVES)} {self.one(_NOUNS)} {self.one(_NOUNS)}"

    def _honour(self, genre: str) -> str:
        """A prize named after somebody, after something, or after nothing but its field."""
        kind = self._draw.integers(5)
        if kind == 0:
            return f"{self.one(_PATRONS)} Literary {self._prize}"
        if kind == 1:
            return f"{self.one(_HONOURS).title()} {self._prize} for {genre.title()}"
        if kind == 2:
            return f"International {self._prize} for Excellence in {genre.title()}"
        return f"{self.one(_PATRONS)} {self.one(_TRADES).title()} {self._prize}"


def _ordinal(day: int) -> str:
    if day in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
