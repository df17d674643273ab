"""Forecasts, timetables, opening hours and lists of things to do or to buy."""

from __future__ import annotations

import random

from course_lib.world import lexicon
from course_lib.world.descriptions import COUNTED
from course_lib.world.diaries import MONTHS, SEASONS, say, wordings
from course_lib.world.facts import WEEKDAYS, World
from course_lib.world.grammar import Count
from course_lib.world.inflection import capitalise

# months by season: temperatures and skies with the advice that goes with them
CLIMATE: dict[str, tuple[tuple[int, int], tuple[tuple[str, str], ...]]] = {
    "winter": (
        (-24, -3),
        (
            ("снег", "snow"),
            ("небольшой снег", "snow"),
            ("сильный снегопад", "snow"),
            ("метель", "snow"),
            ("ясно, мороз", "frost"),
            ("ясно", "frost"),
            ("облачно, без осадков", "frost"),
            ("морозно, иней на деревьях", "frost"),
        ),
    ),
    "spring": (
        (3, 16),
        (
            ("ясно", "sun"),
            ("солнечно", "sun"),
            ("дождь", "rain"),
            ("небольшой дождь", "rain"),
            ("облачно, ветер", "wind"),
            ("туман, потом солнце", "fog"),
            ("переменная облачность", "sun"),
        ),
    ),
    "summer": (
        (17, 32),
        (
            ("ясно", "sun"),
            ("солнечно", "sun"),
            ("солнечно и жарко", "heat"),
            ("гроза", "rain"),
            ("тёплый дождь", "rain"),
            ("ливень с грозой", "rain"),
            ("малооблачно", "sun"),
        ),
    ),
    "autumn": (
        (4, 14),
        (
            ("дождь", "rain"),
            ("мелкий дождь", "rain"),
            ("пасмурно, дождь", "rain"),
            ("туман", "fog"),
            ("ветрено, облачно", "wind"),
            ("сухо и солнечно", "sun"),
            ("прохладно, но ясно", "sun"),
        ),
    ),
}


def degrees(rng: random.Random, value: int, style: int) -> str:
    """Write a temperature in one of several styles."""
    word = Count(abs(value))
    sign = "минус" if value < 0 else "плюс"
    return (f"{value:+d} °C".replace("-", "−"), f"{sign} {abs(value)}", f"{sign} {word:градус}")[style]


