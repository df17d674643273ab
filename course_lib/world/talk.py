"""Short forms of everyday writing: tweets, proverbs, jokes, news, dialogues, rude and polite remarks."""

from __future__ import annotations

import random
import re
from typing import Any

from course_lib.world.documents import Generator
from course_lib.world.encyclopaedia import century, person_slots
from course_lib.world.facts import World
from course_lib.world.grammar import Count, sentence
from course_lib.world.inflection import capitalise
from course_lib.world.lexicon import noun

BULLETS = ("", "", "", "- ", "• ", "* ")


def some(
    rng: random.Random, records: tuple[dict[str, Any], ...], low: int, high: int
) -> list[dict[str, Any]]:
    """Draw between `low` and `high` different records."""
    return rng.sample(records, min(len(records), rng.randint(low, high)))


def smiley(rng: random.Random, label: str) -> str:
    """Return the brackets that end a Russian tweet: «)))» when all is well, «(((» when it is not."""
    return (")" if label == "positive" else "(") * rng.choice((1, 2, 3, 3, 3, 4, 5))


def tweets(rng: random.Random, world: World) -> str:
    """A feed of tweets, most of them with a smiley; now and then the feed has one mood."""
    pool = world.texts("tweets")
    mood = rng.choice((None, None, "positive", "negative"))
    chosen = some(rng, tuple(t for t in pool if mood in (None, t["label"])), 2, 7)
    header = ""
    if mood and rng.random() < 0.6:
        header = rng.choice(MOODS[mood]) + "\n"
    space = rng.choice(("", " "))
    bullet = rng.choice(BULLETS)
    smile = 0.0 if mood and header and rng.random() < 0.3 else 0.85
    lines = [
        bullet + t["text"].rstrip(".") + (space + smiley(rng, t["label"]) if rng.random() < smile else "")
        for t in chosen
    ]
    return header + rng.choice(("\n", "\n\n")).join(lines)


MOODS = {
    "positive": (
        "Весёлые твиты",
        "Весёлые твиты:",
        "Хорошие новости дня",
        "Позитивные твиты:",
        "Твиты в хорошем настроении",
    ),
    "negative": (
        "Грустные твиты",
        "Грустные твиты:",
        "Неудачи дня",
        "Негативные твиты:",
        "Твиты в плохом настроении",
    ),
}


def labelled_tweet(rng: random.Random, world: World) -> str:
    """Single tweets with the name of their mood in front or behind, as in the deck's channel templates."""
    lines = []
    for tweet in some(rng, world.texts("tweets"), 1, 5):
        happy = tweet["label"] == "positive"
        text = tweet["text"].rstrip(".")
        end = smiley(rng, tweet["label"]) if rng.random() < 0.5 else "" if text[-1] in "!?…" else "."
        lines.append(
            rng.choice(
                (
                    f"{'Весёлый' if happy else 'Грустный'} твит {text}{end}",
                    f"{'Весёлый' if happy else 'Грустный'} твит: {text}{end}",
                    f"{text}{end} Настроение: {'весёлое' if happy else 'грустное'}.",
                    f"{text}{end} Это {'весёлый' if happy else 'грустный'} твит.",
                )
            )
        )
    return "\n".join(lines)


def proverbs(rng: random.Random, world: World) -> str:
    """Proverbs, by subject or mixed."""
    pool = world.texts("proverbs")
    if rng.random() < 0.4:
        topic = rng.choice(pool)["topic"]
        chosen = some(rng, tuple(p for p in pool if p["topic"] == topic), 2, 8)
        header = rng.choice(
            (f"Пословицы. Тема: {topic}", f"{topic.capitalize()}: пословицы", f"Тема — {topic}.", "Пословицы")
        )
    else:
        chosen = some(rng, pool, 2, 8)
        header = rng.choice(("", "Пословицы", "Народная мудрость", "Пословицы и поговорки:"))
    bullet = rng.choice(BULLETS)
    return "\n".join(filter(None, [header, *(bullet + p["text"] for p in chosen)]))


