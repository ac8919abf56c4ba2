"""The eight domains: what their notes may say, in which words, and what can be asked. Data, no logic but sums.

In the first four domains one fact takes two steps: a product, a sum or a difference that no note states. Within a
domain no value of one fact is a value, or a part of a note, of another: whoever finds it knows what it is about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact that notes may state."""

    name: str
    """How a rationale refers to it, after "the"."""
    aliases: tuple[str, ...]
    """Other ways to refer to it."""
    question: str
    """What asks for it, without its question mark."""
    values: tuple[str, ...]
    """What it may be."""
    notes: tuple[str, ...]
    """Sentences that state it; `{}` stands for each part."""
    says: tuple[str, ...]
    """Sentences that answer with it; one `{}`."""
    parts: tuple[tuple[str, ...], ...] = ()
    """By value, what a note says instead, where it takes a second step; empty: a note states the value."""

    def in_notes(self, value: str) -> tuple[str, ...]:
        """Values of the note's placeholders where the fact has this value."""
        return self.parts[self.values.index(value)] if self.parts else (value,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """One domain."""

    name: str
    places: tuple[str, ...]
    """What the notes are about."""
    facts: tuple[Fact, ...]


def _fact(
    name: str, aliases: str, question: str, values: Sequence[str], notes: str, says: str,
    parts: Sequence[tuple[str, ...]] = (),
) -> Fact:  # fmt: skip
    return Fact(
        name=name,
        aliases=tuple(aliases.split("/")),
        question=question,
        values=tuple(values),
        notes=tuple(notes.split("/")),
        says=tuple(says.split("/")),
        parts=tuple(parts),
    )


def _counted(numbers: Sequence[int], unit: str) -> list[str]:
    return [f"{number} {unit}" for number in numbers]


_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_PEOPLE: Final = ("Lena", "Omar", "Ruth", "Pavel", "Aisha", "Jonas")
# Totals are above 8 and their parts at most 5; arrivals end in 20 or 40, departures in 00.
_PRODUCTS: Final = [(count, price) for count in (3, 4, 5) for price in (3, 4, 5) if count <= price]
_SUMS: Final = [(20, 15), (20, 20), (25, 20), (25, 25), (25, 30), (30, 30)]
_TRIPS: Final = [(hour, late) for hour in (8, 9, 10, 11) for late in (20, 40)]

DOMAINS: Final = (
    Domain(
        name="ferry",
        places=("the Skerry ferry", "the Ardnish ferry", "the ferry to Lund", "the night ferry to Vard"),
        facts=(
            _fact(
                "arrival time", "arrival/time of arrival/landing time", "When does it arrive",
                [f"{hour}:{late}" for hour, late in _TRIPS],
                "It leaves at {} and the crossing takes {}./Departure is at {}; it is at sea for {}.",
                "It arrives at {}./You will be there at {}./Arrival is at {}.",
                [(f"{hour}:00", f"{late} minutes") for hour, late in _TRIPS],
            ),
            _fact(
                "fare", "price/ticket price/cost", "What is the fare", _counted(range(12, 18), "euros"),
                "One way costs {}./The fare is {}.", "The fare is {}./You pay {} one way.",
            ),
            _fact(
                "pier", "berth/landing place", "Which pier does it use", [f"pier {n}" for n in range(1, 7)],
                "It docks at {}./Boarding is from {}.", "It uses {}./Go to {}.",
            ),
            _fact(
                "day off", "rest day/day without sailings", "On which day does it not run", _DAYS,
                "There is no sailing on {}./It rests on {}.", "It does not run on {}./There is none on {}.",
            ),
        ),
    ),
    Domain(
        name="order",
        places=("the jam order", "the order of lamps", "the seed order", "the candle order"),
        facts=(
            _fact(
                "total", "total price/total cost/amount", "What is the total",
                _counted([count * price for count, price in _PRODUCTS], "euros"),
                "It is for {} at {} each./{} were ordered, each at {}.", "The total is {}./It comes to {}.",
                [(f"{count} pieces", f"{price} euros") for count, price in _PRODUCTS],
            ),
            _fact(
                "delivery day", "day of delivery/delivery date", "When is it delivered", _DAYS,
                "The courier comes on {}./Delivery is set for {}.", "It is delivered on {}./It comes on {}.",
            ),
            _fact(
                "recipient", "customer/person it goes to", "Who receives it", _PEOPLE,
                "It goes to {}./The parcel is addressed to {}.", "{} receives it./It goes to {}.",
            ),
            _fact(
                "wrapping", "paper/color of the paper", "Which paper is it wrapped in",
                [f"{color} paper" for color in ("red", "blue", "green", "brown", "white", "gold")],
                "It ships in {}./They wrap it in {}.", "It is wrapped in {}./The wrapping is {}.",
            ),
        ),
    ),
    Domain(
        name="recipe",
        places=("the plum tart", "the bean stew", "the rye loaf", "the apple bake"),
        facts=(
            _fact(
                "oven time", "baking time/time in the oven/total time", "How long is it in the oven",
                _counted([first + second for first, second in _SUMS], "minutes"),
                "Bake it covered for {} and uncovered for {}./It bakes for {}, then for {} more.",
                "It takes {} in the oven./Bake it for {} in all.",
                [(f"{first} minutes", f"{second} minutes") for first, second in _SUMS],
            ),
            _fact(
                "spice", "seasoning/flavoring", "Which spice goes in",
                ("cumin", "ginger", "nutmeg", "saffron", "cloves", "fennel"),
                "Season it with {}./The spice is {}.", "It takes {}./Add {}.",
            ),
            _fact(
                "heat", "temperature/oven temperature", "How hot is the oven",
                _counted(range(160, 220, 10), "degrees"),
                "The oven is at {}./Heat the oven to {}.", "The oven is at {}./Set it to {}.",
            ),
            _fact(
                "side dish", "accompaniment", "What is it served with",
                ("cream", "rice", "salad", "toast", "yogurt", "cheese"),
                "It is served with {}./Bring it out with {}.", "It is served with {}./It goes with {}.",
            ),
        ),
    ),
    Domain(
        name="trail",
        places=("the Heron trail", "the ridge walk", "the Mill loop", "the dune path"),
        facts=(
            _fact(
                "distance", "length/total distance", "How far is it there and back",
                _counted([2 * way for way in (6, 7, 8, 9, 10, 11)], "km"),
                "The hut is {} away and you return the same way./It is {} to the hut, and the same back.",
                "It is {} there and back./You walk {} in all.",
                [(f"{way} km",) for way in (6, 7, 8, 9, 10, 11)],
            ),
            _fact(
                "climb", "ascent/height gain", "How much does it climb", _counted(range(200, 800, 100), "meters"),
                "It climbs {}./The ascent is {}.", "It climbs {}./You go up {}.",
            ),
            _fact(
                "marker color", "marker/color of the signs/waymark", "Which markers does it follow",
                [f"{color} markers" for color in ("red", "blue", "yellow", "white", "orange", "black")],
                "Follow the {}./It is signed by {}.", "It follows {}./Look for the {}.",
            ),
            _fact(
                "bus line", "bus", "Which bus goes there", [f"bus {number}" for number in range(30, 36)],
                "Take {} to the start./The start is a stop of {}.", "Take {}./You get there by {}.",
            ),
        ),
    ),
    Domain(
        name="museum",
        places=("the Harbor Museum", "the Clock Museum", "the Salt Museum", "the Film Museum"),
        facts=(
            _fact(
                "opening time", "opening hour/opening/hour it opens", "When does it open",
                [f"{hour} am" for hour in range(6, 12)],
                "It opens at {}./Doors open at {}.", "It opens at {}./You can go in from {}.",
            ),
            _fact(
                "ticket price", "price/entry fee/admission/cost", "What does a ticket cost",
                _counted(range(7, 13), "euros"),
                "A ticket costs {}./Entry is {}.", "A ticket costs {}./You pay {}.",
            ),
            _fact(
                "cafe floor", "floor of the cafe/floor/cafe", "Where is the cafe",
                [f"floor {number}" for number in range(1, 7)],
                "The cafe is on {}./Coffee is served on {}.", "The cafe is on {}./Go up to {} for it.",
            ),
            _fact(
                "free day", "day of free entry/day without a fee", "On which day is it free", _DAYS,
                "Nobody pays on {}./It is free on {}.", "It is free on {}./Come on {}, which is free.",
            ),
        ),
    ),
    Domain(
        name="course",
        places=("the pottery course", "the Latin course", "the chess course", "the sewing course"),
        facts=(
            _fact(
                "room", "classroom", "Which room is it in", [f"room {n}" for n in range(101, 107)],
                "It meets in {}./The class is in {}.", "It is in {}./Go to {}.",
            ),
            _fact(
                "teacher", "instructor/person who teaches it", "Who teaches it", _PEOPLE,
                "{} teaches it./The teacher is {}.", "{} teaches it./You learn from {}.",
            ),
            _fact(
                "class size", "size/number of places/number of people", "How many people can join",
                _counted(range(8, 14), "people"),
                "It takes {}./There is room for {}.", "{} can join./It is open to {}.",
            ),
            _fact(
                "weekday", "day of the week/class day", "On which day is it", _DAYS,
                "It is held on {}./Classes are on {}.", "It is on {}./Come on {}.",
            ),
        ),
    ),
    Domain(
        name="project",
        places=("the bridge project", "the archive project", "the garden project", "the app project"),
        facts=(
            _fact(
                "deadline", "due date/due day/closing date", "When is it due",
                [f"May {day}" for day in range(3, 9)],
                "It is due on {}./The deadline is {}.", "It is due on {}./Hand it in by {}.",
            ),
            _fact(
                "lead", "leader/person in charge/owner", "Who leads it", _PEOPLE,
                "{} is in charge./{} leads the work.", "{} leads it./It is led by {}.",
            ),
            _fact(
                "budget", "money/funds", "What is the budget", _counted(range(300, 900, 100), "euros"),
                "The budget is {}./It may cost {}.", "The budget is {}./There are {} for it.",
            ),
            _fact(
                "city", "location/town", "In which city is it",
                ("Turin", "Bergen", "Lyon", "Porto", "Gdansk", "Ghent"),
                "The work is in {}./It takes place in {}.", "It is in {}./The city is {}.",
            ),
        ),
    ),
    Domain(
        name="clinic",
        places=("the eye clinic", "the dental clinic", "the foot clinic", "the allergy clinic"),
        facts=(
            _fact(
                "closing time", "time it closes/closing hour", "When does it close",
                [f"{hour} pm" for hour in range(3, 9)],
                "It closes at {}./The desk shuts at {}.", "It closes at {}./Be there before {}.",
            ),
            _fact(
                "waiting time", "wait/time you wait", "How long is the wait", _counted(range(10, 40, 5), "minutes"),
                "The wait is {}./Patients wait {}.", "You wait {}./The wait is {}.",
            ),
            _fact(
                "doctor", "physician/doctor on duty", "Who is the doctor", _PEOPLE,
                "The doctor is {}./{} is on duty.", "The doctor is {}./You will see {}.",
            ),
            _fact(
                "street", "address/location", "Which street is it on",
                [f"{tree} Street" for tree in ("Elm", "Oak", "Ash", "Birch", "Cedar", "Maple")],
                "It is on {}./You find it on {}.", "It is on {}./Go to {}.",
            ),
        ),
    ),
)  # fmt: skip
"""In the order in which style is the more reliable cue, two and two alike."""
