"""Passages with questions: DaNetQA (yes or no), MuSeRC (right and wrong answers), RuCoS (@placeholder)."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

from course_lib.world.encyclopaedia import century
from course_lib.world.facts import Person
from course_lib.world.grammar import Count, sentence
from course_lib.world.lexicon import DATA, City
from course_lib.world.sides import Record, Side, distinct

# how a fact is told, and how it is asked of `p` (or the town `c`) with the value that `v` has
PERSON: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "home": (
        ("{p.full} живёт {p.home:в loc}.", "Дом, где живёт {p.full}, стоит {p.home:в loc}."),
        ("Живёт ли {p.full} {v.home:в loc}?", "Правда ли, что {p.full} живёт {v.home:в loc}?"),
    ),
    "hobby": (
        (
            "Больше всего {p.name} любит {p.hobby}.",
            "Любимое занятие {p.name:gen} — {p.hobby}.",
        ),
        (
            "Верно ли, что больше всего {p.full} любит {v.hobby}?",
            "Правда ли, что любимое занятие {p.name:gen} — {v.hobby}?",
        ),
    ),
    "food": (
        ("Любимая еда {p.name:gen} — {p.food}.", "Из всей еды {p.name} больше любит {p.food:acc}."),
        (
            "Верно ли, что любимая еда {p.full:gen} — {v.food}?",
            "Правда ли, что любимая еда {p.name:gen} — {v.food}?",
        ),
    ),
    "colour": (
        (
            "Любимый цвет {p.name:gen} — {p.colour}.",
            "Из всех цветов {p.name:dat} больше нравится {p.colour}.",
        ),
        (
            "Верно ли, что любимый цвет {p.full:gen} — {v.colour}?",
            "Правда ли, что любимый цвет {p.name:gen} — {v.colour}?",
        ),
    ),
    "travels": (
        ("По городу {p.name} передвигается {p.travels}.", "Обычно {p.name} передвигается {p.travels}."),
        ("Передвигается ли {p.full} {v.travels}?", "Правда ли, что {p.full} передвигается {v.travels}?"),
    ),
    "age": (
        ("{p.full:dat} {p.age:год}.", "Возраст {p.name:gen} — {p.age:год}."),
        ("Верно ли, что {p.full:dat} {v.age:год}?", "Правда ли, что {p.full:dat} {v.age:год}?"),
    ),
}
TOWN: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "river": (
        (
            "{c} стоит {c.river:на loc}.",
            "Через город {c:acc} течёт {c.river}.",
            "Город {c} стоит на берегу {c.river:gen}.",
        ),
        ("Стоит ли город {c} {v.river:на loc}?", "Течёт ли через город {c:acc} {v.river}?"),
    ),
    "founded": (
        ("Город {c} основан в {c.founded} году.", "Год основания города {c:gen} — {c.founded}."),
        ("Основан ли город {c} в {v_century} веке?", "Правда ли, что город {c} основан в {v.founded} году?"),
    ),
    "region": (
        ("Город {c} относится к региону {c.region}.", "Регион города {c:gen} — {c.region}."),
        ("Относится ли город {c} к региону {v.region}?", "Находится ли город {c} {v.region:в loc}?"),
    ),
    "known_for": (
        (
            "Главная гордость города {c:gen} — {c.known_for}.",
            "Город {c} славится вот чем: это {c.known_for}.",
        ),
        (
            "Правда ли, что гордость города {c:gen} — {v.known_for}?",
            "Верно ли, что главная гордость города {c:gen} — {v.known_for}?",
        ),
    ),
    "population": (
        ("{c:в loc} живёт примерно {c_people:человек}.", "Население города {c:gen} — {c_people:человек}."),
        (
            "Живёт ли {c:в loc} примерно {v_people:человек}?",
            "Правда ли, что {c:в loc} примерно {v_people:житель}?",
        ),
    ),
}
OLDER = (
    "Правда ли, что {p.full} старше, чем {q.full}?",
    "Верно ли, что {p.full} по возрасту старше, чем {q.full}?",
)
OLDER_TOWN = (
    "Правда ли, что город {c} старше, чем город {d}?",
    "Был ли город {c} основан раньше, чем город {d}?",
)


def slots_of(**things: Any) -> dict[str, Any]:
    """Return slots for people and towns, with the towns' centuries and populations."""
    towns = {name: thing for name, thing in things.items() if isinstance(thing, City)}
    things |= {f"{name}_century": century(town.founded) for name, town in towns.items()}
    return things | {f"{name}_people": Count(town.population) for name, town in towns.items()}


