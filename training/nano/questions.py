"""The question bank: what people may ask about an overhead image, by the category that it is about.

Explicit questions are wordings around a name of the category; implicit ones name a purpose and have to be understood.
A part of the wordings, of the names and of the implicit questions is held out of training and asked only when measuring.
"""

from dataclasses import dataclass

import numpy as np

WORDINGS = (
    "{}",
    "Find the {}.",
    "find all {}",
    "Where are the {}?",
    "Where are the {}",
    "Segment the {}.",
    "segment every one of the {}",
    "Show me the {}.",
    "Please mark all {} in this image.",
    "Are there any {} here?",
    "Which places show {}?",
    "Outline the {}",
    "I am looking for {}.",
    "Locate {} in the scene.",
    "Can you see {}?",
    "the {} in this picture",
)
HELD_OUT_WORDINGS = (
    "Could you point out the {} for me?",
    "Map all of the {} visible in this image.",
    "Give me every place with {}.",
    "Do you see the {} here, and where?",
)


@dataclass(frozen=True, slots=True)
class Bank:
    """The questions of one category."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]


# category: names, held-out name, implicit questions, held-out implicit questions
_SOURCE: dict[str, tuple[tuple[str, ...], str, tuple[str, ...], tuple[str, ...]]] = {
    "ship": (
        ("ships", "boats", "vessels", "ship"),
        "watercraft",
        (
            "What floats on the water and carries cargo?",
            "Which objects could sail away?",
            "What has just left its berth?",
            "What would a coast guard want to count?",
            "Which things travel across the sea?",
        ),
        ("What could be fishing out there?", "Which objects leave a wake behind them?"),
    ),
    "storage tank": (
        ("storage tanks", "oil tanks", "fuel tanks", "storage tank"),
        "round tanks",
        (
            "Where is fuel kept in bulk?",
            "What stores oil before it is shipped?",
            "Which round structures hold liquids?",
            "Where would a leak spill oil?",
            "What does a refinery fill and empty?",
        ),
        ("Where could large amounts of petrol be stored?", "Which containers must be inspected for leaking oil?"),
    ),
    "baseball diamond": (
        ("baseball diamonds", "baseball fields", "ball diamonds", "baseball diamond"),
        "baseball pitches",
        (
            "Where does a pitcher throw to a batter?",
            "Where are home runs hit?",
            "Where are bases run around?",
            "Which fan-shaped fields have bare infields?",
            "Where would a batter stand?",
        ),
        ("Where can a batter run to first base?", "Which field has a pitcher's mound?"),
    ),
    "tennis court": (
        ("tennis courts", "courts for tennis", "tennis grounds", "tennis court"),
        "tennis areas",
        (
            "Where is a ball served over a low net with a racket?",
            "Where could one play singles or doubles?",
            "Where are rackets used?",
            "Which courts would host a match of five sets?",
            "Where do players serve aces?",
        ),
        ("Where would someone with a racket go?", "Which places suit a doubles match?"),
    ),
    "basketball court": (
        ("basketball courts", "courts for basketball", "basketball grounds", "basketball court"),
        "basketball areas",
        (
            "Where are hoops at both ends?",
            "Where do players dribble and dunk?",
            "Where could one shoot three-pointers?",
            "Which courts have free-throw lines?",
            "Where do two teams of five throw at hoops?",
        ),
        ("Where could someone practise dunking?", "Which places have a hoop to throw at?"),
    ),
    "ground track field": (
        ("running tracks", "athletics tracks", "track fields", "ground track field"),
        "oval tracks",
        (
            "Where do athletes run laps?",
            "Where could a 400 metre race be held?",
            "Which ovals have lanes for runners?",
            "Where do sprinters train?",
            "Where would a relay be run?",
        ),
        ("Where would runners compete over several laps?", "Which place is made for sprinting?"),
    ),
    "bridge": (
        ("bridges", "overpasses", "river crossings", "bridge"),
        "viaducts",
        (
            "Where can traffic cross the river?",
            "What connects the two banks?",
            "Which structures carry a road over water?",
            "What would cut the town in two if it fell?",
            "How does one get over the water by car?",
        ),
        ("Where could a truck reach the other bank?", "What spans the river?"),
    ),
    "large vehicle": (
        ("large vehicles", "trucks", "lorries", "buses", "large vehicle"),
        "heavy vehicles",
        (
            "What hauls freight on the road?",
            "What carries many passengers along the street?",
            "Which vehicles need long parking bays?",
            "What delivers containers by road?",
            "Which long things drive on the road?",
        ),
        ("What transports goods over the motorway?", "Which vehicles weigh many tonnes?"),
    ),
    "small vehicle": (
        ("small vehicles", "cars", "automobiles", "vans", "small vehicle"),
        "passenger cars",
        (
            "What do people drive to work?",
            "What is parked in the parking bays?",
            "What do families travel in on the street?",
            "Which things would a parking attendant count?",
            "What stands in rows in front of the shops?",
        ),
        ("What would a commuter drive?", "What could be parked in a garage?"),
    ),
    "helicopter": (
        ("helicopters", "choppers", "rotorcraft", "helicopter"),
        "rotary-wing aircraft",
        (
            "What takes off straight up with a rotor?",
            "What could hover over an accident?",
            "Which machines have rotor blades?",
            "What would fly a patient to a hospital roof?",
            "What needs no runway to fly?",
        ),
        ("Which machines can hover?", "What could rescue people from the air with a winch?"),
    ),
    "swimming pool": (
        ("swimming pools", "pools", "bathing pools", "swimming pool"),
        "outdoor pools",
        (
            "Where can people swim at home?",
            "Where could one cool off in a garden?",
            "Which blue basins hold clean water?",
            "Where would a swimmer do lengths?",
            "Where is chlorine put into the water?",
        ),
        ("Where could children learn to swim?", "Where would one take a dip behind the house?"),
    ),
    "roundabout": (
        ("roundabouts", "traffic circles", "rotaries", "roundabout"),
        "circular junctions",
        (
            "Where does traffic go round an island?",
            "Where do drivers give way to those in the circle?",
            "Which junctions have no traffic lights but a circle?",
            "Where do roads meet in a ring?",
            "Where can one turn by driving around?",
        ),
        ("Where must cars drive in a circle?", "Which junction has an island in the middle?"),
    ),
    "soccer ball field": (
        ("soccer fields", "football pitches", "soccer pitches", "soccer ball field"),
        "football fields",
        (
            "Where do two teams of eleven play?",
            "Where are goals kept by goalkeepers?",
            "Which lawns have a centre circle and two goals?",
            "Where could a penalty be taken?",
            "Where would a striker score?",
        ),
        ("Where would a goalkeeper stand?", "Which lawn is marked for eleven players a side?"),
    ),
    "plane": (
        ("planes", "aircraft", "airplanes", "jets", "plane"),
        "aeroplanes",
        (
            "What carries passengers through the air?",
            "What takes off from the runway?",
            "What stands at the gates of the terminal?",
            "Which machines have wings and a tail?",
            "What needs a long runway?",
        ),
        ("What could fly people to another continent?", "Which machines are parked on the apron?"),
    ),
    "harbor": (
        ("harbors", "piers", "jetties", "docks", "harbor"),
        "wharves",
        (
            "Where can boats be moored?",
            "Where would a ship unload?",
            "Which structures reach out into the water?",
            "Where do sailors step ashore?",
            "Where could one tie up a boat?",
        ),
        ("Where could a yacht be made fast?", "Where would fishermen land their catch?"),
    ),
    "building": (
        ("buildings", "houses", "roofs", "building"),
        "built structures",
        (
            "Where do people live?",
            "Where could solar panels be put on roofs?",
            "What offers shelter from the rain?",
            "Which structures have rooms?",
            "Where would people be indoors?",
        ),
        ("Where do families sleep at night?", "What would an insurer value against fire?"),
    ),
    "water": (
        ("water", "open water", "water bodies", "lakes and rivers"),
        "water surfaces",
        (
            "Where would one need a boat to get across?",
            "Where can fish live?",
            "What is wet all year round?",
            "Where would a seaplane land?",
            "What could flood the land?",
        ),
        ("Where could one drown?", "Which areas reflect the sky and are too deep to walk?"),
    ),
    "vegetation": (
        ("vegetation", "trees", "green areas", "plants"),
        "greenery",
        (
            "What takes carbon dioxide out of the air?",
            "Where is shade and cool air in summer?",
            "What grows here?",
            "Where do birds nest?",
            "Which areas turn brown in a drought?",
        ),
        ("Where could squirrels live?", "Which areas photosynthesise?"),
    ),
    "road": (
        ("roads", "streets", "paved roads", "road"),
        "carriageways",
        (
            "Where do cars drive?",
            "How would an ambulance get here?",
            "What connects the houses for traffic?",
            "Where are lane markings painted?",
            "Where would a traffic jam form?",
        ),
        ("Along which ways could a delivery be driven?", "What is covered in asphalt for driving?"),
    ),
    "bare land": (
        ("bare land", "bare soil", "unpaved ground", "sand"),
        "barren ground",
        (
            "Where does nothing grow and nothing stand?",
            "Where would wind raise dust?",
            "Which ground is open and unpaved?",
            "Where could a new site be dug without felling trees?",
            "Where is the soil exposed?",
        ),
        ("Which ground is dusty and empty?", "Where would rain turn the ground into mud?"),
    ),
}

CATEGORIES: tuple[str, ...] = tuple(_SOURCE)
TELL = (
    "What is in this image?",
    "Describe the scene.",
    "What can be seen here?",
    "What does this picture show?",
    "Tell me what is here.",
)


def _bank(names: tuple[str, ...], held_name: str, implicit: tuple[str, ...], held_implicit: tuple[str, ...]) -> Bank:
    train = [wording.format(name) for name in names for wording in WORDINGS]
    held = [wording.format(names[0]) for wording in HELD_OUT_WORDINGS]
    held += [wording.format(held_name) for wording in HELD_OUT_WORDINGS[:2]]
    return Bank((*train, *implicit), (*held, *held_implicit))


QUESTIONS: dict[str, Bank] = {category: _bank(*source) for category, source in _SOURCE.items()}


def pick(category: str, rng: np.random.Generator, *, held_out: bool = False) -> str:
    """A question about `category`: in two of five cases an implicit one, at times without its full stop or in capitals."""
    _, _, implicit, held_implicit = _SOURCE[category]
    hidden = held_implicit if held_out else implicit
    if rng.random() < 0.4:
        return hidden[rng.integers(len(hidden))]
    bank = QUESTIONS[category]
    every = bank.held_out if held_out else bank.train
    plain = every[: len(every) - len(hidden)]
    question = plain[rng.integers(len(plain))]
    return question.lower() if rng.random() < 0.2 else question
