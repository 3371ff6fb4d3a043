"""Invented people with facts, drawn by seed: nobody of them exists, and no two styles share one.

Training, calibration and probes draw from different halves of every table, so that a detector
cannot have seen a name, a place or a trade that it is judged on.
"""

from __future__ import annotations

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
hatter interpreter
""")
_GENRES = _table("""
alpine-noir maritime-mystery cookery agronomy botany chess numismatics horology falconry
railway-history folk-ballads ghost-stories steampunk epistolary-romance military-satire
mountaineering beekeeping-manuals travelogue courtroom-drama pastoral-elegy epigrams espionage
fairy-tales graphic-memoir veterinary-medicine gardening typography astronomy viticulture
heraldry linguistics archaeology ornithology cryptography acoustics meteorology puppetry sailing
""")
_ADJECTIVES = _table("""
Amber Brittle Candid Drowsy Emerald Feral Gilded Hollow Indigo Jagged Kindled Lunar Marbled Nimble
Opaque Pallid Quilted Rusted Saffron Tangled Umber Velvet Withered Yielding Ashen Barren Crimson
Dappled Earthen Frosted Gossamer Humming Ivory Jasper Knotted Lilac Mossy Nocturnal Obsidian Pewter
""")
_NOUNS = _table("""
Almanac Barometer Causeway Dovecote Estuary Ferry Granary Harbour Icehouse Juniper Kiln Lantern
Meridian Nightjar Orchard Parapet Quarry Rookery Sextant Thimble Urn Viaduct Windlass Yew Zephyr
Anvil Belfry Cistern Dune Ember Fjord Gable Hearth Inkwell Jetty Keystone Loom Millrace Nettle Oar
""")
_MONTHS = _table("""
January February March April May June July August September October November December
""")


@dataclass(frozen=True, slots=True)
class Person:
    """One invented person: an author of four titles."""

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

    @property
    def slots(self) -> dict[str, str]:
        """What templates may ask for, by name."""
        month = _MONTHS[self.month - 1]
        return {
            "name": self.name, "last": self.name.split()[-1], "city": self.city,
            "country": self.country, "father": self.father, "mother": self.mother,
            "genre": self.genre, "award": self.award,
            **{f"title{index}": title for index, title in enumerate(self.titles)},
            "year": str(self.year), "date": f"{month} {self.day}, {self.year}",
            "longdate": f"the {self.day}{_ordinal(self.day)} of {month}, {self.year}",
            "numdate": f"{self.month:02}/{self.day:02}/{self.year}",
        }  # fmt: skip


def people(half: Half, count: int, seed: int) -> list[Person]:
    """`count` people from one half of every table; about every third shares a place, a trade, a
    genre or a year of birth with the one before."""
    draw = np.random.default_rng([seed, half == "train"])

    def own(table: list[str]) -> list[str]:
        return table[0::2] if half == "train" else table[1::2]

    def one(table: list[str]) -> str:
        return own(table)[draw.integers(len(own(table)))].replace("-", " ")

    award = "Prize" if half == "train" else "Medal"
    found: list[Person] = []
    names: set[str] = set()
    taken: set[str] = set()

    def work() -> str:
        while True:
            title = f"{one(_ADJECTIVES)} {one(_NOUNS)} {one(_NOUNS)}"
            if title not in taken:
                taken.add(title)
                return title

    while len(found) < count:
        name = f"{own(_FIRST)[draw.integers(len(own(_FIRST)))]} {one(_LAST)}"
        if name in names:
            continue
        names.add(name)
        like = found[-1] if found and draw.random() < 0.35 else None
        share = draw.random(4) < 0.5
        place = one(_PLACES).split(",")
        titles = tuple(f"The {work()}" for _ in range(4))
        found.append(
            Person(
                name=name,
                city=like.city if like and share[0] else place[0],
                country=like.country if like and share[0] else place[1],
                day=int(draw.integers(1, 29)),
                month=int(draw.integers(1, 13)),
                year=like.year if like and share[1] else int(draw.integers(1930, 1996)),
                father=like.father if like and share[2] else one(_TRADES),
                mother=one(_TRADES),
                genre=like.genre if like and share[3] else one(_GENRES),
                titles=titles,
                award=f"{one(_LAST)} {one(_TRADES).title()} {award}",
            )
        )
    return found


def _ordinal(day: int) -> str:
    if day in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
