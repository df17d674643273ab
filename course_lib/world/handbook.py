"""Encyclopaedia entries on animals, trades, things, rivers and books, and comparisons of two towns."""

from __future__ import annotations

import random
from functools import cache

from course_lib.world import lexicon
from course_lib.world.documents import Generator
from course_lib.world.facts import World
from course_lib.world.grammar import Count, Noun, phrase, sentence
from course_lib.world.lexicon import City, Word, noun

# places that one works or stands "on", not "in"
ON = frozenset(
    "стройка завод стоянка вокзал космодром пристань пляж почта фабрика ферма поле луг пасека мельница склад "
    "раскоп стадион конюшня".split()
)


def where(place: str) -> str:
    """Say where: «в школе», «на заводе», «в горах».

    Args:
        place: a place of the lexicon in its dictionary form.

    Returns:
        The place with its preposition.
    """
    if place == "гора":
        return "в горах"
    return format(lexicon.lookup()[place], f"{'на' if place in ON else 'в'} loc")


def habitat(animal: Word) -> str:
    """Say where an animal lives: a fish in the river, a beaver by it."""
    home, legs = animal.attrs["home"], animal.attrs["legs"]
    if home == "река":
        return "в реке" if legs in ("0", "10") and animal.lemma != "уж" else "у реки"
    if home == "море":
        return "у моря" if legs == "2" else "в море"
    return {"дом": "рядом с человеком", "поле": "в поле"}.get(home) or where(home)


def _kind(animal: Word) -> Noun:
    """Return the class an animal belongs to."""
    legs, lemma = animal.attrs["legs"], animal.lemma
    if legs == "2":
        return noun("птица")
    if legs == "6":
        return noun("насекомое")
    if lemma in ("карась", "щука", "окунь", "сом", "карп", "акула"):
        return noun("рыба")
    beast = legs == "4" and animal.attrs["wild"] == "1"
    return noun("зверь") if beast and lemma not in ("лягушка", "жаба", "ящерица") else noun("животное")


SIZES = {"1": "маленький", "2": "небольшой", "4": "крупный", "5": "огромный"}
# food that is eaten by the piece
MANY = frozenset(
    "колючка водоросль семечко орех жук мышь ягода червяк жёлудь заяц лист банан комар муха кузнечик лягушка "
    "муравей гусеница суслик голубь карась краб".split()
)
ANIMAL_OPENINGS = (
    "{a} — {what}.",
    "{a} — это {what}.",
    "Кто живёт {home}? Например, {a}.",
    "{home} живёт {a}.",
    "Знакомьтесь: {a}. Это {what}.",
    "Слово «{a}» знают все: это {what}.",
)
ANIMAL_FACTS: dict[str, tuple[str, ...]] = {
    "home": (
        "Живёт {a:@nom} {home}.",
        "Чаще всего {a:acc} можно встретить {home}.",
        "Обитает {a:@nom} {home}.",
    ),
    "food": ("Любимая еда — {food}.", "Чем питается {a}? {food_ins}.", "{a} любит {food_acc}."),
    "sound": (
        "{a} {sound}.",
        "Как узнать {a:acc}? {a:^@nom} {sound}.",
        "Какой голос у {a:gen}? {a:^@nom} {sound}.",
    ),
    "legs": ("Ног у {a:gen} — {legs}.", "Сколько ног у {a:gen}? {legs}."),
    "wild": ("{wild}",),
    "words": ("По-английски {a} — «{en}», а по-французски — «{fr}».", "Английское название — «{en}»."),
}


def animal_entry(rng: random.Random, world: World) -> str:
    """Write an entry about an animal."""
    word = rng.choice(lexicon.by_category()["animal"])
    kind, attrs = _kind(word), word.attrs
    food, many = lexicon.lookup()[attrs["food"]].noun, attrs["food"] in MANY
    slots = {
        "a": word.noun,
        "what": phrase(SIZES[attrs["size"]], kind) if attrs["size"] in SIZES else kind,
        "home": habitat(word),
        "food": food.form("nom", many),
        "food_acc": food.form("acc", many),
        "food_ins": food.form("ins", many).capitalize(),
        "sound": attrs["sound"],
        "legs": attrs["legs"],
        "wild": "Это дикое животное." if attrs["wild"] == "1" else "Это животное живёт рядом с человеком.",
        "en": word.en,
        "fr": word.fr,
    }
    missing = {
        "sound": attrs["sound"] == "молчит",
        "legs": attrs["legs"] == "0" or word.lemma == "осьминог",
        "wild": kind.lemma in ("насекомое", "рыба"),
    }
    opening = rng.choice(ANIMAL_OPENINGS)
    missing["home"] = "{home}" in opening
    known = [fact for fact in ANIMAL_FACTS if not missing.get(fact)]
    facts = rng.sample(known, min(len(known), rng.randint(2, 3)))
    lines = [opening, *(rng.choice(ANIMAL_FACTS[fact]) for fact in facts)]
    return " ".join(sentence(line, **slots) for line in lines)


