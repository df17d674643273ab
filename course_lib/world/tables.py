"""Tables of facts as lists: towns, residents, short names, numbers."""

from __future__ import annotations

import random
from collections.abc import Callable

from course_lib.world import lexicon
from course_lib.world.encyclopaedia import century
from course_lib.world.facts import World
from course_lib.world.grammar import Count
from course_lib.world.layouts import Pair, bursty, write_list


def city_facts(rng: random.Random, world: World) -> str:
    """A reference table of towns: one column, or question and answer."""
    columns: dict[str, Callable[[lexicon.City], Pair]] = {
        "Год основания": lambda c: (c.name.lemma, str(c.founded)),
        "Река": lambda c: (c.name.lemma, str(c.river)),
        "Регион": lambda c: (c.name.lemma, str(c.region)),
        "Век": lambda c: (c.name.lemma, century(c.founded)),
        "Чем известен": lambda c: (c.name.lemma, c.known_for),
        "Когда основан?": lambda c: (f"Когда был основан город {c.name}?", f"В {c.founded} году."),
        "На какой реке?": lambda c: (f"На какой реке стоит {c.name}?", f"{c.river:^на loc}."),
        "Где находится?": lambda c: (f"В каком регионе находится {c.name}?", f"{c.region}."),
    }
    header, column = rng.choice(list(columns.items()))
    towns = rng.sample(world.cities, rng.randint(4, 14))
    return write_list(rng, [column(c) for c in towns], rng.choice(("", header)))


def yes_or_no(rng: random.Random, world: World) -> str:
    """Questions about towns that are answered with yes or no, half of each."""
    lines: list[Pair] = []
    for _ in range(rng.randint(4, 10)):
        city, other = rng.sample(world.cities, 2)
        true = rng.random() < 0.5
        told = city if true else other
        question, same = rng.choice(
            (
                (
                    f"Правда ли, что {city.name} стоит {told.river:на loc}?",
                    told.river.lemma == city.river.lemma,
                ),
                (f"{city.name:^в loc} течёт {told.river}?", told.river.lemma == city.river.lemma),
                (f"Был ли {city.name} основан в {told.founded} году?", told.founded == city.founded)
                if city.name.gender == "m"
                else (f"Основан ли город {city.name} в {told.founded} году?", told.founded == city.founded),
                (
                    f"Был ли город {city.name} основан в {century(told.founded)} веке?",
                    century(told.founded) == century(city.founded),
                ),
                (f"Город {city.name} старше, чем {other.name}?", city.founded < other.founded),
            )
        )
        lines.append((question, "Да" if same else "Нет"))
    return write_list(rng, [(q, a + ".") for q, a in lines] if rng.random() < 0.4 else lines)


def people_table(rng: random.Random, world: World) -> str:
    """Cards of residents, every card with the same fields."""
    fields: dict[str, Callable[..., str]] = {
        "Имя": lambda p: p.full.lemma,
        "Город": lambda p: p.home.name.lemma,
        "Возраст": lambda p: f"{p.age:год}",
        "Любимый цвет": lambda p: p.colour,
        "Любимая еда": lambda p: p.food.lemma,
        "Занятие": lambda p: p.hobby,
        "Питомец": lambda p: f"{p.pet[1]} {p.pet[0]}" if p.pet else "нет",
    }
    shown = ["Имя", *rng.sample(list(fields)[1:], rng.randint(1, 4))]
    people = rng.sample(world.people, rng.randint(2, 6))
    if len(shown) == 2 or rng.random() < 0.3:
        return "\n".join(", ".join(fields[name](p) for name in shown) for p in people)
    return "\n\n".join("\n".join(f"{name}: {fields[name](p)}" for name in shown) for p in people)


def diminutives(rng: random.Random, world: World) -> str:
    """Full names with their short forms (Анна — Аня)."""
    pairs = list({p.name.lemma: p.short.lemma for p in rng.sample(world.people, 30)}.items())
    if rng.random() < 0.3:
        pairs = [(short, name) for name, short in pairs]
    return write_list(rng, bursty(rng, pairs), rng.choice(("", "Полное имя и короткое:")))


def numbers(rng: random.Random, world: World) -> str:
    """Small arithmetic and counting."""
    kind = rng.randrange(4)
    if kind == 0:
        start, step = rng.randint(0, 50), rng.choice((1, 1, 1, 2, 3, 5, 10))
        return rng.choice((", ", " ", "\n")).join(str(start + i * step) for i in range(rng.randint(6, 25)))
    if kind == 1:
        sign = rng.choice("+−")
        return "\n".join(
            f"{a} {sign} {b} = {a + b if sign == '+' else a - b}"
            for a, b in (
                sorted((rng.randint(0, 20), rng.randint(0, 20)), reverse=True)
                for _ in range(rng.randint(5, 16))
            )
        )
    if kind == 2:
        shift = rng.randint(1, 3)
        return write_list(
            rng, [(str(n), str(n + shift)) for n in (rng.randint(0, 60) for _ in range(rng.randint(5, 18)))]
        )
    nouns = rng.sample(lexicon.by_category()["animal"], 8)
    return write_list(
        rng, [(f"{w.lemma}, {n}", f"{Count(n):{w.lemma}}") for w in nouns for n in (rng.randint(1, 30),)]
    )
