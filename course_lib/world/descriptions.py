"""What things are: animals, tools, trades and rooms described from the lexicon, and animals as riddles."""

from __future__ import annotations

import random
from typing import Any

from course_lib.world import lexicon
from course_lib.world.diaries import parted, say, wordings
from course_lib.world.facts import COLOURS, World
from course_lib.world.grammar import Count, phrase
from course_lib.world.inflection import capitalise

# what one buys or eats in the plural
COUNTED = frozenset(
    "яблоко груша слива персик абрикос апельсин мандарин лимон банан финик огурец помидор сухарь "
    "бублик баранка сушка "
    "сосиска креветка яйцо конфета леденец ириска пряник вафля пирожное кекс пончик орех гренка "
    "маслина баклажан жук "
    "мышь червяк жёлудь заяц лист комар муха кузнечик лягушка семечко муравей гусеница суслик голубь "
    "карась краб ягода "
    "колючка водоросль грейпфрут гранат".split()
)
# school words and fittings that are no tools
NO_TOOLS = frozenset(
    "урок перемена звонок упражнение задача пример правило диктант сочинение контрольная экзамен "
    "оценка раковина "
    "кран посуда скворечник конура палка гвоздь гайка винт".split()
)


def creature(word: lexicon.Word) -> str:
    """Return what sort of animal a word names (a needs-tag of the section "animal")."""
    fish, legs = "карась щука окунь сом карп акула".split(), word.attrs["legs"]
    tame = "wild" if word.attrs["wild"] == "1" else "tame"
    if word.lemma in fish:
        return "fish"
    if legs == "2":
        return f"{tame} bird"
    if legs == "6" and word.lemma != "гусеница":
        return "insect"
    if word.attrs["home"] == "море" or word.lemma in ("рак", "медуза"):
        return "water"
    reptiles = "лягушка жаба ящерица змея уж черепаха паук гусеница червяк улитка".split()
    return f"{tame} beast" if legs == "4" and word.lemma not in reptiles else "other"


WHERE = {"дом": "в доме", "двор": "во дворе", "река": "у реки", "поле": "в поле", "лес": "в лесу"}
WHERE |= {"гора": "в горах", "степь": "в степи", "море": "у моря"}


def animal(rng: random.Random, world: World, word: lexicon.Word | None = None) -> str:
    """What an animal is, where it lives, what it eats; or all this as a riddle."""
    texts = wordings("notices")
    word = word or rng.choice(lexicon.by_category()["animal"])
    attrs, x = word.attrs, word.noun
    sound = attrs["sound"]
    home = lexicon.lookup().get(attrs["home"])
    place = WHERE.get(attrs["home"]) or format(home, f"{home.attrs.get('prep', 'в')} loc")
    if creature(word) in ("fish", "water"):
        place = {"река": "в реке"}.get(attrs["home"], "в море")
    food, many = lexicon.known_noun(attrs["food"]), attrs["food"] in COUNTED
    slots = {"x": x, "place": place, "food_nom": food.form("nom", many), "food_acc": food.form("acc", many)}
    slots |= {"sound": sound, "legs": Count(int(attrs["legs"]))}
    if rng.random() < 0.3:
        hints = [f"живёт {place}", f"ест {slots['food_acc']}"]
        if sound != "молчит":
            hints.append(sound)
        if slots["legs"] > 4:
            hints.append(f"ног {int(slots['legs'])}")
        rng.shuffle(hints)
        ask = say(rng, texts["riddle ask"])
        answer = rng.choice(("— {:^}.", "Это {}.", "Ответ: {}.", "Отгадка: {}.")).format(x)
        return capitalise(", ".join(hints)) + f". {ask} {answer}"
    kinds = [parted(line) for line in texts["animal"]]
    opening = say(rng, tuple(text for kind, text in kinds if kind == creature(word)), **slots)
    sections = ["animal home", "animal food", "animal silent" if sound == "молчит" else "animal sound"]
    beats = [say(rng, texts[section], **slots) for section in rng.sample(sections, rng.randint(1, 3))]
    if rng.random() < 0.4:
        sizes = [parted(line) for line in texts["animal size"]]
        beats.append(say(rng, tuple(text for size, text in sizes if size == attrs["size"]), **slots))
    return " ".join([opening, *beats])


DESCRIBED = (
    "tool",
    "school",
    "kitchen",
    "clothing",
    "furniture",
    "profession",
    "building",
    "vehicle",
    "fruit",
)


def thing(rng: random.Random, world: World) -> str:
    """What a thing, a trade or a building is and what it is for."""
    texts, group = wordings("notices"), rng.choice(DESCRIBED)
    words = [w for w in lexicon.by_category()[group] if not w.noun.animate or group == "profession"]
    words = [w for w in words if w.lemma not in NO_TOOLS]
    word = rng.choice(words)
    attrs = word.attrs
    slots: dict[str, Any] = {"x": word.noun, "colour": attrs.get("color", "")} | attrs
    lines = texts["tool" if group in ("school", "kitchen") else group]
    chosen = rng.sample(lines, min(len(lines), rng.randint(1, 2)))
    if lines[0] not in chosen and group in ("clothing", "furniture", "fruit", "profession"):
        chosen[0] = lines[0]
    chosen.sort(key=lines.index)
    if group == "profession":
        chosen = [rng.choice((lines[0], lines[1], lines[4])), rng.choice(lines[2:4])][: rng.randint(1, 2)]
    elif group not in ("clothing", "furniture", "fruit"):
        chosen = chosen[:1]
    return " ".join(say(rng, line, **slots) for line in chosen)


def room(rng: random.Random, world: World) -> str:
    """A room and what stands in it."""
    texts = wordings("notices")
    name = rng.choice("кухня столовая гостиная спальня кабинет детская прихожая".split())
    furniture = [w for w in lexicon.by_category()["furniture"] if w.attrs["room"] == name]
    standing = "стол стул кресло диван кровать шкаф комод тумбочка буфет сервант табуретка торшер".split()
    pool = [w for w in furniture if w.lemma in standing] + [
        lexicon.lookup()[w] for w in ("стол", "стул", "шкаф", "тумбочка")
    ]
    pool = list({w.lemma: w for w in pool}.values())
    items = rng.sample(pool, min(len(pool), rng.randint(2, 4)))
    noun = lexicon.known_noun(name)
    parts = [say(rng, texts["room open"], room=noun)]
    for item in items:
        adjective = rng.choice(("большой", "старый", "новый", "удобный", "крепкий", *COLOURS))
        parts.append(
            say(rng, texts["room item"], x=phrase(adjective, item.noun), material=item.attrs["material"])
        )
    parts.append(say(rng, texts["room end"], x=items[0].noun))
    return " ".join(parts)


def description(rng: random.Random, world: World) -> str:
    """One to five descriptions of animals or things, or of one room."""
    kind = rng.choice((animal, animal, thing, thing, room))
    if kind is room:
        return room(rng, world)
    joint = rng.choice(("\n", "\n\n"))
    return joint.join(dict.fromkeys(kind(rng, world) for _ in range(rng.randint(2, 5))))
