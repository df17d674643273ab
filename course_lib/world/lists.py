"""List-shaped documents: the same pattern again and again, as on the web.

In-context learning grows from exactly these (deck, "Few-shot"): bursty lists, where items and label words
recur within a document and change between documents; first plain copying, then pairs, then labels whose
meaning holds for one document only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from course_lib.world import lexicon
from course_lib.world.documents import Generator
from course_lib.world.encyclopaedia import century
from course_lib.world.facts import World
from course_lib.world.grammar import Count
from course_lib.world.handbook import habitat, where

Pair = tuple[str, str]

SEPARATORS = (" => ", " -> ", " — ", " | ", " => ", ": ", " = ", " → ", "; ")
# words before the item and before its answer; a document keeps its own
ASKING = (("Вопрос: ", "Ответ: "), ("В: ", "О: "), ("— ", "— "))
PREFIXES = (*ASKING, ("Вход: ", "Выход: "), ("Слово: ", "Пара: "), ("Input: ", "Output: "), ("- ", "- "))
LABELLING = (
    *ASKING[:2],
    ("Пример: ", "Метка: "),
    ("Текст: ", "Класс: "),
    ("Текст: ", "Метка: "),
    ("Вход: ", "Выход: "),
)
# label words that mean nothing by themselves: their meaning holds within one document
LABELS = (
    ("да", "нет"),
    ("А", "Б"),
    ("1", "2"),
    ("плюс", "минус"),
    ("верно", "неверно"),
    ("правда", "ложь"),
    ("первый", "второй"),
    ("красный", "синий"),
    ("круг", "квадрат"),
    ("лево", "право"),
    ("день", "ночь"),
    ("орёл", "решка"),
    ("бип", "боп"),
    ("X", "Y"),
    ("альфа", "бета"),
    ("зима", "лето"),
)
SENTIMENT_LABELS = (
    ("весёлый", "грустный"),
    ("радость", "грусть"),
    ("позитивный", "негативный"),
    ("хорошо", "плохо"),
    (")))", "((("),
    ("да", "нет"),
)


def write_list(
    rng: random.Random, pairs: Sequence[Pair], header: str = "", prefixes: Sequence[Pair] = PREFIXES
) -> str:
    """Write pairs one below another in a layout that stays the same through the document.

    Args:
        rng: chooses the layout.
        pairs: (item, answer).
        header: a first line, or "".
        prefixes: what may stand before an item and before its answer.

    Returns:
        The document.
    """
    questions = prefixes is PREFIXES and any(item.endswith("?") for item, _ in pairs)
    if questions:
        prefixes = ASKING
    if rng.random() < (0.4 if questions else 0.62):
        plain = (
            rng.choice(SEPARATORS[:4])
            if any(item.count(" ") > 3 for item, _ in pairs)
            else rng.choice(SEPARATORS)
        )
        separator = rng.choice((" ", *SEPARATORS[:4])) if questions else plain
        lines = [f"{item}{separator}{answer}" for item, answer in pairs]
        if rng.random() < 0.15:
            lines = [f"{i}. {line}" for i, line in enumerate(lines, 1)]
    else:
        before, after = rng.choice(prefixes)
        gap = rng.choice(("\n", "\n", " "))
        lines = [f"{before}{item}{gap}{after}{answer}" for item, answer in pairs]
        if gap == "\n" and rng.random() < 0.5:
            lines = [f"{line}\n" for line in lines]
    if header:
        lines.insert(0, header)
    return "\n".join(lines).strip()


def labelled(rng: random.Random, pairs: Sequence[Pair], header: str) -> str:
    """Write texts with their labels, often in the few-shot shape of the deck: «текст => метка»."""
    if rng.random() < 0.35:
        headers = ("", header, "Текст => метка")
        return "\n".join(
            filter(None, [rng.choice(headers), *(f"{text} => {label}" for text, label in pairs)])
        )
    return write_list(rng, pairs, rng.choice(("", header)), LABELLING)


def bursty(rng: random.Random, pool: Sequence[Pair], low: int = 5, high: int = 24) -> list[Pair]:
    """Draw pairs from a small part of the pool, so that most of them return within the document."""
    length = rng.randint(low, high)
    few = rng.sample(pool, min(len(pool), rng.randint(max(2, length // 3), length)))
    rest = [rng.choice(few) for _ in range(max(0, length - len(few)))]
    drawn = few + rest
    rng.shuffle(drawn)
    return drawn


HEADERS = {
    ("ru", "en"): (
        "Переведи с русского на английский:",
        "Русско-английский словарь",
        "Translate Russian to English:",
    ),
    ("en", "ru"): (
        "Переведи с английского на русский:",
        "Англо-русский словарь",
        "Translate English to Russian:",
    ),
    ("en", "fr"): (
        "Translate English to French:",
        "English to French",
        "Переведи с английского на французский:",
    ),
    ("fr", "en"): (
        "Translate French to English:",
        "French to English",
        "Переведи с французского на английский:",
    ),
    ("ru", "fr"): (
        "Переведи с русского на французский:",
        "Русско-французский словарь",
        "Translate Russian to French:",
    ),
}


LANGUAGES = {"ru": ("Русский", "Russian"), "en": ("Английский", "English"), "fr": ("Французский", "French")}
# the examples of the deck's few-shot slide ("cheese =>")
DECK = tuple(lexicon.lookup()[lemma] for lemma in ("калан", "перечная мята", "плюшевый жираф", "сыр"))


def translations(rng: random.Random, world: World) -> str:
    """A bilingual word list, in the deck's `sea otter => loutre de mer` shape among others."""
    source, target = rng.choice(list(HEADERS))
    words = rng.sample(lexicon.words(), 34) + rng.sample(lexicon.by_category()["phrase"], 3) + list(DECK)
    pool = [tuple({"ru": w.lemma, "en": w.en, "fr": w.fr}[side] for side in (source, target)) for w in words]
    if rng.random() < 0.3:
        lines = [f"{item} => {answer}" for item, answer in bursty(rng, pool)]
        return "\n".join([HEADERS[source, target][0], *lines])
    names = tuple(f"{LANGUAGES[side][target != 'ru']}: " for side in (source, target))
    return write_list(
        rng, bursty(rng, pool), rng.choice(("", *HEADERS[source, target])), (*PREFIXES[:4], names, names)
    )