def jokes(rng: random.Random, world: World) -> str:
    """One to four jokes."""
    joint = rng.choice(("\n\n", "\n\n* * *\n\n"))
    header = rng.choice(("", "", "Анекдот\n\n", "Шутки дня\n\n"))
    return header + joint.join(j["text"] for j in some(rng, world.texts("jokes"), 1, 4))


def news(rng: random.Random, world: World) -> str:
    """News items, with headline before or after the text, with or without a summary."""
    items = []
    for item in some(rng, world.texts("news"), 1, 3):
        short = rng.choice(("Кратко: ", "Коротко: ", "Главное: ", "Итог: ")) + item["summary"]
        items.append(
            rng.choice(
                (
                    f"{item['headline']}\n\n{item['text']}",
                    f"{item['headline']}\n{item['text']}\n{short}",
                    f"{item['text']}\n{short}",
                    f"Новость: {item['text']}\nЗаголовок: {item['headline']}",
                    f"{item['headline']}. {item['summary']}",
                )
            )
        )
    return "\n\n".join(items)


def reading(rng: random.Random, world: World) -> str:
    """A passage with its question and answer."""
    passages = []
    for q in some(rng, tuple(q for q in world.texts("qa") if q.get("context")), 1, 3):
        answer = capitalise(q["answer"])
        passages.append(
            rng.choice(
                (
                    f"{q['context']}\nВопрос: {q['question']}\nОтвет: {answer}",
                    f"{q['context']}\n{q['question']} {answer}.",
                    f"Текст: {q['context']}\n\nВопрос: {q['question']}\n\nОтвет: {answer}.",
                    f"— {q['question']}\n— {answer}. {q['context']}",
                )
            )
        )
    return "\n\n".join(passages)


# what stands before the rude remark and before the polite one
MANNERS = (
    ("Грубо: ", "Вежливо: "),
    ("Так не говорят: ", "Так говорят: "),
    ("— ", "— "),
    ("", ""),
    ("Было: ", "Стало: "),
)
JOINTS = ("\n", "\n", " => ", " → ")


def lesson(rng: random.Random, pairs: list[dict[str, Any]], names: tuple[str, str], joint: str) -> str:
    """Write rude remarks with their polite versions, with or without a heading."""
    header = rng.choice(("", "", "Скажи вежливо:\n", "Перепиши вежливо:\n", "Школа вежливости\n"))
    lines = [f"{names[0]}{p['toxic']}{joint}{names[1]}{p['polite']}" for p in pairs]
    return header + ("\n\n" if joint == "\n" else "\n").join(lines)


def manners(rng: random.Random, world: World) -> str:
    """Rude remarks and how they are said politely."""
    names, joint = rng.choice(MANNERS), rng.choice(JOINTS)
    return lesson(rng, some(rng, world.texts("detox"), 2, 6), names, joint)


SPEAKERS = (
    ("Пользователь: ", "Ассистент: "),
    ("— ", "— "),
    ("Человек: ", "Помощник: "),
    ("Вопрос: ", "Ответ: "),
)


def dialogues(rng: random.Random, world: World) -> str:
    """A talk with the assistant."""
    talk = rng.choice(world.texts("dialogues"))["messages"]
    asks = all("?" in m["content"] for m in talk if m["role"] == "user")
    user, assistant = rng.choice(SPEAKERS[:1] * 3 + SPEAKERS[: None if asks else -1])
    return "\n".join((user if m["role"] == "user" else assistant) + m["content"] for m in talk)


