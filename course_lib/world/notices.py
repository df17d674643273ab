"""Practical writing: recipes, advertisements, forecasts, timetables, instructions, descriptions."""

from __future__ import annotations

import random
import re
from functools import cache
from typing import Any

from course_lib.world import lexicon
from course_lib.world.descriptions import description
from course_lib.world.diaries import fits, parted, say, wordings
from course_lib.world.documents import Generator
from course_lib.world.facts import COLOURS, WEEKDAYS, World
from course_lib.world.grammar import Count, Noun, phrase
from course_lib.world.inflection import agree, capitalise, morph
from course_lib.world.timetables import schedule, weather

POOLS = {
    "veg": "огурец помидор редис капуста морковь".split(),
    "omelet": "помидор кабачок шпинат лук".split(),
    "puree": "картофель морковь тыква кабачок".split(),
    "root": "картофель морковь капуста тыква кабачок свёкла фасоль горох".split(),
    "berry": "клубника малина смородина вишня брусника черника клюква ежевика крыжовник".split(),
    "compote": "яблоко груша слива вишня абрикос персик".split(),
    "filling": "яблоко вишня груша слива абрикос тыква малина черника".split(),
    "topping": "варенье мёд сметана джем сгущёнка малина клубника черника".split(),
    "sandwich": "сыр колбаса ветчина рыба огурец помидор".split(),
    "fruit": "яблоко груша банан апельсин киви персик мандарин виноград манго".split(),
    "mushroom": ["сметана"],
    "tea": "мята лимон имбирь малина корица шиповник".split(),
}
GREENS, DRESSINGS = ("укроп", "петрушка", "сельдерей"), ("сметана", "масло", "йогурт")
MUSHROOMS = ("опята", "лисички", "подберёзовики", "рыжики")
STREETS = (
    "Садовая Речная Лесная Школьная Вокзальная Луговая Полевая Мельничная Рябиновая Солнечная Тихая".split()
)
CLUBS = "Радуга Ручеёк Росток Колокольчик Парус Звёздочка Светлячок Кораблик".split()
# tools of the tasks whose usual purpose is what the task needs them for
TELLING_TOOLS = "игла лопата лейка утюг молоток отвёртка дрель чайник губка конверт".split()
CRAFTS = "электрик сантехник плотник столяр маляр портной сапожник часовщик садовник механик слесарь".split()
UNADVERTISED = frozenset("мэр космонавт судья учёный поэт писатель композитор директор капитан".split())
# halves of pairs and what cannot be carried away
UNSOLD = frozenset(
    "сандалия носок ботинок сапог валенок туфля тапочка калоша варежка перчатка серьга камин печь "
    "раковина кран "
    "плита спичка посуда форма гребень".split()
)
LOST_THINGS = "зонт портфель кошелёк шарф шапка рюкзак перчатка сумка чемодан браслет платок книга".split()


@cache
def commanded(infinitive: str, mode: str) -> str:
    """Turn an infinitive into what the reader is told to do.

    Args:
        infinitive: the verb, e.g. "нарезать".
        mode: "inf" leaves it; "pl" and "sg" give the imperative; "we" the first person plural.

    Returns:
        The form: «нарезать», «нарежьте», «нарежь», «нарежем».
    """
    if mode == "inf":
        return infinitive
    # «нарезать» is read as the perfective: нарежьте, not нарезайте
    parses = [p for p in morph().parse(infinitive.lower()) if p.tag.POS == "INFN"]
    parse = min(parses, key=lambda p: p.tag.aspect != "perf")
    wanted = {"we": {"1per", "plur"}, "pl": {"impr", "plur", "excl"}, "sg": {"impr", "sing", "excl"}}[mode]
    return parse.inflect(wanted).word


def steps(rng: random.Random, text: str, mode: str, **slots: Any) -> list[str]:
    """Write out steps that are separated by "//", their <verbs> in one mode."""
    done = []
    for step in text.split("//"):
        said = say(rng, step.strip(), **slots)
        done.append(capitalise(re.sub(r"<(\w+)>", lambda m: commanded(m[1], mode), said)) + ".")
    return done