def copying(rng: random.Random, world: World) -> str:
    """Words repeated as they are: the easiest pattern, and the first that a small model learns in context."""
    words = [word.lemma for word in rng.sample(lexicon.words(), 30)]
    names = [rng.choice(world.people).full.lemma for _ in range(8)]
    pool = [(w, w) for w in words + names]
    if rng.random() < 0.5:
        return write_list(rng, bursty(rng, pool))
    cycle = [item for item, _ in rng.sample(pool, rng.randint(2, 7))]
    joint = rng.choice((", ", "\n", " ", "; ", " - "))
    return joint.join(cycle * rng.randint(3, 7))


def random_pairs(rng: random.Random, world: World) -> str:
    """A made-up dictionary: pairs that hold in this document only, each seen at least twice."""
    words = rng.sample(lexicon.words(), 24)
    n = rng.randint(3, 8)
    pool = [(words[i].lemma, words[i + 12].lemma) for i in range(n)]
    lines: list[Pair] = []
    for _ in range(rng.randint(2, 4)):
        lines += rng.sample(pool, n)
    return write_list(rng, lines)


def _forms() -> dict[str, Callable[[lexicon.Word], str]]:
    return {
        "Один и много:": lambda w: w.noun.form("nom", True),
        "Кого нет?": lambda w: w.noun.form("gen"),
        "С кем? С чем?": lambda w: format(w.noun, "с ins"),
        "О ком? О чём?": lambda w: format(w.noun, "о loc"),
        "Два:": lambda w: f"{Count(2):{w.lemma}}",
        "Пять:": lambda w: f"{Count(5):{w.lemma}}",
        "Он, она, оно:": lambda w: w.noun._pronoun("nom", "nom", False),
        "Заглавная буква:": lambda w: w.lemma.capitalize(),
        "Первая буква:": lambda w: w.lemma[0],
        "Последняя буква:": lambda w: w.lemma[-1],
    }


SAFE_CATEGORIES = ("animal", "profession", "furniture", "tool", "toy", "vehicle", "building", "fruit")


