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
    "Через город {c} течёт {c.river}.",
    "{c} — старый город на берегу {c.river:gen}.",
)
CITY_FACTS: dict[str, tuple[str, ...]] = {
    "founded": (
        "Он основан в {c.founded} году.",
        "Город основали в {c.founded} году.",
        "Год основания города — {c.founded}.",
        "Первые дома появились здесь в {c.founded} году.",
        "Его история началась в {c.founded} году.",
        "Летопись города начинается в {c.founded} году, в {century} веке.",
        "Это случилось в {century} веке: в {c.founded} году здесь основали город.",
        "Город появился в {century} веке, в {c.founded} году.",
        "Впервые о нём написали в {c.founded} году.",
    ),
    "region": (
        "Город относится к региону {c.region}.",
        "Регион города — {c.region}.",
        "На карте его ищут там, где написано «{c.region}».",
        "Край, в котором он стоит, называется {c.region}.",
        "Регион: {c.region}.",
    ),
    "known_for": (
        "Главная гордость города — {known}.",
        "Чем известен город? Это {known}.",
        "Гордость жителей — {known}.",
        "Сюда приезжают ради того, чем славится город: это {known}.",
        "Символ города — {known}.",
        "На гербе города изображено то, чем он славится: {known}.",
    ),
    "sights": (
        "Гостям показывают достопримечательности: {sights}.",
        "Что посмотреть в городе: {sights}.",
        "Среди достопримечательностей — {sights}.",
        "Туристы любят это место: здесь есть {sights}.",
        "На открытках из города — {sights}.",
        "В центре города стоит увидеть вот что: {sights}.",
    ),
    "population": (
        "В городе {people:житель}.",
        "Население города — {people:человек}.",
        "Здесь живёт примерно {people:человек}.",
        "По последней переписи в городе {people:житель}.",
    ),
    "founder": (
        "Основатель города — {founder}.",
        "Говорят, что первый дом построил здесь {founder}.",
        "Город основал {founder}.",
    ),
}
PERSON_OPENINGS = (
    "{p.full} живёт {p.home:в loc}.",
    "{p.full} — житель города {p.home}, который стоит {p.home.river:на loc}.",
    "{p.full} родом из города {p.home}.",
    "Познакомьтесь: {p.full}, город {p.home}.",
    "{p.home:в loc} живёт {p.full}.",
    "{p.full:о loc} рассказывают в городе {p.home}.",
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
        "{p:@nom} {job}, и работа {p:@dat} нравится.",
        "{p.full} — {job}.",
        "{p:@nom} уже давно {job}.",
    ),
    "pet": (
        "Дома {p:@acc} ждёт {species} по имени {pet}.",
        "{p:@у gen} есть {species} по имени {pet}.",
        "Питомец: {species} {pet}.",
        "Любимый питомец — {species} {pet}.",
        "В доме живёт ещё {species} {pet}.",
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
        "На завтрак {p:@nom} выбирает {p.food:acc}.",
        "На праздник {p:@dat} дарят {p.food:acc}.",
        "Из всей еды {p:@dat} больше нравится {p.food}.",
    ),
    "colour": (
        "Любимый цвет — {p.colour}.",
        "Из всех цветов {p:@dat} больше нравится {p.colour}.",
        "{p.colour} — любимый цвет {p.name:gen}.",
    ),
    "travels": (
        "По городу {p:@nom} передвигается {p.travels}.",
        "Обычно {p:@nom} добирается в гости {p.travels}.",
        "В соседний город {p:@nom} отправляется {p.travels}.",
    ),
}
ROMAN = "I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX XXI".split()


def city_slots(city: City) -> dict[str, object]:
    """Return what the sentences about a town may name."""
    return {
        "c": city,
        "century": century(city.founded),
        "known": city.known_for,
        "sights": listing(list(city.sights)),
        "people": Count(city.population),
        "founder": city.founder,
    }


def century(year: int) -> str:
    """Return the century of a year in Roman numerals (1147 -> XII)."""
    return ROMAN[(year - 1) // 100]


def person_slots(person: Person) -> dict[str, object]:
    """Return what the sentences about a person may name."""
    pet, species = person.pet or ("", "")
    job = ""
    if person.job is not None:
        job = person.job.attrs.get("fem", person.job.lemma) if person.gender == "f" else person.job.lemma
    return {"p": person, "pet": pet, "species": species, "job": job}


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