def told(rng: random.Random, table: dict[str, Any], fact: str, **things: Any) -> str:
    """Tell one fact."""
    return sentence(rng.choice(table[fact][0]), **slots_of(**things))


def danetqa(rng: random.Random, side: Side, n: int) -> list[Record]:
    """DaNetQA: a passage about two people or two towns and a question about one of them, or about both."""

    def one(i: int) -> Record:
        label = i % 2
        towns = rng.random() < 0.4
        table, letter = (TOWN, "c") if towns else (PERSON, "p")
        first, second = differing(rng, side, towns)
        facts = rng.sample(sorted(table), rng.randint(3, 4))
        key = "founded" if towns else "age"
        paragraphs = [[told(rng, table, f, **{letter: x}) for f in facts] for x in (first, second)]
        passage = " ".join(" ".join(lines) for lines in rng.sample(paragraphs, 2))
        if key in facts and rng.random() < 0.5:
            older, younger = sorted((first, second), key=lambda x: getattr(x, key), reverse=not towns)
            left, right = (older, younger) if label else (younger, older)
            asked = rng.choice(OLDER_TOWN if towns else OLDER)
            slots = slots_of(**({"c": left, "d": right} if towns else {"p": left, "q": right}))
        else:
            asked = rng.choice(table[rng.choice(facts)][1])
            slots = slots_of(**{letter: first, "v": first if label else second})
        return {"question": sentence(asked, **slots), "passage": passage, "label": label}

    return distinct(n, one, ("question", "passage"))


def differing(rng: random.Random, side: Side, towns: bool) -> tuple[Any, Any]:
    """Return two towns or two people who differ in every fact."""
    table = TOWN if towns else PERSON
    while True:
        first, second = rng.sample(side.world.cities if towns else side.world.people, 2)
        same = [fact for fact in table if str(getattr(first, fact)) == str(getattr(second, fact))]
        if towns:
            same += ["century"] if century(first.founded) == century(second.founded) else []
        elif first.name is second.name or first.home.name.lemma == second.home.name.lemma:
            continue
        if not same:
            return first, second


# who has to do with whom: told, and asked in the words «the one …»
LINKS = (
    ("{p.name} часто пишет письма {q.name:dat}.", "тот, кому пишет письма {p.name}"),
    ("{p.name} учит {q.name:acc} играть в шахматы.", "тот, кого учит играть в шахматы {p.name}"),
    ("{p.name} ждёт в гости {q.name:acc}.", "тот, кого ждёт в гости {p.name}"),
    ("{p.name} готовит подарок {q.name:dat}.", "тот, кому готовит подарок {p.name}"),
)
# questions about the person a link leads to; answers in two wordings
HOPS = {
    "home": ("Где живёт {who}?", ("{v.home:^в loc}", "В городе {v.home:loc}")),
    "hobby": ("Что больше всего любит делать {who}?", ("{v.hobby}", "Любит {v.hobby}")),
    "travels": ("Как передвигается по городу {who}?", ("{v.travels}", "Передвигается {v.travels}")),
}
SHARED = {
    "colour": "Кто больше всего любит {v.colour} цвет?",
    "travels": "Кто передвигается {v.travels}?",
    "home": "Кто живёт {v.home:в loc}?",
}


def muserc(rng: random.Random, side: Side, n: int) -> list[Record]:
    """MuSeRC: numbered passages about four people; every answer candidate is right or wrong by two sentences.

    Args:
        rng: source of chance.
        side: whose people are meant.
        n: how many passages.

    Returns:
        One record an answer, as on the Hub.
    """
    rows = []
    for paragraph in range(n):
        people, shared, hops = four_people(rng, side)
        hop = rng.choice(hops)
        extra = rng.choice([fact for fact in sorted(PERSON) if fact not in (shared, hop, "age")])
        lines = [told(rng, PERSON, fact, p=x) for x in people for fact in (shared, hop, "age")]
        lines += [told(rng, PERSON, extra, p=x) for x in people[1:3]]
        (link, who), (other_link, _) = rng.sample(LINKS, 2)
        lines += [sentence(link, p=people[0], q=people[1]), sentence(other_link, p=people[2], q=people[3])]
        rng.shuffle(lines)
        text = " ".join(f"({i}) {line}" for i, line in enumerate(lines, 1))
        questions = [
            hop_question(hop, who, people),
            shared_question(shared, people),
            age_question(rng, people),
        ]
        rng.shuffle(questions)
        for number, (question, answers) in enumerate(questions):
            for i, (answer, label) in enumerate(rng.sample(answers, len(answers))):
                rows.append(
                    {
                        "paragraph": text,
                        "question": question,
                        "answer": answer,
                        "idx": {"paragraph": paragraph, "question": number, "answer": i},
                        "label": int(label),
                    }
                )
    return rows