def word_forms(rng: random.Random, world: World) -> str:
    """A rule of grammar or spelling carried out on word after word."""
    groups = lexicon.by_category()
    pool = [w for c in rng.sample(SAFE_CATEGORIES, 3) for w in groups[c] if not {"pl", "sg"} & set(w.attrs)]
    header, rule = rng.choice(list(_forms().items()))
    words = [w for w in rng.sample(pool, min(24, len(pool))) if " " not in w.lemma]
    return write_list(rng, bursty(rng, [(w.lemma, rule(w)) for w in words]), rng.choice(("", header)))


def _value(attribute: str) -> Callable[[lexicon.Word], str]:
    return lambda word: word.attrs[attribute]


# category, header, attribute, how its value is told
ATTRIBUTES: tuple[tuple[str, str, str, Callable[[lexicon.Word], str]], ...] = (
    ("animal", "Где живёт?", "home", habitat),
    ("animal", "Где живёт?", "home", habitat),
    ("animal", "Какой звук?", "sound", _value("sound")),
    ("animal", "Сколько ног?", "legs", _value("legs")),
    ("profession", "Где работает?", "place", lambda w: where(w.attrs["place"])),
    ("profession", "Место работы", "place", _value("place")),
    ("profession", "С чем работает?", "tool", lambda w: format(lexicon.lookup()[w.attrs["tool"]], "с ins")),
    ("profession", "Рабочий предмет", "tool", _value("tool")),
    ("profession", "Что делает?", "does", _value("does")),
    ("profession", "Кто это?", "does", _value("does")),
    ("fruit", "Цвет", "color", _value("color")),
    ("fruit", "Вкус", "taste", _value("taste")),
    ("vegetable", "Вкус", "taste", _value("taste")),
    ("tool", "Для чего это нужно?", "used", _value("used")),
    ("kitchen", "Для чего это нужно?", "used", _value("used")),
    ("vehicle", "Где движется?", "moves", _value("moves")),
    ("clothing", "Где носят?", "worn", _value("worn")),
    ("clothing", "Время года", "season", _value("season")),
    ("weather", "Время года", "season", _value("season")),
)


def attributes(rng: random.Random, world: World) -> str:
    """What is known of things of one kind, one attribute a document."""
    category, header, attribute, told = rng.choice(ATTRIBUTES)
    known = [(w.lemma, told(w)) for w in lexicon.by_category()[category] if attribute in w.attrs]
    if header == "Кто это?":
        known = [(answer, item) for item, answer in known]
    return write_list(rng, bursty(rng, known), rng.choice(("", header)))


def opposites(rng: random.Random, world: World) -> str:
    """Opposites, or imperfective verbs with their perfective partners."""
    attribute, header = rng.choice((("opp", "Наоборот:"), ("pf", "Что делать? Что сделать?")))
    pool = [(w.lemma, w.attrs[attribute]) for w in lexicon.words() if attribute in w.attrs]
    return write_list(rng, bursty(rng, rng.sample(pool, min(30, len(pool)))), rng.choice(("", header)))


def categories(rng: random.Random, world: World) -> str:
    """Words sorted into two or three classes: by their own names, or by meaningless labels."""
    groups = {
        name: words
        for name, words in lexicon.by_category().items()
        if len(words) >= 15 and name in CLASS_NAMES
    }
    chosen = rng.sample(list(groups), rng.choice((2, 2, 2, 3)))
    if len(chosen) == 2 and rng.random() < 0.65:
        labels = list(rng.choice(LABELS))
        rng.shuffle(labels)
    else:
        labels = [CLASS_NAMES.get(name, name) for name in chosen]
    pool = [
        (w.lemma, label)
        for name, label in zip(chosen, labels, strict=True)
        for w in rng.sample(groups[name], 12)
    ]
    return write_list(rng, bursty(rng, pool, 8, 30), prefixes=LABELLING)


CLASS_NAMES = {
    "animal": "животное",
    "profession": "профессия",
    "food": "еда",
    "dish": "блюдо",
    "drink": "напиток",
    "clothing": "одежда",
    "furniture": "мебель",
    "tool": "инструмент",
    "toy": "игрушка",
    "vehicle": "транспорт",
    "plant": "растение",
    "fruit": "фрукт",
    "vegetable": "овощ",
    "tree": "дерево",
    "flower": "цветок",
    "building": "здание",
    "room": "комната",
    "place": "место",
    "nature": "природа",
    "weather": "погода",
    "event": "событие",
    "feeling": "чувство",
    "body": "тело",
    "material": "материал",
    "music": "музыка",
    "sport": "спорт",
    "school": "школа",
    "subject": "предмет",
    "time": "время",
    "kitchen": "кухня",
    "kin": "человек",
}