def weather(rng: random.Random, world: World) -> str:
    """A forecast by days or by towns, right for the season."""
    texts, month = wordings("notices"), rng.randint(1, 12)
    low, high = CLIMATE[SEASONS[month % 12 // 3]][0]
    skies = CLIMATE[SEASONS[month % 12 // 3]][1]
    city = rng.choice(world.cities)
    style, day, n_lines = rng.randrange(3), rng.randint(1, 20), rng.randint(4, 8)
    by_town = rng.random() < 0.4
    towns = rng.sample(world.cities, n_lines)
    lines, last = [], ""
    base = rng.randint(low + 3, high - 3)
    joint = rng.choice((": ", " — ", ": "))
    order = rng.randrange(2)
    for i in range(n_lines):
        sky, last = rng.choice(skies)
        value = max(low, min(high, base + rng.randint(-3, 3)))
        if last == "heat":
            value = rng.randint(27, 33)
        name = str(towns[i].name) if by_town else f"{day + i} {MONTHS[month - 1]}"
        told = (f"{sky}, {degrees(rng, value, style)}", f"{degrees(rng, value, style)}, {sky}")[order]
        advice = " " + say(rng, texts[f"{last} advice"]) if rng.random() < 0.25 else ""
        lines.append(f"{name}{joint}{told}.{advice}")
    date = f"{day} {MONTHS[month - 1]}"
    if by_town:
        head = rng.choice(
            (f"Погода на {date}", f"Прогноз погоды. {capitalise(date)}", f"Погода в городах, {date}")
        )
    else:
        head = say(
            rng,
            (
                "Погода {c:в loc}",
                "Прогноз погоды: {c}",
                "[Какой будет погода|Что обещают синоптики] {c:в loc}?",
                "{c}: погода на [неделю|ближайшие дни]",
            ),
            c=city,
        )
    ends = ("\n", "\n\n") if head[-1] == "?" else (".\n", "\n", "\n\n")
    return head + rng.choice(ends) + "\n".join(lines)


def clock(rng: random.Random, start: int, end: int, n: int, grid: int = 5) -> list[str]:
    """Draw `n` rising times of day between two hours, in minutes divisible by `grid`."""
    times = sorted(rng.sample(range(start * 60, end * 60, grid), n))
    return [f"{t // 60}:{t % 60:02d}" for t in times]


def trains(rng: random.Random, world: World) -> str:
    """A timetable of departures in the order of time."""
    texts = wordings("notices")
    home, *towns = rng.sample(world.cities, rng.randint(4, 9))
    times = clock(rng, 5, 24, len(towns))
    row = rng.choice(
        ("{time} — {town}", "{time} {town}", "{town}: {time}", "{time} | {town} | платформа {way}")
    )
    lines = [say(rng, texts["train head"], c=home)]
    lines += [
        row.format(time=t, town=c.name, way=rng.randint(1, 6)) for t, c in zip(times, towns, strict=True)
    ]
    if rng.random() < 0.5:
        late = Count(rng.choice((5, 10, 15, 20, 25, 40)))
        lines.append(say(rng, texts["train note"], d=towns[0], e=towns[-1], late=late))
    return "\n".join(lines)


JUNIOR = "математика чтение письмо рисование пение физкультура".split()


SENIOR = (
    "алгебра геометрия физика химия биология география история литература информатика рисование "
    "черчение пение "
    "физкультура".split()
)


def lessons(rng: random.Random, world: World) -> str:
    """A day at school."""
    texts = wordings("notices")
    form = rng.randint(1, 9)
    chosen = rng.sample(JUNIOR if form < 5 else SENIOR, rng.randint(4, 6))
    timed = rng.random() < 0.5
    lines = [say(rng, texts["lesson head"], n=str(form))]
    for i, subject in enumerate(chosen):
        start = 8 * 60 + 30 + 55 * i
        lines.append(
            f"{start // 60}:{start % 60:02d} {subject}" if timed else f"{i + 1}. {capitalise(subject)}"
        )
    if rng.random() < 0.6:
        lines.append(say(rng, texts["lesson note"]))
    return "\n".join(lines)


def opening_hours(rng: random.Random, world: World) -> str:
    """When shops, museums and offices of a town are open."""
    wanted = (
        "библиотека музей аптека магазин рынок пекарня булочная кафе почта банк "
        "поликлиника парикмахерская бассейн каток"
    )
    places = [lexicon.known_noun(lemma) for lemma in rng.sample(wanted.split(), rng.randint(3, 6))]
    city = rng.choice(world.cities)
    row = rng.choice(
        ("{}: с {}:00 до {}:00", "{} — {}:00–{}:00", "{} открывается в {}:00, закрывается в {}:00")
    )
    lines = [
        say(
            rng,
            ("{c}: часы работы", "Когда что открыто {c:в loc}", "{c}. Справочник", "Часы работы, город {c}"),
            c=city,
        )
    ]
    for place in places:
        line = capitalise(row.format(place.lemma, rng.randint(7, 11), rng.randint(17, 22)))
        if rng.random() < 0.4:
            line += rng.choice((", выходной — {}", ", закрыто: {}", " (выходной: {})")).format(
                rng.choice(WEEKDAYS)
            )
        lines.append(line)
    return "\n".join(lines)


def to_do(rng: random.Random, world: World) -> str:
    """A list of things to do or to buy."""
    texts, slots = wordings("notices"), {"p": rng.choice(world.people)}
    bullet = rng.choice(("- ", "[ ] ", "{}. ", "• ", ""))
    if rng.random() < 0.5:
        head = say(rng, texts["todo head"], **slots)
        items = [say(rng, line) for line in rng.sample(texts["todo"], rng.randint(4, 8))]
        # bedtime would stand anywhere among the hours
        if rng.random() < 0.3 and not any(item.startswith("Лечь") for item in items):
            items = [
                f"{time} {item[0].lower()}{item[1:]}"
                for time, item in zip(clock(rng, 8, 22, len(items)), items, strict=True)
            ]
    else:
        head = say(rng, texts["shopping head"], **slots)
        groups = lexicon.by_category()
        pool = [
            w
            for name in ("food", "fruit", "vegetable", "ingredient")
            for w in groups[name]
            if w.lemma != "ягода"
        ]
        chosen = rng.sample(pool, rng.randint(5, 10))
        items = [w.noun.form("nom", w.lemma in COUNTED) for w in chosen]
        if rng.random() < 0.3:
            return f"{head}: {', '.join(items)}."
        items = [item + rng.choice(("", "", "", " — побольше", " — если есть")) for item in items]
    return head + ":\n" + "\n".join(bullet.format(i) + item for i, item in enumerate(items, 1))


SCHEDULES = (trains, lessons, opening_hours, to_do, to_do)


def schedule(rng: random.Random, world: World) -> str:
    """A timetable, opening hours or a list of things to do or to buy."""
    return rng.choice(SCHEDULES)(rng, world)
