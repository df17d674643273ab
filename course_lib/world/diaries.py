"""First-person writing: diaries, letters and postcards of the residents, true to what is known of them.

The wordings are in `data/happenings.txt`. Besides the braces of `grammar` a line there may hold choices,
"[утром|днём] мы пошли домой", of which one is drawn, and verbs of the narrator: "*пошёл" is "{me:~пошёл}".
What stands before "::" says where a line fits (season, weather, pet, …; with a minus, where it does not).
"""

from __future__ import annotations

import datetime
import random
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from course_lib.world import lexicon
from course_lib.world.documents import Generator
from course_lib.world.encyclopaedia import person_slots
from course_lib.world.facts import WEEKDAYS, Person, World
from course_lib.world.grammar import decide, phrase, sentence

MONTHS = "января февраля марта апреля мая июня июля августа сентября октября ноября декабря".split()
SEASONS = ("winter", "spring", "summer", "autumn")
PET_KINDS = {
    "cat": ("кот", "кошка"),
    "dog": ("пёс", "собака"),
    "horse": ("конь", "лошадь"),
    "yard": ("корова", "коза"),
    "cage": ("хомяк", "кролик"),
    "parrot": ("попугай",),
    "tortoise": ("черепаха",),
}
YOUNG_KIN = "мама папа бабушка дедушка сестра брат тётя дядя".split()
ADULT_KIN = "мама папа сестра брат тётя племянница племянник".split()
OLD_KIN = "дочь сын внук внучка сестра брат племянница".split()
THINGS = "шарф шапка свитер куртка рубашка зонт рюкзак кружка лампа тетрадь ручка сумка кепка чашка".split()


