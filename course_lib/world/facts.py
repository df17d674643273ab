"""Who lives in the micro-world and what is true there: people with their towns, trades, pets and habits."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Any

from course_lib.world import lexicon
from course_lib.world.grammar import Count, Noun, Phrase
from course_lib.world.lexicon import City, Word

HOBBIES = (
    "читать книги|рисовать|играть на гитаре|ловить рыбу|собирать марки|печь пироги|вязать|"
    "кататься на велосипеде|"
    "играть в шахматы|петь в хоре|выращивать цветы|фотографировать птиц|танцевать|решать головоломки|плавать|"
    "собирать грибы|писать стихи|смотреть на звёзды|мастерить игрушки|играть в футбол|бегать по утрам|"
    "кататься на лыжах|учить английский язык|варить варенье|играть на скрипке|гулять в парке"
).split("|")
COLOURS = "красный синий зелёный жёлтый белый чёрный оранжевый серый коричневый голубой".split()
# what one may name as a favourite: dishes and sweets in the singular that stands for the whole kind
FOODS = (
    "сыр творог йогурт мёд варенье шоколад мармелад зефир пастила халва печенье мороженое торт чернослив "
    "изюм попкорн сгущёнка овсянка макароны борщ окрошка рассольник солянка уха пюре винегрет омлет "
    "яичница плов гуляш рагу пельмени вареники голубцы пицца запеканка шашлык виноград арбуз дыня хурма "
    "инжир клубника земляника малина смородина крыжовник черника черешня вишня ежевика облепиха"
).split()
WEEKDAYS = "понедельник вторник среда четверг пятница суббота воскресенье".split()
TRANSPORT = ("на автобусе", "на велосипеде", "пешком", "на трамвае", "на поезде", "на машине", "на лодке")


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody of the micro-world.

    Attributes:
        name: first name; `short`: its diminutive; `full`: first name and surname.
        age: in years.
        job: profession, or None for those under 18.
        home: town of residence.
        pet: (name, species) or None.
        hobby: infinitive phrase.
        food: favourite food.
        colour: favourite colour (masculine adjective).
        travels: how the person gets about.
    """

    name: Noun
    short: Noun
    last: Noun
    full: Noun
    age: Count
    job: Word | None
    home: City
    pet: tuple[Noun, str] | None
    hobby: str
    food: Word
    colour: str
    travels: str

    @property
    def gender(self) -> str:
        """ "m" or "f"."""
        return self.name.gender

    @property
    def trade(self) -> Noun | None:
        """The profession's name, feminine where the language has such a word; None for those under 18."""
        if self.job is None:
            return None
        feminine = self.job.attrs.get("fem")
        return lexicon.trade_of_women(feminine) if self.gender == "f" and feminine else self.job.noun

    def __format__(self, spec: str) -> str:
        return format(self.name, spec)


def invent_person(rng: random.Random, held_out: bool = False) -> Person:
    """Invent one person.

    Args:
        rng: source of chance.
        held_out: take names, town and pet from the side kept for test splits.

    Returns:
        A person with all attributes drawn independently.
    """
    names = lexicon.names(held_out)
    gender = rng.choice("mf")
    name, short = rng.choice(names[gender])
    last = rng.choice(names[f"{gender}_last"])
    groups = lexicon.by_category()
    age = Count(rng.choice((rng.randint(6, 17), rng.randint(18, 80))))
    return Person(
        name=name,
        short=short,
        last=last,
        full=Phrase(name, last),
        age=age,
        job=rng.choice(groups["profession"]) if age >= 18 else None,
        home=rng.choice(lexicon.cities(held_out)),
        pet=rng.choice(lexicon.pets(held_out)) if rng.random() < 0.7 else None,
        hobby=rng.choice(HOBBIES),
        food=lexicon.lookup()[rng.choice(FOODS)],
        colour=rng.choice(COLOURS),
        travels=rng.choice(TRANSPORT),
    )


@dataclass(frozen=True, eq=False)
class World:
    """What the generators may speak of.

    Attributes:
        people: the residents, always the same for one seed; no full name occurs twice.
        cities: the towns.
        pets: pets' names with their species.
        held_out: whether the entities are those kept for test splits.
        held_out_texts: whether the hand-written texts are those kept for test splits.
    """

    people: tuple[Person, ...]
    cities: tuple[City, ...]
    pets: tuple[tuple[Noun, str], ...]
    held_out: bool
    held_out_texts: bool

    def texts(self, name: str) -> tuple[dict[str, Any], ...]:
        """Return the hand-written texts of one kind (see `lexicon.texts`) that this side may use."""
        return lexicon.texts(name, "held_out" if self.held_out_texts else "train")

    @classmethod
    @cache
    def build(cls, held_out: bool = False, held_out_texts: bool | None = None, n_people: int = 400) -> World:
        """Build one side of the world.

        Args:
            held_out: the entities kept for test splits, else the training ones.
            held_out_texts: the hand-written texts kept for test splits; by default, as `held_out`.
            n_people: how many residents, at most two thirds of the full names that can be made.

        Returns:
            The world, the same at every call.
        """
        rng = random.Random(f"people-{held_out}")
        residents: dict[str, Person] = {}
        names = lexicon.names(held_out)
        possible = sum(len(names[gender]) * len(names[f"{gender}_last"]) for gender in "mf")
        while len(residents) < min(n_people, possible * 2 // 3):  # the held-out names make fewer people
            person = invent_person(rng, held_out)
            residents.setdefault(person.full.lemma, person)
        held_out_texts = held_out if held_out_texts is None else held_out_texts
        people = tuple(residents.values())
        return cls(people, lexicon.cities(held_out), lexicon.pets(held_out), held_out, held_out_texts)