FACT_TALK = (
    ("Когда был основан город {c}?", "Город {c} основан в {c.founded} году."),
    ("В каком веке появился город {c}?", "В {century} веке: город {c} основан в {c.founded} году."),
    ("На какой реке стоит {c}?", "{c} стоит {c.river:на loc}."),
    ("Скажите, пожалуйста, какая река течёт {c:в loc}?", "{c:в loc} течёт {c.river}."),
    ("Чем известен город {c}?", "Город {c} славится {known:ins}."),
    ("Какой символ у города {c:gen}?", "Символ города {c:gen} — {known}."),
    ("В каком регионе находится город {c}?", "Регион города {c:gen} — {c.region}."),
    ("Сколько человек живёт {c:в loc}?", "{c:в loc} живёт примерно {people:человек}."),
    ("Что посмотреть {c:в loc}?", "Обязательно посмотрите {sight:acc}."),
    ("Какой город старше: {c} или {d}?", "Старше {elder}: {elder:@acc} основали в {elder.founded} году."),
    ("Где живёт {p.full}?", "{p.full} живёт {p.home:в loc}."),
    ("Сколько лет {p.full:dat}?", "{p.full:dat} {p.age:год}."),
    ("Какой цвет любит {p.full}?", "Любимый цвет {p.full:gen} — {p.colour}."),
    ("Чем увлекается {p.full}?", "{p.full} любит {p.hobby}."),
    ("Чем угостить {p.full:acc}?", "Больше всего {p.name} любит {p.food:acc}."),
    ("Какая любимая еда у {p.full:gen}?", "Любимая еда {p.full:gen} — {p.food}."),
    ("Как {p.full} добирается в гости?", "{p.full} обычно добирается {p.travels}."),
    ("{p.name} и {q.name} живут в одном городе?", "{same}"),
    (
        "{p.full:dat} больше лет, чем {q.full:dat}?",
        "{older} {p.full:dat} {p.age:год}, а {q.full:dat} — {q.age:год}.",
    ),
)


TOGETHER = "Да: и {p.full}, и {q.full} живут {p.home:в loc}."
APART = "Нет: {p.full} живёт {p.home:в loc}, а {q.full} — {q.home:в loc}."


def fact_talk(rng: random.Random, world: World) -> str:
    """Questions about towns and residents, answered from the facts."""
    turns = []
    user, assistant = rng.choice(SPEAKERS)
    city, other = rng.sample(world.cities, 2)
    person, friend = rng.sample(world.people, 2)
    elder = city if city.founded < other.founded else other
    slots: dict[str, Any] = {
        "c": city,
        "d": other,
        "elder": elder,
        "century": century(city.founded),
        "people": Count(city.population),
        "known": noun(city.known_for),
        "sight": noun(rng.choice(city.sights)),
        "p": person,
        "q": friend,
        "same": sentence(TOGETHER if person.home is friend.home else APART, p=person, q=friend),
        "older": "Да:" if person.age > friend.age else "Нет:",
    }
    for question, answer in rng.sample(FACT_TALK, rng.randint(1, 5)):
        turns += [user + sentence(question, **slots), assistant + sentence(answer, **slots)]
    return "\n".join(turns)


FORWARD = (
    "{cause} Поэтому {effect}",
    "{cause} Из-за этого {effect}",
    "{cause} И вот что вышло: {effect}",
    "Причина: {cause} Следствие: {effect_c}",
    "{cause} Что случилось потом? {effect_c}",
)
BACKWARD = (
    "{effect_c} Это случилось потому, что {cause_l}",
    "{effect_c} Почему так вышло? {cause}",
    "{effect_c} Причина простая: {cause_l}",
)
# an effect that speaks of «him» or «them» cannot stand before its cause
PRONOUN = re.compile(
    r"\b(он|она|оно|они|н?его|н?её|н?их|н?ему|н?ей|н?им|н?ими|нём|ней|там|туда|оттуда)\b", re.IGNORECASE
)


def uncapitalised(text: str, world_names: frozenset[str]) -> str:
    """Return `text` with a small first letter, unless it begins with a name."""
    first = text.split()[0].strip(",.!?«»")
    return text if first in world_names else text[0].lower() + text[1:]