Question = tuple[str, list[tuple[str, bool]]]


def four_people(rng: random.Random, side: Side) -> tuple[list[Person], str, list[str]]:
    """Return four people, a fact shared two by two, and facts in which the second differs from the first."""
    while True:
        shared = rng.choice(sorted(SHARED))
        groups: dict[str, list[Person]] = {}
        for person in side.world.people:
            groups.setdefault(value_of(person, shared), []).append(person)
        pairs = [group for group in groups.values() if len(group) > 1]
        if len(pairs) < 2:
            continue
        people = [person for group in rng.sample(pairs, 2) for person in rng.sample(group, 2)]
        rng.shuffle(people)
        hops = [f for f in sorted(HOPS) if f != shared and value_of(people[0], f) != value_of(people[1], f)]
        if hops and all(len({str(getattr(x, f)) for x in people}) == 4 for f in ("name", "age")):
            return people, shared, hops


def value_of(person: Person, fact: str) -> str:
    """Return a fact about a person as a string."""
    value = getattr(person, fact)
    return value.name.lemma if isinstance(value, City) else str(value)


def hop_question(fact: str, who: str, people: list[Person]) -> Question:
    """Ask about the second person by way of the first; the wrong answers are true of the first."""
    asked, wordings = HOPS[fact]
    question = sentence(asked, who=who.format(p=people[0]))
    return question, [(sentence(w, v=x), x is people[1]) for w in wordings for x in people[:2]]


def shared_question(fact: str, people: list[Person]) -> Question:
    """Ask for the two people who have something in common."""
    value = value_of(people[0], fact)
    return sentence(SHARED[fact], v=people[0]), [(str(x.full), value_of(x, fact) == value) for x in people]


def age_question(rng: random.Random, people: list[Person]) -> Question:
    """Ask who is older or younger than one of the middle two."""
    ordered = sorted(people, key=lambda x: x.age)
    middle, older = rng.choice(ordered[1:3]), rng.random() < 0.5
    asked = "Кто старше, чем {x.full}?" if older else "Кто младше, чем {x.full}?"
    return sentence(asked, x=middle), [
        (str(x.full), (x.age > middle.age) == older) for x in people if x is not middle
    ]


@cache
def events() -> tuple[dict[str, Any], ...]:
    """Return the events that RuCoS tells of: `opening`, `roles` (told, asked), `end`, `highlights`."""
    with (DATA / "events.jsonl").open(encoding="utf-8") as lines:
        return tuple(json.loads(line) for line in lines)


HOSTS = ("Всё это произошло в городе @placeholder.", "Принимал всех в этот день город @placeholder.")


def rucos(rng: random.Random, side: Side, n: int) -> list[Record]:
    """RuCoS: a news text with highlights; which of its names belongs in place of @placeholder?

    The people of one text are all men or all women, so that the verb forms of the query suit each of them.
    """

    def one(i: int) -> Record:
        event = rng.choice(events())
        gender = rng.choice("mf")
        people: list[Person] = []
        for person in rng.sample(side.world.people, len(side.world.people)):
            if person.gender == gender and len(people) < 3 and person.name not in [x.name for x in people]:
                people.append(person)
        t, u = rng.sample(side.world.cities, 2)
        slots = {"t": t, "u": u}
        statements = [sentence(r["told"], x=x, **slots) for r, x in zip(event["roles"], people, strict=True)]
        statements.append(sentence(rng.choice(event["guests"]), **slots))
        rng.shuffle(statements)
        text = " ".join([sentence(event["opening"], **slots), *statements, event["end"]])
        shown = "\n".join(f"@highlight\n{line}" for line in rng.sample(event["highlights"], 2))
        names = [str(x.full) for x in people] + [t.name.lemma, u.name.lemma]
        answer = rng.choice((0, 0, 1, 1, 2, 2, 3, 4))
        if answer < 3:
            query = sentence(rng.choice(event["roles"][answer]["asked"]), x=people[answer])
        else:
            query = rng.choice(HOSTS if answer == 3 else event["guests_asked"])
        return {
            "passage": f"{text}\n{shown}",
            "query": query,
            "entities": sorted(names, key=text.index),
            "answers": [names[answer]],
        }

    return distinct(n, one, ("passage", "query"))
