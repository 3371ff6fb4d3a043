"""Policies about many invented people, as a large operator would hold them.

    crowd(10_000) -> one policy a person: a name, three questions to compare, six answers

Nobody of them exists. Tables and wordings are this file's own: the head was neither trained nor
calibrated on any of them, and no question about them is in `bench/traffic.py`.
"""

from __future__ import annotations

import numpy as np

from guard.policy import Entity, Pair, Policy

SEED = 31
# Of the six questions, those whose wording general questions share; answers count of all six.
COMPARED = (0, 2, 4)


def _table(text: str) -> list[str]:
    return text.split()


_GIVEN = _table("""
Adaline Agostino Aiyana Akeem Alasdair Alberta Aleksei Alondra Amadou Anneke Antonella Armando
Astrid Aurelio Ayesha Balthazar Bashir Beatrix Bertrand Bogdan Brigitta Calista Camillo Candela
Carmine Cecilia Celestine Chantal Cheng Clemens Clotilde Cordelia Cyprian Dagny Damaris Dariusz
Delphine Demetrius Desmond Dieter Dolores Ebenezer Edvard Efua Eleonora Elias Eloise Emeka Enrico
Ernestine Esperanza Ewan Fabienne Fatou Federico Filippa Fiorella Flavio Fredrik Gaspard Gerhard
Gianna Giselle Gottfried Guillermo Gustav Hadley Hamish Hanneke Harald Hedwig Henrike Horatio
Ibrahim Ignacio Ileana Imogen Ingeborg Isidore Ivo Jacinta Janek Jarvis Jemima Joaquin Jolanda
Josefina Junko Karim Katarzyna Keiko Kiran Kwame Lavinia Leandro Leonora Lionel Lorenzo Lucinda
Ludmila Magnus Mahmoud Mandla Marguerite Mariko Matthias Maurice Mirela Mohan Nadezhda Naomi Nestor
Nikolai Noor Octavia Odette Olufemi Orlando Osvaldo Paloma Pascal Petronella Philippa Priya Rafael
Ramona Reinhard Renata Rigoberto Rosalind Rupert Samira Sebastian Seraphina Shinji Sigrid Soledad
Stellan Sunniva Svetlana Tatiana Teodoro Thandiwe Tobias Umberto Ursula Valentina Vikram Violeta
Waldemar Wilhelmina Winston Yannick Yolanda Yusuf Zacharias Zuleika
""")
_FAMILY = _table("""
Abelard Achterberg Adebayo Aguirre Albrecht Amundsen Ankrah Arbuthnot Arslan Bachmann Balogun Barlow
Battaglia Bellweather Berglund Bianchi Blackwood Bogaerts Borges Brennan Bruckner Cabrera Callahan
Carbone Carmichael Chaudhary Chikwanha Cisneros Colquhoun Cordero Crabtree Czerny Dalgaard Danjuma
Davenport Delgado Desrosiers Dietrich Donoghue Dragomir Eberhardt Echeverria Edelstein Eichendorff
Ekström Elphinstone Escobedo Fairweather Falkenberg Fenwick Fitzalan Fontaine Forsyth Friedrichsen
Gallagher Gambino Garibaldi Gerlach Ghosh Gianopoulos Gilchrist Goldfarb Gorecki Grimaldi Grunwald
Guerrero Gulbrandsen Hammerschmidt Harcourt Hashimoto Hathaway Heikkinen Henriksen Hidalgo
Hofmeister Hollingsworth Hussain Ikeda Ingolfsson Ivanchuk Jankowski Jovanovic Kaczmarek Kalinowski
Karlsson Kavanagh Keating Khumalo Kirchner Kobayashi Kovacs Krishnan Kruger Laframboise Lagerfelt
Lambrecht Larkspur Leclerc Leibovitz Lombardi Luckhurst Lundgren Macalister Maldonado Mandelbaum
Marchetti-Cole Markovic Matsumoto Mazur Mbatha McAllister Meszaros Middleton Mihailov Montague
Mukherjee Nakagawa Nandakumar Nascimento Nieminen Nkemelu Nordstrom Novotny Nwosu Obermeyer Ochoa
Odhiambo Okafor Olofsson Onwuachi Orsini Osterhaus Padmanabhan Palmgren Papadakis Pellegrini
Pemberton Petersen Pieterse Pinkerton Pokorny Prendergast Quintero Radwanski Ramaswamy Rautio
Reinholt Ricciardi Ridgeway Rosenthal Rothwell Sandoval Santangelo Saravanan Schneiderlin Schumann
Seymour Shevchenko Sigurdsson Skarsgard Solberg Somerville Sorensen Stavropoulos Steinbach Sundaram
Swanson Takahashi Tamayo Thorvald Tomlinson Trevelyan Uchida Ulyanov Urquhart Valdivia Vandermeer
Vasilenko Villanueva Vinogradov Voss Wachowski Wainwright Watanabe Weatherby Weissman Whitlock
Wisniewski Wolfram Yamazaki Yarborough Zamora Zapata Zielinski Zimmermann
""")
_CITY = _table("""
Abuja,Nigeria Adelaide,Australia Almaty,Kazakhstan Amman,Jordan Antwerp,Belgium Asuncion,Paraguay
Auckland,New_Zealand Baku,Azerbaijan Bamako,Mali Basel,Switzerland Beirut,Lebanon Belgrade,Serbia
Bogota,Colombia Boston,America Bratislava,Slovakia Brisbane,Australia Bucharest,Romania
Budapest,Hungary Cairo,Egypt Calgary,Canada Caracas,Venezuela Cardiff,Wales Chennai,India
Chicago,America Cologne,Germany Copenhagen,Denmark Cork,Ireland Dallas,America Damascus,Syria
Denver,America Dhaka,Bangladesh Dresden,Germany Dubai,Emirates Durban,South_Africa
Edinburgh,Scotland Florence,Italy Fukuoka,Japan Geneva,Switzerland Genoa,Italy Gothenburg,Sweden
Granada,Spain Guadalajara,Mexico Hamburg,Germany Hanoi,Vietnam Helsinki,Finland Houston,America
Hyderabad,India Innsbruck,Austria Islamabad,Pakistan Istanbul,Turkey Jakarta,Indonesia
Jerusalem,Israel Johannesburg,South_Africa Kampala,Uganda Karachi,Pakistan Kyoto,Japan
Lahore,Pakistan Lagos,Nigeria Leipzig,Germany Lima,Peru Lisbon,Portugal Liverpool,England
London,England Luanda,Angola Lusaka,Zambia Lyon,France Madrid,Spain Manchester,England
Manila,Philippines Maputo,Mozambique Marseille,France Melbourne,Australia Miami,America Milan,Italy
Minsk,Belarus Montreal,Canada Montevideo,Uruguay Moscow,Russia Mumbai,India Munich,Germany
Nairobi,Kenya Naples,Italy Nantes,France Osaka,Japan Oslo,Norway Ottawa,Canada Panama,Panama
Paris,France Perth,Australia Philadelphia,America Prague,Czechia Rabat,Morocco Rome,Italy
Rotterdam,Netherlands Salzburg,Austria Santiago,Chile Sapporo,Japan Sarajevo,Bosnia Seattle,America
Seoul,Korea Seville,Spain Singapore,Singapore Sofia,Bulgaria Stockholm,Sweden Stuttgart,Germany
Sydney,Australia Taipei,Taiwan Tallinn,Estonia Tbilisi,Georgia Toronto,Canada Tunis,Tunisia
Utrecht,Netherlands Valencia,Spain Vancouver,Canada Venice,Italy Vienna,Austria Vilnius,Lithuania
Warsaw,Poland Wroclaw,Poland Yerevan,Armenia Zagreb,Croatia Zurich,Switzerland
""")
_TRADE = _table("""
accountant actor anaesthetist architect auctioneer barber biochemist boxer broker cabinetmaker
calligrapher chef chemist choreographer civil_servant coach composer conductor consultant
cosmologist courier cyclist designer detective ecologist editor engineer entomologist farmer
firefighter fisherman footballer geneticist geographer goalkeeper historian illustrator inspector
lawyer lecturer lifeguard magistrate mathematician musician neurologist nutritionist obstetrician
paramedic pastor philosopher physicist pianist playwright politician producer professor programmer
psychologist rower salesman screenwriter secretary singer soldier sprinter statistician stonemason
surgeon swimmer teacher technician therapist trumpeter typesetter virologist
""")
_FIELD = _table("""
algebraic_topology ambient_music ancient_coins architecture_criticism ballroom_dancing
bridge_building celestial_navigation children's_theatre chromatography coastal_erosion
colonial_history comic_opera computer_graphics contract_law crime_fiction deep-sea_biology
desert_ecology distance_running documentary_film dream_research electric_vehicles experimental_jazz
figure_skating flood_control folk_medicine food_chemistry gothic_novels graph_theory
historical_fiction hospital_hygiene income_tax industrial_design island_languages labour_law
landscape_painting leather_goods library_science magic_realism marine_insurance medieval_music
microfinance moss_taxonomy organ_building paediatric_surgery palaeontology pension_reform
plate_tectonics political_satire protein_folding puppet_theatre quantum_optics radio_drama
rose_breeding rural_banking science_fiction seismology shoe_design silk_weaving soil_science
speech_therapy spice_trade stage_lighting sports_nutrition street_photography tea_ceremonies
textile_dyes traffic_planning tropical_diseases urban_farming volcanology war_poetry water_polo
wind_power wood_engraving
""")
_MONTH = _table("""
January February March April May June July August September October November December
""")
_FIRST_WORD = _table("""
Another Beneath Beyond Broken Burning Calling Distant Empty Endless Faithful Falling Forgotten
Fourteen Glass Golden Hidden Hundred Iron Late Letters Little Lost Midnight Nine Northern Open Paper
Quiet Red Remembering Salt Second Seven Silent Silver Small Southern Stolen Summer Twelve Under
Unwritten White Wild Winter
""")
_LAST_WORD = _table("""
Apples Ashes Bells Birds Bridges Brothers Chairs Clouds Daughters Doors Evenings Fathers Fires
Flowers Gardens Ghosts Hands Hills Horses Houses Islands Kings Lakes Leaves Lights Mirrors Mothers
Mountains Nights Oceans Promises Rains Rivers Roads Roofs Rooms Seasons Shadows Ships Shores Sisters
Songs Stairs Stones Storms Streets Towers Trains Trees Voices Walls Waters Windows Winds Wolves
""")