def numbered(rng: random.Random, lines: list[str]) -> str:
    """Lay out steps as a numbered list, with bullets, or as running text."""
    style = rng.choice(("{}. ", "{}) ", "Шаг {}. ", "- ", "", "", "{}. "))
    if not style:
        return " ".join(lines)
    return "\n".join(style.format(i) + line for i, line in enumerate(lines, 1))


def recipe(rng: random.Random, world: World) -> str:
    """A recipe: ingredients, then steps in a sensible order."""
    texts = wordings("notices")
    pool, title, needed, how = parted(rng.choice(texts["recipes"]))
    names = rng.sample(POOLS[pool], min(2, len(POOLS[pool])))
    slots: dict[str, Any] = {"a": lexicon.known_noun(names[0]), "b": lexicon.known_noun(names[-1])}
    slots |= {"green": rng.choice(GREENS), "dress": rng.choice(DRESSINGS), "mush": rng.choice(MUSHROOMS)}
    parts, joint = [say(rng, title, **slots)], rng.choice(("\n", "\n\n"))
    if rng.random() < 0.3:
        parts.append(say(rng, texts["recipe intro"]))
    things = [say(rng, thing.strip(), **slots) for thing in needed.split(";")]
    head = rng.choice(("Понадобится: ", "Нужны: ", "Продукты: ", "Ингредиенты: ", "Состав: "))
    if rng.random() < 0.6:
        parts.append(head + "; ".join(thing[0].lower() + thing[1:] for thing in things) + ".")
    else:
        bullet, joint = rng.choice(("- ", "• ", "")), "\n\n"
        parts.append(head.strip() + "\n" + "\n".join(bullet + thing for thing in things))
    parts.append(numbered(rng, steps(rng, how, rng.choice(("inf", "pl", "pl", "sg", "we")), **slots)))
    if rng.random() < 0.4:
        parts.append(say(rng, texts["recipe end"]))
    return joint.join(parts)


def instructions(rng: random.Random, world: World) -> str:
    """How something is done: what is needed and what for, then the steps."""
    title, needed, how = parted(rng.choice(wordings("notices")["tasks"]))
    tools = [thing.strip() for thing in needed.split(";")]
    parts = [title + rng.choice(("", ".", "?", ": памятка", ". Инструкция"))]
    if rng.random() < 0.5:
        parts.append(say(rng, wordings("notices")["task intro"], p=rng.choice(world.people)))
    if rng.random() < 0.8:
        head = rng.choice(("Понадобится", "Что нужно", "Материалы и инструменты"))
        parts.append(f"{head}: {', '.join(tools)}.")
    known = [lexicon.lookup()[t] for t in tools if t in TELLING_TOOLS]
    if known and rng.random() < 0.35:
        tool = rng.choice(known)
        parts.append(say(rng, wordings("notices")["used"], tool=tool.noun, used=tool.attrs["used"]))
    parts.append(numbered(rng, steps(rng, how, rng.choice(("inf", "pl", "pl", "sg", "we")))))
    if rng.random() < 0.35:
        parts.append(
            rng.choice(
                (
                    "Готово!",
                    "Вот и всё.",
                    "Получилось? Отлично!",
                    "Желаем успеха!",
                    "Не спешите, и всё получится.",
                )
            )
        )
    return rng.choice(("\n", "\n\n")).join(parts)


def contact(rng: random.Random, world: World, **slots: Any) -> str:
    """Whom to call or where to come."""
    who = slots.pop("who", None) or rng.choice(world.people)
    slots |= {
        "phone": f"{rng.randint(2, 9)}-{rng.randint(10, 99)}-{rng.randint(10, 99)}",
        "street": f"улица {rng.choice(STREETS)}",
        "n": str(rng.randint(1, 90)),
        "who": who,
        "c": who.home,
    }
    return say(rng, wordings("notices")["contact"], **slots)