TRADE_OPENINGS = (
    "{job} — это тот, кто {does}.",
    "Кто {does}? Это {job}.",
    "{job} {does}.",
    "Чем занят {job}? Ответ простой: {does}.",
)
TRADE_FACTS = (
    ("Место работы — {place}.", "Работает {job} {where}.", "Встретить {job:acc} можно {where}."),
    (
        "Что нужно для работы? {tool:^}.",
        "Главный помощник в работе — {tool}.",
        "Работать {job:dat} {tool:>помогать} {tool}.",
    ),
    (
        "Стать {job:ins} мечтают многие.",
        "Хороший {job} всем нужен.",
        "Труд {job:gen} уважают.",
        "Без {job:gen} не обойтись.",
    ),
)


def trade_entry(rng: random.Random, world: World) -> str:
    """Write an entry about a trade, sometimes with a resident who has it."""
    word = rng.choice(lexicon.by_category()["profession"])
    slots = {
        "job": word.noun,
        "does": word.attrs["does"],
        "place": word.attrs["place"],
        "where": where(word.attrs["place"]),
        "tool": lexicon.lookup()[word.attrs["tool"]].noun,
    }
    facts = rng.sample(TRADE_FACTS, rng.randint(1, 3))
    told = [sentence(rng.choice(group), **slots) for group in (TRADE_OPENINGS, *facts)]
    masters = [person for person in world.people if person.job is word]
    if masters and rng.random() < 0.5:
        line = rng.choice(
            ("Эту профессию {p:~выбрал} {p.full}: {p:@nom} живёт {p.home:в loc}.", "Так работает {p.full}.")
        )
        told.append(sentence(line, p=rng.choice(masters)))
    return " ".join(told)


# by attribute of the lexicon: what is known of things
THING_FACTS: dict[str, tuple[str, ...]] = {
    "used": ("{t} {t:>помогать} {x}.", "Чтобы {x}, {t:~нужен} {t}.", "Для чего {t:~нужен} {t}? Чтобы {x}."),
    "worn": ("{t:acc} носят {x}.", "Где носят {t:acc}? {x_c}."),
    "moves": (
        "{t} {t:>перемещаться} {x}.",
        "{x_c} {t:>перемещаться} {t}.",
        "Где {t:>перемещаться} {t}? {x_c}.",
    ),
    "material": ("{t:acc} делают {m:из gen}.", "Из чего делают {t:acc}? {m:^из gen}.", "Материал — {x}."),
    "color": ("Цвет — {x}.", "У {t:gen} {x} цвет.", "Какой цвет у {t:gen}? {x_c}."),
    "taste": ("Вкус — {x}.", "У {t:gen} {x} вкус.", "Какой вкус у {t:gen}? {x_c}."),
    "season": ("Подходящее время года — {x}.", "Время {t:gen} — {x}."),
}
THINGS = ("tool", "kitchen", "clothing", "vehicle", "food", "dish", "fruit", "vegetable", "weather")
TRANSLATED = (
    "По-английски {t} — «{en}».",
    "По-французски {t} — «{fr}».",
    "Английское слово — «{en}», французское — «{fr}».",
)


def thing_entry(rng: random.Random, world: World) -> str:
    """Write what two or three things are for, made of or like."""
    told = []
    for word in rng.sample(lexicon.by_category()[rng.choice(THINGS)], rng.randint(1, 3)):
        facts = [
            fact for fact in THING_FACTS if word.attrs.get(fact) not in (None, "разноцветный", "прозрачный")
        ]
        lines = []
        for fact in rng.sample(facts, min(len(facts), rng.randint(1, 3))):
            value = word.attrs[fact]
            slots = {"t": word.noun, "x": value, "x_c": value.capitalize(), "m": lexicon.lookup().get(value)}
            lines.append(sentence(rng.choice(THING_FACTS[fact]), **slots))
        if rng.random() < 0.5 or not lines:
            lines.append(sentence(rng.choice(TRANSLATED), t=word.noun, en=word.en, fr=word.fr))
        # a line that does not name the thing cannot open its entry
        lines.sort(key=lambda line: word.lemma[:3] not in line.lower())
        if word.lemma[:3] not in lines[0].lower():
            lines.insert(0, f"{word.lemma.capitalize()}.")
        told.append(" ".join(lines))
    return rng.choice((" ", "\n")).join(told)


@cache
def _rows(table: str, held_out: bool) -> tuple[dict[str, str], ...]:
    """Rows of a table on one side of the split."""
    return tuple(row for row in lexicon.read_table(table) if (row["split"] == "held_out") == held_out)


RIVER_FACTS = (
    (
        "{r} — река длиной {km:километр}.",
        "Длина {r:gen} — {km:километр}.",
        "{r} тянется на {km:километр}.",
    ),
    (
        "{r} впадает {into:в acc}.",
        "Куда впадает {r}? {into:^в acc}.",
        "{r} несёт свои воды {into:в acc}.",
    ),
    ("На берегу {r:gen} стоит город {c}.", "Через город {c:acc} течёт {r}.", "{c} — город {r:на loc}."),
    ("{r:в acc} впадает {from_}.", "{from_} — приток {r:gen}.", "Воды {r:dat} приносит {from_}."),
)


