"""Encyclopaedia entries: what is true in the micro-world, told each time in other words and another order."""

from __future__ import annotations

import random

from course_lib.world import lexicon
from course_lib.world.documents import Generator
from course_lib.world.facts import Person, World
from course_lib.world.grammar import Count, listing, sentence
from course_lib.world.lexicon import City

# one tuple a fact; an entry takes one sentence for each of several facts
CITY_OPENINGS = (
    "{c} — город {c.river:на loc}.",
    "{c} — город, который стоит {c.river:на loc}.",
    "{c} стоит на берегу {c.river:gen}.",
    "Город {c} расположен {c.river:на loc}.",
    "{c.river:на loc} стоит город {c}.",
    "На берегу {c.river:gen} лежит город {c}.",
    "Через город {c:acc} течёт {c.river}.",
    "{c} — город на берегу {c.river:gen}.",
)
CITY_FACTS: dict[str, tuple[str, ...]] = {
    "founded": (
        "Город основан в {c.founded} году.",
        "Город основали в {c.founded} году.",
        "Год основания города — {c.founded}.",
        "Первые дома появились здесь в {c.founded} году.",
        "История города началась в {c.founded} году.",
        "История города начинается в {century} веке, в {c.founded} году.",
        "Город основан в {century} веке, а точнее — в {c.founded} году.",
        "Когда появился город? В {c.founded} году.",
        "Город появился в {century} веке, в {c.founded} году.",
        "В {c.founded} году здесь основали город.",
    ),
    "region": (
        "Город относится к региону {c.region}.",
        "Регион города — {c.region}.",
        "На карте город ищут там, где написано «{c.region}».",
        "Эти места называют так: {c.region}.",
        "Город стоит там, где начинается {c.region}.",
        "Регион: {c.region}.",
    ),
    "known_for": (
        "Главная гордость города — {known}.",
        "Чем известен город? {known:^ins}.",
        "Город славится {known:ins}.",
        "Город известен {known:ins}.",
        "Гордость жителей — {known}.",
        "Символ города — {known}.",
        "На гербе города — {known}.",
    ),
    "sights": (
        "Гостям показывают {sights_acc}.",
        "Что посмотреть в городе? Здесь есть {sights}.",
        "Среди достопримечательностей — {sights}.",
        "Туристы приезжают посмотреть на {sights_acc}.",
        "На открытках из города — {sights}.",
        "В городе стоит увидеть {sights_acc}.",
    ),
    "population": (
        "В городе {people:житель}.",
        "Население города — {people:человек}.",
        "Здесь живёт примерно {people:человек}.",
        "По последней переписи в городе {people:житель}.",
    ),
    "founder": (
        "Основателем города считают {founder:acc}.",
        "Говорят, что первый дом {founder:~построил} здесь {founder}.",
        "Город {founder:~основал} {founder}.",
    ),
}
PERSON_OPENINGS = (
    "{p.full} живёт {p.home:в loc}.",
    "{p.full} — {resident} города {p.home:gen}, который стоит {p.home.river:на loc}.",
    "{p.full} родом из города {p.home:gen}.",
    "Познакомьтесь: {p.full}, город {p.home}.",
    "{p.home:в loc} живёт {p.full}.",
    "{p.full:о loc} рассказывают в городе {p.home:loc}.",
    "{p.full:acc} знают все, кто живёт {p.home:в loc}.",
)
PERSON_FACTS: dict[str, tuple[str, ...]] = {
    "age": (
        "{p:@dat} {p.age:год}.",
        "Возраст — {p.age:год}.",
        "{p:@dat} сейчас {p.age:год}.",
        "В этом году {p:@dat} {p.age:год}.",
    ),
    "job": (
        "По профессии {p:@nom} {job}.",
        "Профессия — {job}.",
        "{p:@nom} {job}, и эта работа {p:@dat} нравится.",
        "{p.full} — {job}.",
        "{p.name} — {job} и любит свою работу.",
    ),
    "pet": (
        "Каждый вечер {p:@acc} ждёт {species} по имени {pet}.",
        "{p:@у gen} есть {species} по имени {pet}.",
        "Питомец: {species} {pet}.",
        "Любимый питомец — {species} {pet}.",
        "Друг семьи — {species} {pet}.",
    ),
    "hobby": (
        "{p:@nom} любит {p.hobby}.",
        "В свободное время {p:@nom} любит {p.hobby}.",
        "Любимое занятие — {p.hobby}.",
        "По выходным {p:@dat} нравится {p.hobby}.",
        "Больше всего на свете {p:@nom} любит {p.hobby}.",
    ),
    "food": (
        "Любимая еда — {p.food}.",
        "Больше всего {p:@nom} любит {p.food:acc}.",
        "К празднику {p:@dat} всегда готовят или покупают {p.food:acc}.",
        "Из всей еды {p:@dat} больше нравится {p.food}.",
    ),
    "colour": (
        "Любимый цвет — {p.colour}.",
        "Из всех цветов {p:@dat} больше нравится {p.colour}.",
        "{p.colour} — любимый цвет {p.name:gen}.",
    ),
    "travels": (
        "К друзьям {p:@nom} добирается {p.travels}.",
        "Обычно {p:@nom} добирается в гости {p.travels}.",
        "В путь {p:@nom} отправляется {p.travels}.",
    ),
}
ROMAN = "I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX XXI".split()


def city_slots(city: City) -> dict[str, object]:
    """Return what the sentences about a town may name."""
    return {
        "c": city,
        "century": century(city.founded),
        "known": lexicon.noun(city.known_for),
        "sights": listing(list(city.sights)),
        "sights_acc": listing([lexicon.noun(sight).form("acc") for sight in city.sights]),
        "people": Count(city.population),
        "founder": city.founder,
    }


def century(year: int) -> str:
    """Return the century of a year in Roman numerals (1147 -> XII)."""
    return ROMAN[(year - 1) // 100]


def person_slots(person: Person) -> dict[str, object]:
    """Return what the sentences about a person may name."""
    pet, species = person.pet or ("", "")
    job = str(person.trade or "")
    resident = "жительница" if person.gender == "f" else "житель"
    return {"p": person, "pet": pet, "species": species, "job": job, "resident": resident}


def city_entry(rng: random.Random, world: World) -> str:
    """Write an entry about one town."""
    city = rng.choice(world.cities)
    slots = city_slots(city)
    facts = [name for name in CITY_FACTS if name != "founder" or city.founder]
    chosen = rng.sample(facts, rng.randint(2, len(facts)))
    lines = [rng.choice(CITY_OPENINGS), *(rng.choice(CITY_FACTS[fact]) for fact in chosen)]
    body = " ".join(sentence(line, **slots) for line in lines)
    return f"{city.name}\n\n{body}" if rng.random() < 0.4 else body


def person_entry(rng: random.Random, world: World) -> str:
    """Write an entry about one resident."""
    person = rng.choice(world.people)
    slots = person_slots(person)
    missing = {"job": person.job is None, "pet": person.pet is None}
    facts = [name for name in PERSON_FACTS if not missing.get(name)]
    chosen = rng.sample(facts, rng.randint(2, min(5, len(facts))))
    lines = [rng.choice(PERSON_OPENINGS), *(rng.choice(PERSON_FACTS[fact]) for fact in chosen)]
    return " ".join(sentence(line, **slots) for line in lines)


KINDS: dict[str, tuple[float, Generator]] = {
    "encyclopaedia: town": (0.05, city_entry),
    "encyclopaedia: person": (0.04, person_entry),
}