def lost_pet(rng: random.Random, world: World) -> str:
    """A lost pet, of its true species and of its true owner."""
    texts = wordings("notices")
    owner = rng.choice([person for person in world.people if person.pet])
    pet, species = owner.pet
    gone = {"попугай": "улетел", "черепаха": "уполз", "корова": "ушёл"}.get(species, "убежал")
    slots = {
        "pet": pet,
        "species": lexicon.known_noun(species),
        "owner": owner,
        "colour": rng.choice(COLOURS),
    }
    slots["gone"] = agree(gone, pet.gender, False)
    furry = frozenset() if species in ("попугай", "черепаха", "хомяк") else frozenset({"furry"})
    parts = [say(rng, texts["lost"], **slots), say(rng, texts["lost when"], **slots)]
    if rng.random() < 0.7:
        looks = [parted(line) for line in texts["lost looks"]]
        parts.append(say(rng, tuple(text for needs, text in looks if fits(needs, furry)), **slots))
    if rng.random() < 0.7:
        parts.append(say(rng, texts["lost end"], **slots))
    return " ".join([*parts, contact(rng, world, who=owner)])


def thing_for_sale(rng: random.Random) -> Noun:
    """A thing that people sell, with an adjective."""
    groups = lexicon.by_category()
    group = groups[rng.choice(("furniture", "toy", "clothing", "kitchen"))]
    word = rng.choice([word for word in group if word.lemma not in UNSOLD])
    return phrase(rng.choice(("старый", "новый", "большой", "маленький", "красивый", *COLOURS)), word.noun)


def advertisement(rng: random.Random, world: World) -> str:
    """One to three advertisements: sales, lost and found, lessons, work, posters."""
    texts = wordings("notices")
    groups = lexicon.by_category()
    ads = []
    for _ in range(rng.choice((1, 2, 2, 3, 4))):
        kind = rng.choice(("sale", "sale", "lost", "lost", "found", "lesson", "job", "poster"))
        if kind == "lost":
            ads.append(lost_pet(rng, world))
            continue
        job, city = rng.choice(groups["profession"]), rng.choice(world.cities)
        craft = lexicon.lookup()[rng.choice(CRAFTS)]
        while job.lemma in UNADVERTISED:
            job = rng.choice(groups["profession"])
        place = lexicon.lookup().get(job.attrs["place"])
        instruments = [w for w in groups["music"] if w.attrs["kind"] == "инструмент"]
        slots = {
            "thing": thing_for_sale(rng),
            "other": thing_for_sale(rng),
            "price": Count(rng.choice((200, 300, 500, 700, 900, 1000, 1500, 2000, 2500, 3000))),
            "fee": Count(rng.choice((50, 100, 150, 200, 250, 300))),
            "salary": Count(rng.randint(20, 70) * 1000),
            "found": phrase(rng.choice(COLOURS), lexicon.known_noun(rng.choice(LOST_THINGS))),
            "subject": rng.choice(
                (rng.choice(groups["subject"]).lemma, f"музыка, {rng.choice(instruments)}")
            ),
            "club": rng.choice(CLUBS),
            "job": job.lemma,
            "craft": craft.lemma,
            "craft_does": craft.attrs["does"],
            "does": job.attrs["does"],
            "company": format(place, f"^{place.attrs['prep']} acc")
            if place and place.category == "building"
            else "Срочно",
            "hour": rng.randint(10, 19),
            "weekday": rng.choice(WEEKDAYS),
            "sight": rng.choice(city.sights),
            "c": city,
        }
        ad = say(rng, texts[kind], **slots)
        ads.append(ad if kind == "poster" else f"{ad} {contact(rng, world)}")
    header = rng.choice(("", "", "Объявление\n\n", "Объявления\n\n", "Доска объявлений\n\n"))
    return header + rng.choice(("\n\n", "\n\n* * *\n\n", "\n")).join(ads)


KINDS: dict[str, tuple[float, Generator]] = {
    "recipe": (0.014, recipe),
    "advertisement": (0.014, advertisement),
    "weather": (0.01, weather),
    "schedule": (0.012, schedule),
    "instructions": (0.012, instructions),
    "description": (0.014, description),
}
