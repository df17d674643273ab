"""Everyday talk: scenes in shops, schools and stations, and messages of two friends who agree to meet."""

from __future__ import annotations

import random
from typing import Any

from course_lib.world import lexicon
from course_lib.world.diaries import (
    SEASONS,
    THINGS,
    Narrator,
    fits,
    narrator,
    parted,
    say,
    wordings,
)
from course_lib.world.documents import Generator
from course_lib.world.facts import COLOURS, World
from course_lib.world.grammar import Count, phrase
from course_lib.world.talk import smiley

# where one may be shown the way to: with the preposition of direction
SPOTS = "музей театр библиотека почта вокзал аптека рынок школа больница гостиница банк стадион".split()
TEMPERATURES = (
    "тридцать восемь",
    "тридцать семь и пять",
    "небольшая, тридцать семь",
    "тридцать восемь и два",
)
SHOPPING = "сыр колбаса творог рыба сметана виноград клубника капуста картофель халва печенье".split()
VEGETABLES = "картофель морковь свёкла капуста огурец помидор кабачок".split()
DISHES = "борщ суп плов омлет салат пирог рагу гуляш каша запеканка уха жаркое окрошка солянка".split()
LAYOUTS = (
    "{name}: {said}",
    "{name}: {said}",
    "[{time}] {name}: {said}",
    "{name}\n{said}",
    "{time} {name}: {said}",
    "— {said}",
)
DRINKS = "чай кофе какао сок компот морс квас лимонад".split()


def scene_slots(rng: random.Random, world: World) -> tuple[Narrator, dict[str, Any]]:
    """Choose who talks and what the scenes may name."""
    who = narrator(rng, world)
    friend = rng.choice([p for p in world.people if p is not who.person and p.name is not who.person.name])
    city, price = rng.choice(world.cities), rng.randint(4, 60) * 10
    spot = lexicon.lookup()[rng.choice(SPOTS)]
    food, second = rng.sample(SHOPPING, 2)
    return who, who.slots | {
        "q": friend,
        "c": city,
        "sight": rng.choice(city.sights),
        "price": Count(price),
        "less": Count(price - 10 * rng.randint(1, 3)),
        "food": lexicon.known_noun(food),
        "food2": lexicon.known_noun(second),
        "thing": phrase(rng.choice(COLOURS), lexicon.known_noun(rng.choice(THINGS))),
        "ache": say(rng, wordings("conversations")["ache"]).lower(),
        "news": say(rng, wordings("conversations")["news"]).lower(),
        "temp": rng.choice(TEMPERATURES),
        "spot_to": format(spot, f"{spot.attrs['prep']} acc"),
        "hour": rng.randint(7, 11),
        "hours": rng.choice("семь восемь девять десять одиннадцать двенадцать".split()),
        "min": rng.choice(("05", "15", "20", "35", "40", "55")),
        "dish": lexicon.known_noun(rng.choice(DISHES)),
        "drink": lexicon.known_noun(rng.choice(DRINKS)),
        "veg": lexicon.known_noun(rng.choice(VEGETABLES)),
    }


def everyday(rng: random.Random, world: World) -> str:
    """A scene of everyday life: two speakers who answer one another."""
    who, slots = scene_slots(rng, world)
    scenes = [parted(line) for line in wordings("conversations")["scenes"]]
    grown = who.person.age >= 18
    scenes = [s for s in scenes if not (grown and s[0].startswith(("Учитель", "Мама")))]
    roles, turns = rng.choice([s for s in scenes if "{pet}" not in s[1] or who.person.pet])
    names = [say(rng, role.strip(), **slots) for role in roles.split(";")]
    named = rng.random() < 0.5
    lines = []
    for turn in turns.split("//"):
        turn = turn.strip()
        # "? … / …" is a question with its answer that may be left out
        if turn[0] == "?":
            if rng.random() < 0.5:
                continue
            turn = turn[1:].strip()
        for part in turn.split(" / "):
            speaker, said = part.strip().split(" ", 1)
            lead = f"{names[speaker == 'B']}: " if named else "— "
            lines.append(lead + say(rng, said, **slots))
    if not named and rng.random() < 0.3:
        title = rng.choice(("Разговор", "Диалог", "Сценка", f"{names[0]} и {names[1]}"))
        lines.insert(0, title + rng.choice(("", ".")))
    return "\n".join(lines)


def messages(rng: random.Random, world: World) -> str:
    """Messages of two friends who agree on a meeting, or cannot meet."""
    texts = wordings("conversations")
    who, other = narrator(rng, world), narrator(rng, world)
    while other.person.name is who.person.name or abs(other.person.age - who.person.age) > 15:
        other = narrator(rng, world)
    a, b = who.person, other.person
    tags = frozenset({rng.choice(SEASONS), "any"})
    plans = [parted(line) for line in texts["meet"]]
    _, where, extra = rng.choice([plan for plan in plans if fits(plan[0], tags)])
    slots_a = who.slots | {"p": a, "q": b, "me": a, "where": say(rng, where, **who.slots).lower()}
    slots_a["extra"] = say(rng, extra, **who.slots)
    slots_a["extra"] = slots_a["extra"][0].lower() + slots_a["extra"][1:]
    slots_a["hour"] = str(rng.choice((9, 10, 11, 12, 14, 15, 16, 17, 18, 19)))
    slots_b = other.slots | {"p": a, "q": b, "me": b, "hour": slots_a["hour"]}
    meets, when = rng.random() < 0.65, "chat time home" if "ко мне" in slots_a["where"] else "chat time"
    talk = [("a", "chat hello", 0.2), ("b", "chat hello back", 0.3)]
    if a.pet and rng.random() < 0.2:
        talk.append(("a", "chat pet", 0.5))
    elif b.pet and rng.random() < 0.2:
        slots_a["bpet"] = b.pet[0]
        talk.append(("a", "chat friend pet", 0.5))
    talk.append(("a", "chat invite", 0.3))
    if meets:
        talk += [("b", "chat yes", 0.8), ("b", "chat when", 0.0), ("a", when, 0.1), ("b", "chat fine", 0.6)]
        talk += [("a", "chat bye", 0.6)] if rng.random() < 0.7 else []
    else:
        talk += [("b", "chat no", 0.8), ("a", "chat sorry", 0.8), ("b", "chat later", 0.3)]
        talk += [("a", "chat agreed", 0.4)] if rng.random() < 0.5 else []
    names = {"a": str(rng.choice((a.name, a.short))), "b": str(rng.choice((b.name, b.short)))}
    layout = rng.choice(LAYOUTS)
    minute, lower = rng.randint(9 * 60, 21 * 60), rng.random() < 0.3
    lines = []
    for speaker, section, happy in talk:
        said = say(rng, texts[section], **(slots_a if speaker == "a" else slots_b))
        if rng.random() < happy:
            sad = section in ("chat no", "chat sorry")
            said = said.rstrip(".!…") + smiley(rng, "negative" if sad else "positive")
        # a message may begin with a small letter, a name may not
        if lower and section != "chat pet" and not said.startswith((str(a.short), str(b.short))):
            said = said[0].lower() + said[1:]
        lines.append(layout.format(name=names[speaker], said=said, time=f"{minute // 60}:{minute % 60:02d}"))
        minute += rng.choice((0, 1, 1, 2, 3))
    return "\n".join(lines)


KINDS: dict[str, tuple[float, Generator]] = {
    "dialogue: everyday": (0.016, everyday),
    "messages": (0.014, messages),
}