def causes(rng: random.Random, world: World) -> str:
    """What led to what."""
    names = frozenset(form for p in world.people for form in (p.name.lemma, p.short.lemma))
    lines = []
    for pair in some(rng, world.texts("causes"), 1, 4):
        cause, effect = pair["cause"], pair["effect"]
        lines.append(
            sentence(
                rng.choice(FORWARD if PRONOUN.search(effect) else FORWARD + BACKWARD),
                cause=cause,
                effect_c=effect,
                cause_l=uncapitalised(cause, names),
                effect=uncapitalised(effect, names),
            )
        )
    return "\n".join(lines)


CHECKS = (
    ("{p.full} живёт {p.home:в loc}.", "{p.name} живёт {other.home:в loc}.", "home"),
    ("{p.full:dat} {p.age:год}.", "{p.name:dat} {other.age:год}.", "age"),
    ("Любимый цвет {p.full:gen} — {p.colour}.", "любимый цвет {p.name:gen} — {other.colour}.", "colour"),
    ("Главное увлечение {p.full:gen} — {p.hobby}.", "больше всего {p.name} любит {other.hobby}.", "hobby"),
    (
        "Любимая еда {p.full:gen} — {p.food}.",
        "из всей еды {p.name} больше всего любит {other.food:acc}.",
        "food",
    ),
    (
        "{p.full} всегда добирается в гости {p.travels}.",
        "{p.name} добирается в гости {other.travels}.",
        "travels",
    ),
)


def conclusions(rng: random.Random, world: World) -> str:
    """What follows from what was said, what contradicts it, and what remains unknown."""
    lines = []
    verdicts = rng.choice((("да", "нет", "неизвестно"), ("верно", "неверно", "может быть")))
    for _ in range(rng.randint(2, 6)):
        person, other = rng.sample(world.people, 2)
        premise, claim, fact = rng.choice(CHECKS)
        told = person if rng.random() < 0.45 else other
        if rng.random() < 0.25:
            _, claim, asked = rng.choice([check for check in CHECKS if check[2] != fact])
            verdict = verdicts[2]
        else:
            asked = fact
            verdict = verdicts[getattr(told, asked) != getattr(person, asked)]
        slots = {"p": person, "other": told}
        ask = rng.choice(("Верно ли, что {0}? Ответ: {1}.", "Вывод: {0}. {1}."))
        claimed = claim.format(**slots).rstrip(".")
        lines.append(sentence(premise, **slots) + " " + ask.format(claimed, verdict.capitalize()))
    return "\n".join(lines)


def card(rng: random.Random, world: World) -> str:
    """A resident introduces himself."""
    person = rng.choice(world.people)
    slots = person_slots(person)
    lines = ["Меня зовут {p.full}.", "Мне {p.age:год}.", "Я живу {p.home:в loc}.", "Я люблю {p.hobby}."]
    lines += ["Мой любимый цвет — {p.colour}.", "Из еды я больше всего люблю {p.food:acc}."]
    if person.job:
        lines.append("Я {job}.")
    if person.pet:
        lines.append("У меня есть {species} {pet}.")
    chosen = [lines[0], *rng.sample(lines[1:], rng.randint(2, 5))]
    return rng.choice(("", "Здравствуйте! ", "Привет! ")) + " ".join(
        sentence(line, **slots) for line in chosen
    )


KINDS: dict[str, tuple[float, Generator]] = {
    "tweets": (0.012, tweets),
    "tweets: labelled": (0.006, labelled_tweet),
    "proverbs": (0.012, proverbs),
    "jokes": (0.012, jokes),
    "news": (0.006, news),
    "reading": (0.008, reading),
    "manners": (0.006, manners),
    "dialogues": (0.04, dialogues),
    "dialogues: facts": (0.05, fact_talk),
    "causes": (0.006, causes),
    "conclusions": (0.04, conclusions),
    "cards": (0.02, card),
}
