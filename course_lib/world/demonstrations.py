"""Demonstrations of what an assistant should answer, in the ten use cases of InstructGPT's prompts.

Slide "Stage 1", table 1: the use cases and their shares. A fifth is hand-written (`data/dialogues.jsonl`);
the others are made from what the world knows, asked as labelers and as customers ask.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import Any

from course_lib.world import lexicon, stories
from course_lib.world.encyclopaedia import (
    CITY_FACTS,
    CITY_OPENINGS,
    PERSON_FACTS,
    PERSON_OPENINGS,
    city_slots,
    person_slots,
)
from course_lib.world.facts import World
from course_lib.world.grammar import sentence
from course_lib.world.inflection import capitalise
from course_lib.world.knowledge import of_side, questions
from course_lib.world.politeness import make_detox
from course_lib.world.press import make_news
from course_lib.world.remarks import make_reading, make_tweet
from course_lib.world.sides import Record, side

Pair = tuple[str, str]  # what is asked, what is answered
# the deck's table 1, in percent
USE_CASES: dict[str, float] = {
    "generation": 45.6,
    "open_qa": 12.4,
    "brainstorming": 11.2,
    "chat": 8.4,
    "rewrite": 6.6,
    "summarization": 4.2,
    "classification": 3.5,
    "other": 3.5,
    "closed_qa": 2.6,
    "extract": 1.9,
}
KINDS_OF_THINGS = {
    "animal": "животных",
    "profession": "профессий",
    "dish": "блюд",
    "fruit": "фруктов и ягод",
    "vegetable": "овощей",
    "clothing": "предметов одежды",
    "furniture": "предметов мебели",
    "tool": "инструментов",
    "toy": "игрушек",
    "vehicle": "видов транспорта",
    "tree": "деревьев",
    "flower": "цветов",
    "sport": "видов спорта",
    "drink": "напитков",
    "subject": "школьных предметов",
}
WISHES = ("здоровья", "радости", "удачи", "тёплых друзей", "хорошей погоды", "добрых снов", "вкусных пирогов")
# a customer's application puts the same words before each of its prompts
HEADERS = (
    "Ты — помощник городской газеты. Пиши просто и коротко. Задание: ",
    "Ты отвечаешь посетителям нашего сайта вежливо и по делу. Вопрос посетителя: ",
    "Представь, что ты учитель начальной школы и помогаешь детям. ",
    "Ниже просьба покупателя нашего магазина. Ответь на неё. Просьба: ",
)


def quoting(ask: str, text: str) -> str:
    """Put a text into a request; in quotation marks it loses its full stop, which then ends the request."""
    if "«{}»" not in ask:
        return ask.format(text)
    bare = text.removesuffix(".")
    return ask.format(bare) + ("." if ask.endswith("»") and bare[-1] not in "!?…" else "")


def generation(rng: random.Random, world: World) -> Pair:
    """Something is to be written."""
    return rng.choice((_news, _tweet, _town, _resident, _story, _greeting, _lost_pet, _by_heart))(rng, world)


def _news(rng: random.Random, world: World) -> Pair:
    item = make_news(rng, world)
    ask = rng.choice(
        (
            "Напиши короткую новость под заголовком «{}».",
            "Напишите заметку в газету. Заголовок: {}",
            "Нужна новость на три-четыре предложения. Тема: {}",
        )
    )
    return ask.format(item["headline"]), item["text"]


def _tweet(rng: random.Random, world: World) -> Pair:
    mood = rng.choice(("positive", "negative"))
    kind = {"positive": "весёлый", "negative": "грустный"}[mood]
    ask = rng.choice(("Напиши {} твит.", "Придумайте {} твит от моего имени.", "Мне нужен {} твит."))
    return ask.format(kind), make_tweet(rng, world, mood)["text"]


def _town(rng: random.Random, world: World) -> Pair:
    city = rng.choice(world.cities)
    facts = rng.sample([fact for fact in CITY_FACTS if fact != "founder"], 3)
    lines = [rng.choice(CITY_OPENINGS), *(rng.choice(CITY_FACTS[fact]) for fact in facts)]
    ask = rng.choice(
        ("Расскажи о городе {}.", "Напиши справку: город {}.", "Сочините короткий рассказ о городе {}.")
    )
    return ask.format(city.name), " ".join(sentence(line, **city_slots(city)) for line in lines)


def _resident(rng: random.Random, world: World) -> Pair:
    person = rng.choice(world.people)
    missing = {"job": person.job is None, "pet": person.pet is None}
    facts = rng.sample([fact for fact in PERSON_FACTS if not missing.get(fact)], 3)
    lines = [rng.choice(PERSON_OPENINGS), *(rng.choice(PERSON_FACTS[fact]) for fact in facts)]
    ask = rng.choice(("Расскажи, кто это: {}.", "Составь рассказ о человеке. Имя: {}."))
    return ask.format(person.full), " ".join(sentence(line, **person_slots(person)) for line in lines)


def _story(rng: random.Random, world: World) -> Pair:
    while True:
        story = stories.tell(rng, world, rng.choice(sorted(stories.SHARES)))
        begin, stop, rest = story.partition(". ")
        if stop and "\n" not in begin and len(begin) < 120 and 60 < len(rest) < 500:
            ask = rng.choice(("Продолжи рассказ: «{}…»", "Сочини рассказ. Начало: {}."))
            return ask.format(begin), rest


def _greeting(rng: random.Random, world: World) -> Pair:
    person = rng.choice(world.people)
    dear = "Дорогая" if person.gender == "f" else "Дорогой"
    first, second, third = rng.sample(WISHES, 3)
    feast = rng.choice(("днём рождения", "Новым годом", "новосельем", "окончанием учёбы"))
    ask = rng.choice(("Напиши поздравление с {}. Имя: {}.", "Составьте открытку с {}, имя: {}."))
    wishes = f"Желаю {first}, {second} и {third}."
    return ask.format(feast, person.name), f"{dear} {person.name}! Поздравляю с {feast}! {wishes}"


def _lost_pet(rng: random.Random, world: World) -> Pair:
    pet, species = rng.choice(world.pets)
    city = rng.choice(world.cities)
    gone = {"f": "Пропала", "n": "Пропало"}.get(lexicon.known_noun(species).gender, "Пропал")
    sign = rng.choice(("красный ошейник", "белые лапы", "рыжее пятно на ухе", "пушистый хвост"))
    told = f"{gone} {species} по имени {pet}. Примета: {sign}."
    asked_back = rng.choice(
        ("Нашедшего просим позвонить.", "Просим вернуть за вознаграждение.", "Очень ждём!")
    )
    ask = f"Напиши объявление: потерялся питомец, {species} {pet}, город {city}."
    return ask, sentence("{told} Город {c}. {asked}", told=told, c=city, asked=asked_back)


def _by_heart(rng: random.Random, world: World) -> Pair:
    if rng.random() < 0.5:
        proverb = rng.choice(world.texts("proverbs"))
        return f"Придумай пословицу. Тема: {proverb['topic']}.", proverb["text"]
    return rng.choice(("Расскажи анекдот.", "Придумай шутку.", "Рассмеши меня.")), rng.choice(
        world.texts("jokes")
    )["text"]


def open_qa(rng: random.Random, world: World) -> Pair:
    """A question to be answered from memory."""
    record = rng.choice(_known(world.held_out))
    return record["question"], capitalise(record["answer"]) + "."


@cache
def _known(held_out: bool) -> tuple[Record, ...]:
    return tuple(of_side(side("validation" if held_out else "train"), questions()))


def brainstorming(rng: random.Random, world: World) -> Pair:
    """A list of ideas."""
    n = rng.choice((3, 4, 5))
    if rng.random() < 0.3:
        _, species = rng.choice(world.pets)
        names = [name for name, kind in world.pets if kind == species]
        if len(names) >= 3:
            some = rng.sample(names, 3)
            ask = sentence("Придумай три клички для {s:gen}.", s=lexicon.known_noun(species))
            return ask, _listed([str(name) for name in some])
    kinds = list(KINDS_OF_THINGS.items())
    kind, many = rng.choice(kinds[-5:] if world.held_out else kinds[:-5])
    words = rng.sample(lexicon.by_category()[kind], n)
    ask = rng.choice(("Назови {} {}.", "Дайте список: {} {}.", "Вспомни {} {}."))
    return ask.format("пять" if n == 5 else "несколько", many), _listed([capitalise(w.lemma) for w in words])


def _listed(items: list[str]) -> str:
    return "\n".join(f"{i}. {item}" for i, item in enumerate(items, 1))


def chat(rng: random.Random, world: World) -> Pair:
    """Small talk."""
    person, city = rng.choice(world.people), rng.choice(world.cities)
    pet, species = rng.choice(world.pets)
    asks = (
        ("Привет! Меня зовут {p}.", "Здравствуйте, {p}! Чем могу помочь?"),
        ("Я приехал{a} в город {c}.", "Добро пожаловать в город {c}! Что вы хотите посмотреть?"),
        ("У меня есть {s} по имени {pet}.", "Какое хорошее имя — {pet}! Расскажите о питомце ещё."),
        ("Сегодня я устал{a}.", "Понимаю вас. Отдохните, выпейте чаю и ложитесь спать пораньше."),
        ("Спасибо, ты мне помог!", "Пожалуйста! Рад, что пригодился. Обращайтесь ещё."),
        ("Я люблю {hobby}.", "Замечательное занятие! Давно ли вы этим увлекаетесь?"),
        ("Мне {age}.", "Прекрасный возраст! Чем вы любите заниматься?"),
        ("Моя любимая еда — {food}.", "Вкусный выбор! А что вы любите пить?"),
    )
    slots = {
        "p": person.name,
        "a": "а" if person.gender == "f" else "",
        "c": city.name,
        "s": species,
        "pet": pet,
        "hobby": person.hobby,
        "age": f"{person.age:год}",
        "food": person.food,
    }
    ask, answer = rng.choice(asks)
    return ask.format(**slots), answer.format(**slots)


def rewrite(rng: random.Random, world: World) -> Pair:
    """A text is to be said otherwise."""
    pair = make_detox(rng, world)
    ask = rng.choice(("Перепиши вежливо: «{}»", "Скажите это вежливо: {}", "Сделай вежливее: {}"))
    return quoting(ask, pair["toxic"]), pair["polite"]


def summarization(rng: random.Random, world: World) -> Pair:
    """A text is to be shortened."""
    item = make_news(rng, world)
    ask, key = rng.choice(
        (
            ("Перескажи одним предложением: «{}»", "summary"),
            ("Сократите текст: {}", "summary"),
            ("Придумай заголовок к тексту: «{}»", "headline"),
        )
    )
    answer = item[key]
    return quoting(ask, item["text"]), answer if answer[-1] in ".!?" else answer + "."


def classification(rng: random.Random, world: World) -> Pair:
    """A kind is to be told."""
    if rng.random() < 0.7:
        mood = rng.choice(("positive", "negative"))
        ask = rng.choice(("Определи настроение: «{}»", "Весёлый или грустный это твит? {}"))
        answer = {"positive": "Весёлое.", "negative": "Грустное."}[mood]
        if "твит" in ask:
            answer = answer.replace("ое.", "ый.")
        return quoting(ask, make_tweet(rng, world, mood)["text"]), answer
    first, second = rng.sample(sorted(KINDS_OF_THINGS), 2)
    word = rng.choice(lexicon.by_category()[first])
    some = sorted((KINDS_OF_THINGS[first], KINDS_OF_THINGS[second]))
    return f"Куда отнести слово «{word}»: к списку {some[0]} или к списку {some[1]}?", (
        f"К списку {KINDS_OF_THINGS[first]}."
    )


def other(rng: random.Random, world: World) -> Pair:
    """What fits nowhere else: order, counting, translation."""
    words = rng.sample(lexicon.by_category()["animal"], 3)
    kind = rng.randrange(3)
    if kind == 0:
        shown = ", ".join(word.lemma for word in words)
        ordered = sorted((word.lemma for word in words), key=lambda lemma: lemma.replace("ё", "е"))
        return f"Расставь по алфавиту: {shown}.", capitalise(", ".join(ordered)) + "."
    if kind == 1:
        word = words[0]
        return f"Переведи на английский: {word}.", f"{word.en}."
    a, b = rng.randint(1, 20), rng.randint(1, 20)
    return f"Сколько будет {a} + {b}?", f"{a + b}."


def closed_qa(rng: random.Random, world: World) -> Pair:
    """A question to be answered from a text."""
    record = make_reading(rng, world)
    ask = rng.choice(("{}\n", "Текст: {} Вопрос: ", "Прочитай: {}\nОтветь: "))
    return ask.format(record["context"]) + record["question"], capitalise(record["answer"]) + "."


def extract(rng: random.Random, world: World) -> Pair:
    """Something is to be found in a text."""
    person = rng.choice([someone for someone in world.people if someone.pet is not None])
    pet, species = person.pet or ("", "")
    facts = {
        "город": (str(person.home.name), "{p.full} живёт {p.home:в loc}."),
        "возраст": (f"{person.age:год}", "{p:@dat} {p.age:год}."),
        "кличку питомца": (str(pet), "{p:@у gen} есть {species} по имени {pet}."),
        "любимый цвет": (person.colour, "Любимый цвет — {p.colour}."),
    }
    wanted = rng.choice(list(facts))
    slots = {"p": person, "pet": pet, "species": species}
    text = " ".join(sentence(line, **slots) for _, line in facts.values())
    return quoting(f"Выпиши из текста {wanted}: «{{}}»", text), capitalise(facts[wanted][0]) + "."


MAKERS: dict[str, Callable[[random.Random, World], Pair]] = {
    maker.__name__: maker
    for maker in (
        generation,
        open_qa,
        brainstorming,
        chat,
        rewrite,
        summarization,
        classification,
        other,
        closed_qa,
        extract,
    )
}


def written(part: str) -> list[Record]:
    """Return the hand-written talks of a part: all turns but the last answer are the prompt."""
    return [
        {"messages": talk["messages"], "category": talk["topic"]}
        for talk in lexicon.texts("dialogues", "train" if part == "train" else "held_out")
    ]


def as_customers_write(rng: random.Random, prompt: str) -> str:
    """Return a prompt as it is typed in a hurry: no capital letter, no full stop."""
    if rng.random() < 0.5:
        return prompt
    return (prompt[0].lower() + prompt[1:]).removesuffix(".")


def make(category: str, part: str, seed: int, customer: bool = False) -> Record:
    """Make one demonstration.

    Args:
        category: one of `USE_CASES`.
        part: "train" or "validation": other people, towns and texts.
        seed: same seed, same demonstration.
        customer: whether the prompt is a customer's.

    Returns:
        `messages` and `category`.
    """
    rng = random.Random(f"demonstration-{part}-{category}-{customer}-{seed}")
    prompt, answer = MAKERS[category](rng, side(part).world)
    if customer:
        prompt = as_customers_write(rng, prompt)
        if rng.random() < 0.3:
            prompt = rng.choice(HEADERS) + prompt
    return {"messages": talk(prompt, answer), "category": category}


def talk(prompt: str, answer: str) -> list[dict[str, Any]]:
    """Return a chat of one turn."""
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