@cache
def wordings(file: str) -> dict[str, tuple[str, ...]]:
    """Read a file of wordings: sections begin with "## name", every other line is one wording."""
    sections: dict[str, list[str]] = {}
    name = ""
    for line in (lexicon.DATA / f"{file}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            name = line[3:]
            sections[name] = []
        elif line:
            sections[name].append(line)
    return {name: tuple(lines) for name, lines in sections.items()}


def _capital(match: re.Match[str]) -> str:
    return f"{match[1]}{{{match[2]}:^" + ("}" if match[3] == "}" else "")


@cache
def _expanded(template: str) -> str:
    """Write out what these files abbreviate: the capital that begins a sentence, and the narrator's verbs."""
    template = re.sub(r"([.!?] )\{(kin|pet|friend|species|food|thing|x)([:}])", _capital, template)
    template = re.sub(r"\*([А-ЯЁ]\w*)", lambda m: f"{{me:^~{m[1].lower()}}}", template)
    return re.sub(r"\*(\w+)", r"{me:~\1}", template)


def say(rng: random.Random, template: str | tuple[str, ...], **slots: Any) -> str:
    """Say one thing: draw a template, draw its choices, fill its slots.

    Args:
        rng: source of chance.
        template: one template or several to draw from.
        slots: what the template may name.

    Returns:
        The finished sentence or sentences.
    """
    chosen = template if isinstance(template, str) else rng.choice(template)
    return sentence(decide(rng, _expanded(chosen)), **slots)


@cache
def parted(line: str) -> tuple[str, ...]:
    """Split a line of wordings at its "::"."""
    return tuple(part.strip() for part in line.split("::"))


@cache
def _needs(text: str) -> tuple[frozenset[str], frozenset[str]]:
    words = text.split()
    return frozenset(w for w in words if w[0] != "-"), frozenset(w[1:] for w in words if w[0] == "-")


def fits(needs: str, tags: frozenset[str]) -> bool:
    """Tell whether what must hold ("rain") does and what must not ("-winter") does not."""
    wanted, unwanted = _needs(needs)
    return wanted <= tags and not unwanted & tags


@dataclass(frozen=True)
class Narrator:
    """Somebody who writes.

    Attributes:
        person: the resident.
        slots: what the sentences may name.
        tags: what always holds of the narrator (child, pet, friend, …).
    """

    person: Person
    slots: dict[str, Any]
    tags: frozenset[str]


def narrator(rng: random.Random, world: World) -> Narrator:
    """Choose a resident to write in the first person, with a relative and, if there is one, a neighbour."""
    me = rng.choice(world.people)
    tags = {"child" if me.age < 18 else "adult"}
    kin = rng.choice(YOUNG_KIN if me.age < 18 else ADULT_KIN if me.age < 55 else OLD_KIN)
    near = [p for p in world.people if p.home is me.home and p is not me and abs(p.age - me.age) < 20]
    trip = rng.choice([city for city in world.cities if city is not me.home])
    slots = person_slots(me) | {
        "me": me,
        "kin": phrase("мой", lexicon.known_noun(kin)),
        "food": me.food,
        "home": me.home,
        "hobby": me.hobby,
        "thing": phrase(me.colour, lexicon.known_noun(rng.choice(THINGS))),
        "trip": trip,
        "sight": rng.choice(trip.sights),
    }
    if me.pet:
        slots["species"] = lexicon.known_noun(me.pet[1])
        tags |= {"pet"} | {kind for kind, species in PET_KINDS.items() if me.pet[1] in species}
    if near:
        slots["friend"] = rng.choice(near)
        tags.add("friend")
    if me.job:
        tags.add("job")
        place = lexicon.lookup().get(me.job.attrs["place"])
        if place and place.category == "building" and place.lemma != "дом":
            tags.add("work")
            slots["at_work"] = format(place, f"{place.attrs['prep']} loc")
    return Narrator(me, slots, frozenset(tags))


class Day:
    """What one document tells of: each event once.

    Args:
        rng: source of chance.
        who: the narrator.
    """

    def __init__(self, rng: random.Random, who: Narrator) -> None:
        self.rng, self.who = rng, who
        self.told: set[int] = set()

    def weather(self, season: str) -> tuple[str, str]:
        """Choose a day's weather: its tag and its sentence."""
        tag, template = parted(self.rng.choice(wordings("happenings")[f"weather {season}"]))
        return tag, say(self.rng, template, **self.who.slots)

    def event(self, tags: frozenset[str]) -> tuple[str, str]:
        """Tell an event that fits `tags` and was not told yet: the text and its mood, "+", "-" or "0"."""
        events = wordings("happenings")["events"]
        while True:
            index = self.rng.randrange(len(events))
            needs, mood, beats = parted(events[index])
            if index not in self.told and fits(needs, tags):
                self.told.add(index)
                self.who.slots["thing"] = phrase(
                    self.who.person.colour, lexicon.known_noun(self.rng.choice(THINGS))
                )
                return self.run(beats), mood

    def run(self, beats: str) -> str:
        """Tell beats that follow one another, separated by "//"."""
        return " ".join(stop(say(self.rng, beat.strip(), **self.who.slots)) for beat in beats.split("//"))

    def hobby(self, tags: frozenset[str]) -> str:
        """Tell what the narrator's hobby came to, or nothing where it is out of season."""
        found = [
            parted(line)[1]
            for line in wordings("happenings")["hobby"]
            if parted(line)[0].endswith(self.who.person.hobby)
            and fits(parted(line)[0].removesuffix(self.who.person.hobby), tags)
        ]
        return self.run(self.rng.choice(found)) if found else ""

    def line(self, section: str, tags: frozenset[str]) -> str:
        """Say a line of a section whose needs hold."""
        lines = [parted(line) for line in wordings("happenings")[section]]
        return say(self.rng, tuple(text for needs, text in lines if fits(needs, tags)), **self.who.slots)


def stop(text: str) -> str:
    """End a sentence with a full stop where nothing else ends it."""
    return text if text[-1] in ".!?…" or text.endswith((".»", "!»", "?»")) else text + "."


def season_of(month: int) -> str:
    """Return the season of a month (1 is January)."""
    return SEASONS[month % 12 // 3]


def date_line(day: datetime.date, style: int) -> str:
    """Write a date in one of several styles."""
    date, weekday = f"{day.day} {MONTHS[day.month - 1]}", WEEKDAYS[day.weekday()]
    styles = (
        date,
        f"{date}, {weekday}",
        f"{weekday}, {date}".capitalize(),
        f"{date}.",
        f"{date} {day.year} года",
    )
    return styles[style]


def diary(rng: random.Random, world: World) -> str:
    """One to four dated entries of one resident."""
    who = narrator(rng, world)
    texts, told = wordings("happenings"), Day(rng, who)
    day = datetime.date(rng.randint(1990, 2024), rng.randint(1, 12), rng.randint(1, 28))
    n_entries, style = rng.choice((1, 2, 2, 3, 3, 4)), rng.randrange(5)
    arcs = [parted(line)[2] for line in texts["arcs"] if fits(parted(line)[0], who.tags)]
    arc = rng.choice(arcs).split(">>") if n_entries > 1 and rng.random() < 0.7 else []
    joint, glue = rng.choice(
        (("\n", "\n\n"), (" — ", "\n"), ("\n\n", "\n\n"), (". ", "\n\n"), (": ", "\n\n"))
    )
    entries = []
    for i in range(n_entries):
        season = season_of(day.month)
        weather, said = told.weather(season)
        tags = who.tags | {season, weather}
        if who.person.travels not in ("на лодке", "на велосипеде") or season == "summer":
            tags |= {"ride"}
        parts = [said] if rng.random() < 0.75 or weather in ("rain", "thaw") else []
        parts += [say(rng, texts["about"], **who.slots)] if i == 0 and rng.random() < 0.25 else []
        if i < len(arc):
            parts.append(say(rng, arc[i].strip("! "), **who.slots))
        elif rng.random() < 0.5:
            parts.append(told.hobby(tags) if rng.random() < 0.6 else told.event(tags)[0])
        mood = ""
        # "!" marks a part of a story that leaves no room for everyday events (an illness, a journey)
        if i >= len(arc) or "!" not in arc[i][:3]:
            happened, mood = told.event(tags)
            parts.append(happened)
        if mood and rng.random() < 0.55:
            parts.append(say(rng, texts[f"mood {mood}"], **who.slots))
        elif mood and rng.random() < 0.4:
            parts.append(told.line("plan", tags))
        head = date_line(day, style)
        head = head if joint[0] == "\n" else head.rstrip(".")
        entries.append(head + joint + " ".join(filter(None, parts)))
        day += datetime.timedelta(days=rng.choice((1, 1, 2, 3, 7)))
    title = say(rng, texts["title"], **who.slots) + "\n\n" if rng.random() < 0.4 else ""
    return title + glue.join(entries)


def addressed(rng: random.Random, world: World, who: Narrator) -> frozenset[str]:
    """Choose somebody from another town to write to; adds to the narrator's slots, returns the tags."""
    friend = rng.choice(world.people)
    while friend.home is who.person.home:
        friend = rng.choice(world.people)
    who.slots["friend"] = friend
    if friend.pet:
        who.slots["fpet"] = friend.pet[0]
    return (who.tags - {"friend"}) | ({"fpet"} if friend.pet else set())


def letter(rng: random.Random, world: World) -> str:
    """A letter to somebody in another town, to «ты» or to polite «Вы»."""
    who = narrator(rng, world)
    tags = addressed(rng, world, who)
    texts, told = wordings("happenings"), Day(rng, who)
    polite = who.slots["friend"].age >= 18 and rng.random() < 0.4
    manner = "polite" if polite else "familiar"
    season = rng.choice(SEASONS)
    weather, said = told.weather(season)
    tags |= {season, weather}
    slots = who.slots
    body = [say(rng, texts[f"letter opening {manner}"], **slots)]
    news = [told.event(tags)[0] for _ in range(rng.choice((1, 1, 2)))]
    body += [said] if rng.random() < 0.6 or weather in ("rain", "thaw") else []
    if who.person.pet and who.person.pet[0].lemma[:4] in " ".join(news):
        tags -= {"pet"}
    facts = [told.line("letter fact", tags)] if rng.random() < 0.7 else []
    question = told.line(f"letter question {manner}", tags)
    closing = say(rng, texts[f"letter closing {manner}"], **slots)
    mine = "{me:^~ваш}" if polite else "{me:^~твой}"
    signed = say(rng, f"[{mine} |]" + ("{p.full}" if polite else "[{me}|{p.short}]"), **slots)
    if closing.endswith(","):
        signed = say(rng, "{p.full}", **slots)
    break_ = rng.choice(("\n", "\n\n", " "))
    middle = break_.join((" ".join(body), " ".join(news + facts), question))
    glue = rng.choice(("\n", "\n\n"))
    parts = [say(rng, texts[f"letter greeting {manner}"], **slots), middle, closing, signed]
    if rng.random() < 0.2:
        parts.append(say(rng, texts["postscript"], **slots))
    if rng.random() < 0.3:
        day = datetime.date(2001, rng.choice(season_months(season)), rng.randint(1, 28))
        parts.insert(rng.choice((0, 4)), date_line(day, 0))
    return glue.join(parts)


def season_months(season: str) -> tuple[int, ...]:
    """Return the months of a season."""
    return tuple(month for month in range(1, 13) if season_of(month) == season)


def postcard(rng: random.Random, world: World) -> str:
    """A postcard from a journey, or good wishes."""
    who = narrator(rng, world)
    addressed(rng, world, who)
    texts, slots = wordings("happenings"), who.slots
    if rng.random() < 0.6:
        lines = [say(rng, texts["postcard greeting"], **slots)]
        body = rng.sample(texts["postcard body"], rng.randint(3, 5))
        lines += [say(rng, line, **slots) for line in body] + [say(rng, texts["postcard end"], **slots)]
    else:
        greetings = ("{friend:^~дорогой} {friend.short}!", "{friend.short}!", "Здравствуй, {friend}!")
        lines = [say(rng, greetings, **slots)]
        lines.append(say(rng, texts["wish occasion"], **slots))
        lines += [say(rng, line, **slots) for line in rng.sample(texts["wish"], rng.randint(3, 4))]
    signed = say(rng, "[{me:^~твой} |]{p.short}", **slots)
    text = rng.choice((" ", "\n")).join(lines) + "\n" + signed
    if rng.random() < 0.35:
        text = say(rng, "[Кому|Куда и кому]: {friend.home}, {friend.full:dat}", **slots) + "\n\n" + text
    return text


KINDS: dict[str, tuple[float, Generator]] = {
    "diary": (0.03, diary),
    "letter": (0.02, letter),
    "postcard": (0.012, postcard),
}
