"""News of the micro-world's towns, made by the hundred thousand from the tables in `data/frames/news.txt`."""

from __future__ import annotations

import random
from typing import Any

from course_lib.world.documents import Generator
from course_lib.world.facts import World
from course_lib.world.frames import Text, frames, sentences, world_slots
from course_lib.world.grammar import decide, sentence

# a last sentence that tells something true of the town; {known} and {sight} are in the nominative
ABOUT_TOWN = (
    "{town} стоит {town.river:на loc}.",
    "[Напомним|Напоминаем]: {town} стоит {town.river:на loc}, регион — {town.region}.",
    "Город основан в {town.founded} году.",
    "[Гордость|Главная гордость] города — {known}.",
    "[Напомним|Напоминаем], чем славится {town}: это {known}.",
    "Гостям города [советуют посмотреть|показывают] достопримечательности, среди них {sight}.",
    "{first} в свободное время любит {hobby}.",
    "[Фотографии смотрите|Подробности читайте] в [завтрашнем|следующем] номере.",
    "Об этом [сообщила|рассказала] городская газета.",
)


def news_slots(rng: random.Random, world: World) -> dict[str, Any]:
    """Draw the hero of a news item with the hero's town and trade, and a guest from another town."""
    slots = world_slots(rng, world)
    hero = rng.choice(world.people)
    while hero.job is None:
        hero = rng.choice(world.people)
    guest = rng.choice(world.people)
    while guest.job is None or guest.home is hero.home:
        guest = rng.choice(world.people)
    return slots | {
        "hero": hero.full,
        "first": hero.name,
        "hobby": hero.hobby,
        "job": hero.trade,
        "resident": Text("жительница" if hero.gender == "f" else "житель"),
        "town": hero.home,
        "known": hero.home.known_for,
        "sight": rng.choice(hero.home.sights),
        "other": guest.full,
        "job2": guest.trade,
    }


def make_news(rng: random.Random, world: World) -> dict[str, str]:
    """Make a news item; what it says of towns and residents is true in the world.

    Args:
        rng: source of chance.
        world: whose towns and residents it tells of.

    Returns:
        `headline`, `text` (three to five sentences) and `summary`, one sentence that follows from the text.
    """
    frame = rng.choice(frames("news"))
    slots = {**news_slots(rng, world), **frame.draw(rng)}
    order = sorted(key for key in frame.templates if key.isdigit())
    lines = [sentences(frame.pick(rng, key), **slots) for key in order]
    if rng.random() < 0.4:
        lines.append(sentences(decide(rng, rng.choice(ABOUT_TOWN)), **slots))
    return {
        "headline": sentence(frame.pick(rng, "h"), **slots),
        "text": " ".join(lines),
        "summary": sentence(frame.pick(rng, "s"), **slots),
    }


LAYOUTS = (
    "{headline}\n\n{text}",
    "{headline}\n\n{text}",
    "{headline}\n{text}\n{short} {summary}",
    "{text}\n{short} {summary}",
    "{text}\n\n{short} {summary}",
    "Новость: {text}\nЗаголовок: {headline}",
    "Новость: {text} {short} {summary}",
    "{headline}. {summary}",
    "{text}",
    "Текст: {text}\nКратко: {summary}",
)
SHORT = ("Кратко:", "Кратко:", "Коротко:", "Главное:", "Итог:")


def news_page(rng: random.Random, world: World) -> str:
    """One to three news items in one layout, or each in its own."""
    same = rng.choice(LAYOUTS) if rng.random() < 0.6 else None
    items = [
        (same or rng.choice(LAYOUTS)).format(**make_news(rng, world), short=rng.choice(SHORT))
        for _ in range(rng.choice((1, 1, 2, 3)))
    ]
    return "\n\n".join(items)


def headlines(rng: random.Random, world: World) -> str:
    """The headlines of the day."""
    header = rng.choice(("Новости дня", "Коротко о главном", "В номере:", ""))
    bullet = rng.choice(("", "- ", "• ", "— "))
    key = rng.choice(("headline", "headline", "summary"))
    lines = [bullet + make_news(rng, world)[key] for _ in range(rng.randint(3, 7))]
    return "\n".join(filter(None, [header, *lines]))


KINDS: dict[str, tuple[float, Generator]] = {
    "press: news": (0.05, news_page),
    "press: headlines": (0.008, headlines),
}