def sentiments(rng: random.Random, world: World) -> str:
    """Tweets with the label of their mood; the label words change between documents."""
    labels = rng.choice(SENTIMENT_LABELS + LABELS)
    if labels in LABELS and rng.random() < 0.5:  # only labels that mean nothing may change sides
        labels = labels[::-1]
    from course_lib.world.remarks import make_tweet

    pool = world.texts("tweets")
    written = rng.sample(pool, min(len(pool), rng.randint(0, 4)))
    made = [make_tweet(rng, world, rng.choice(("positive", "negative"))) for _ in range(rng.randint(4, 7))]
    tweets = rng.sample(written + made, len(written + made))
    pairs = [(t["text"].rstrip("."), labels[t["label"] == "negative"]) for t in tweets]
    style = rng.random()
    if style < 0.5:
        return labelled(rng, pairs, rng.choice(("Какое настроение?", "Весёлый твит или грустный?")))
    if labels[0].endswith("ый"):
        return "\n".join(f"{label.capitalize()} твит: {text}" for text, label in pairs)
    return "\n\n".join(f"Твит: {text}\nНастроение: {label}" for text, label in pairs)


def city_facts(rng: random.Random, world: World) -> str:
    """A reference table of towns: one column, or question and answer."""
    columns: dict[str, Callable[[lexicon.City], Pair]] = {
        "Год основания": lambda c: (c.name.lemma, str(c.founded)),
        "Река": lambda c: (c.name.lemma, str(c.river)),
        "Регион": lambda c: (c.name.lemma, str(c.region)),
        "Век": lambda c: (c.name.lemma, century(c.founded)),
        "Чем известен": lambda c: (c.name.lemma, c.known_for),
        "Когда основан?": lambda c: (f"Когда был основан город {c.name}?", f"В {c.founded} году."),
        "На какой реке?": lambda c: (f"На какой реке стоит {c.name}?", f"{c.river:^на loc}."),
        "Где находится?": lambda c: (f"В каком регионе находится {c.name}?", f"{c.region}."),
    }
    header, column = rng.choice(list(columns.items()))
    towns = rng.sample(world.cities, rng.randint(4, 14))
    return write_list(rng, [column(c) for c in towns], rng.choice(("", header)))


def yes_or_no(rng: random.Random, world: World) -> str:
    """Questions about towns that are answered with yes or no, half of each."""
    lines: list[Pair] = []
    for _ in range(rng.randint(4, 10)):
        city, other = rng.sample(world.cities, 2)
        true = rng.random() < 0.5
        told = city if true else other
        question, same = rng.choice(
            (
                (
                    f"Правда ли, что {city.name} стоит {told.river:на loc}?",
                    told.river.lemma == city.river.lemma,
                ),
                (f"{city.name:^в loc} течёт {told.river}?", told.river.lemma == city.river.lemma),
                (f"Был ли {city.name} основан в {told.founded} году?", told.founded == city.founded)
                if city.name.gender == "m"
                else (f"Основан ли город {city.name} в {told.founded} году?", told.founded == city.founded),
                (
                    f"Был ли город {city.name} основан в {century(told.founded)} веке?",
                    century(told.founded) == century(city.founded),
                ),
                (f"Город {city.name} старше, чем {other.name}?", city.founded < other.founded),
            )
        )
        lines.append((question, "Да" if same else "Нет"))
    return write_list(rng, [(q, a + ".") for q, a in lines] if rng.random() < 0.4 else lines)


def people_table(rng: random.Random, world: World) -> str:
    """Cards of residents, every card with the same fields."""
    fields: dict[str, Callable[..., str]] = {
        "Имя": lambda p: p.full.lemma,
        "Город": lambda p: p.home.name.lemma,
        "Возраст": lambda p: f"{p.age:год}",
        "Любимый цвет": lambda p: p.colour,
        "Любимая еда": lambda p: p.food.lemma,
        "Занятие": lambda p: p.hobby,
        "Питомец": lambda p: f"{p.pet[1]} {p.pet[0]}" if p.pet else "без питомца",
    }
    shown = ["Имя", *rng.sample(list(fields)[1:], rng.randint(1, 4))]
    people = rng.sample(world.people, rng.randint(2, 6))
    if len(shown) == 2 or rng.random() < 0.3:
        return "\n".join(", ".join(fields[name](p) for name in shown) for p in people)
    return "\n\n".join("\n".join(f"{name}: {fields[name](p)}" for name in shown) for p in people)