_ASKED = (
    ("Where and when did {name} come into this world?",
     "{name} was born in {city}, {country}, on {day} {month} {year}."),
    ("What work did the parents of {name} do?",
     "The father of {name} was a {father}, the mother a {mother}."),
    ("What is {name} best known for?", "{name} is best known for {field}."),
    ("Which of {name}'s publications should I look at first?",
     "Most people begin with \"{title}\", published in {later}."),
    ("Who is the {trade} born in {city} in {year} who works on {field}?",
     "That {trade} is {name}."),
    ("Is there a prize that {name} has won?",
     "{name} won the {prize} Prize for {field} in {later}."),
)  # fmt: skip


def crowd(count: int) -> list[Policy]:
    """`count` policies, the same ones whatever the count: the first hundred of a thousand are the
    hundred of a hundred."""
    draw = np.random.default_rng(SEED)
    names: set[str] = set()
    made = []
    while len(made) < count:
        slots = _person(draw)
        if slots["name"] in names:
            continue
        names.add(slots["name"])
        pairs = tuple(Pair(q.format(**slots), a.format(**slots)) for q, a in _ASKED)
        made.append(
            Policy(
                name=f"request-{len(made)}",
                entities=(Entity(slots["name"]),),
                prompts=tuple(pairs[place].prompt for place in COMPARED),
                pairs=pairs,
            )
        )
    return made


def _person(draw: np.random.Generator) -> dict[str, str]:
    def one(table: list[str]) -> str:
        return table[draw.integers(len(table))].replace("_", " ")

    given, family = one(_GIVEN), one(_FAMILY)
    city, _, country = one(_CITY).partition(",")
    year = int(draw.integers(1925, 2001))
    return {
        "name": f"{given} {family}",
        "city": city,
        "country": country,
        "day": str(draw.integers(1, 29)),
        "month": one(_MONTH),
        "year": str(year),
        "later": str(year + int(draw.integers(20, 50))),
        "father": one(_TRADE),
        "mother": one(_TRADE),
        "trade": one(_TRADE),
        "field": one(_FIELD),
        "title": f"{one(_FIRST_WORD)} {one(_LAST_WORD)} of {one(_CITY).partition(',')[0]}",
        "prize": one(_FAMILY),
    }