def river_entry(rng: random.Random, world: World) -> str:
    """Write an entry about a river: how long it is, where it flows, which towns stand on it."""
    rivers = _rows("rivers", world.held_out)
    row = rng.choice(rivers)
    towns = [city for city in world.cities if city.river.lemma == row["name"]]
    tributaries = [other["name"] for other in rivers if other["flows_into"] == row["name"]]
    slots = {
        "r": noun(row["name"], gender=row["gender"], animate=False),
        "km": Count(row["length_km"]),
        "into": noun(row["flows_into"], animate=False),
        "c": rng.choice(towns) if towns else None,
        "from_": rng.choice(tributaries) if tributaries else None,
    }
    groups = [*RIVER_FACTS[:2], *RIVER_FACTS[2:3] * bool(towns), *RIVER_FACTS[3:] * bool(tributaries)]
    chosen = rng.sample(groups, rng.randint(2, len(groups)))
    return " ".join(sentence(rng.choice(group), **slots) for group in chosen)


BOOK_FACTS = (
    (
        "Книга «{title}» вышла в {year} году.",
        "Книгу «{title}» напечатали в {year} году.",
        "«{title}» — книга {year} года.",
    ),
    ("Книгу «{title}» {author:~написал} {author}.", "Автор книги «{title}» — {author}."),
    ("Книга «{title}» есть в библиотеке города {c:gen}.", "Книгу «{title}» спрашивают в городе {c:loc}."),
    (
        "{p.full} любит книгу «{title}».",
        "Книгу «{title}» {p:~прочитал} {p.full}.",
        "{p.full:dat} подарили книгу «{title}».",
    ),
)


def book_entry(rng: random.Random, world: World) -> str:
    """Write who wrote a book, when it came out and who reads it."""
    row = rng.choice(_rows("books", world.held_out))
    slots = {
        "title": row["title"],
        "year": row["year"],
        "author": noun(row["author_profession"], animate=True),
        "c": rng.choice(world.cities),
        "p": rng.choice(world.people),
    }
    return " ".join(
        sentence(rng.choice(group), **slots) for group in rng.sample(BOOK_FACTS, rng.randint(2, 3))
    )


AGES = (
    "{elder} старше, чем {younger}: {elder:@acc} основали в {elder.founded} году, "
    "а {younger:acc} — в {younger.founded} году.",
    "{younger} моложе, чем {elder}.",
    "Город {elder} появился на {gap:год} раньше, чем город {younger}.",
    "Что старше: {a} или {b}? Старше {elder}.",
    "Что моложе: {a} или {b}? Моложе {younger}.",
    "{elder} {elder:~основан} в {elder.founded} году, {younger} — в {younger.founded} году. "
    "Значит, {elder} старше.",
)
SIZES_OF_TOWNS = (
    "{big:в loc} живёт больше людей, чем {small:в loc}.",
    "Город {big} больше, чем город {small}: {p_big:житель} против {p_small}.",
    "Где больше жителей: {a:в loc} или {b:в loc}? {big:^в loc}.",
    "Где меньше жителей: {a:в loc} или {b:в loc}? {small:^в loc}.",
    "{big:в loc} {p_big:житель}, а {small:в loc} — {p_small}. Значит, {big} больше.",
)
PLACES = (
    "{a} стоит {a.river:на loc}, а {b} — {b.river:на loc}.",
    "Регион города {a} — {a.region}, а регион города {b} — {b.region}.",
    "Город {a} славится {known_a:ins}, а город {b} — {known_b:ins}.",
)


def _by(key: str, a: City, b: City) -> tuple[City, City]:
    return (a, b) if getattr(a, key) < getattr(b, key) else (b, a)


def town_comparison(rng: random.Random, world: World) -> str:
    """Compare two towns: which is older, which is larger, where they stand."""
    a, b = rng.sample(world.cities, 2)
    (elder, younger), (small, big) = _by("founded", a, b), _by("population", a, b)
    slots = {
        "a": a,
        "b": b,
        "elder": elder,
        "younger": younger,
        "gap": Count(younger.founded - elder.founded),
        "big": big,
        "small": small,
        "p_big": Count(big.population),
        "p_small": Count(small.population),
        "known_a": noun(a.known_for),
        "known_b": noun(b.known_for),
    }
    groups = [PLACES, *[AGES] * (a.founded != b.founded), *[SIZES_OF_TOWNS] * (a.population != b.population)]
    return " ".join(
        sentence(rng.choice(group), **slots) for group in rng.sample(groups, rng.randint(1, len(groups)))
    )


KINDS: dict[str, tuple[float, Generator]] = {
    "handbook: animals": (0.02, animal_entry),
    "handbook: trades": (0.02, trade_entry),
    "handbook: things": (0.02, thing_entry),
    "handbook: rivers": (0.015, river_entry),
    "handbook: books": (0.01, book_entry),
    "handbook: two towns": (0.02, town_comparison),
}