def diminutives(rng: random.Random, world: World) -> str:
    """Full names with their short forms (Анна — Аня)."""
    pairs = list({p.name.lemma: p.short.lemma for p in rng.sample(world.people, 30)}.items())
    if rng.random() < 0.3:
        pairs = [(short, name) for name, short in pairs]
    return write_list(rng, bursty(rng, pairs), rng.choice(("", "Полное имя и короткое:")))


def numbers(rng: random.Random, world: World) -> str:
    """Small arithmetic and counting."""
    kind = rng.randrange(4)
    if kind == 0:
        start, step = rng.randint(0, 50), rng.choice((1, 1, 1, 2, 3, 5, 10))
        return rng.choice((", ", " ", "\n")).join(str(start + i * step) for i in range(rng.randint(6, 25)))
    if kind == 1:
        sign = rng.choice("+−")
        return "\n".join(
            f"{a} {sign} {b} = {a + b if sign == '+' else a - b}"
            for a, b in (
                sorted((rng.randint(0, 20), rng.randint(0, 20)), reverse=True)
                for _ in range(rng.randint(5, 16))
            )
        )
    if kind == 2:
        shift = rng.randint(1, 3)
        return write_list(
            rng, [(str(n), str(n + shift)) for n in (rng.randint(0, 60) for _ in range(rng.randint(5, 18)))]
        )
    nouns = rng.sample(lexicon.by_category()["animal"], 8)
    return write_list(
        rng, [(f"{w.lemma}, {n}", f"{Count(n):{w.lemma}}") for w in nouns for n in (rng.randint(1, 30),)]
    )


def topics(rng: random.Random, world: World) -> str:
    """Proverbs with the name of their subject."""
    pool = world.texts("proverbs")
    chosen = rng.sample(sorted({p["topic"] for p in pool}), rng.randint(2, 3))
    few = [(p["text"], p["topic"]) for p in pool if p["topic"] in chosen]
    pairs = rng.sample(few, min(len(few), rng.randint(4, 9)))
    return labelled(rng, pairs, "О чём пословица?")


def rude_or_polite(rng: random.Random, world: World) -> str:
    """Remarks with a label: rude or polite, by these words or by words that mean nothing elsewhere."""
    labels = rng.choice(
        (("грубо", "вежливо"), ("грубый", "вежливый"), ("невежливо", "вежливо"), *LABELS[1:8])
    )
    from course_lib.world.remarks import make_detox

    pool = world.texts("detox")
    written = rng.sample(pool, min(len(pool), rng.randint(0, 3)))
    made = [make_detox(rng, world) for _ in range(rng.randint(4, 6))]
    records = rng.sample(written + made, len(written + made))
    pairs = [(r["toxic"], labels[0]) if rng.random() < 0.5 else (r["polite"], labels[1]) for r in records]
    return labelled(rng, pairs, "Грубо или вежливо?")


def question_list(rng: random.Random, world: World) -> str:
    """Everyday questions with short answers."""
    pool = [q for q in world.texts("qa") if not q.get("context")]
    return write_list(
        rng, [(q["question"], q["answer"]) for q in rng.sample(pool, min(len(pool), rng.randint(3, 10)))]
    )


KINDS: dict[str, tuple[float, Generator]] = {
    "list: translations": (0.06, translations),
    "list: copying": (0.035, copying),
    "list: random pairs": (0.035, random_pairs),
    "list: word forms": (0.025, word_forms),
    "list: attributes": (0.02, attributes),
    "list: opposites": (0.01, opposites),
    "list: categories": (0.05, categories),
    "list: sentiments": (0.03, sentiments),
    "list: towns": (0.02, city_facts),
    "list: yes or no": (0.03, yes_or_no),
    "list: people": (0.02, people_table),
    "list: diminutives": (0.008, diminutives),
    "list: numbers": (0.015, numbers),
    "list: questions": (0.01, question_list),
    "list: topics": (0.01, topics),
    "list: rude or polite": (0.015, rude_or_polite),
}
