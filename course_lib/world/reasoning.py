"""Pretraining documents that draw conclusions: claims with verdicts, questions, pronouns resolved."""

from __future__ import annotations

import random
from functools import cache

from course_lib.world.documents import Generator
from course_lib.world.entailment import Schema, draw, fill, question, schemas, swapped, uncapital
from course_lib.world.facts import World
from course_lib.world.winograd import instance, winograds

VERDICTS = (
    ("Да", "Нет"),
    ("Да", "Нет"),
    ("Верно", "Неверно"),
    ("Верно", "Неверно"),
    ("Правда", "Неправда"),
    ("Так и есть", "Это не так"),
    ("+", "−"),
    ("1", "0"),
)
WHETHER = (
    "Верно ли, что {}?",
    "Правда ли, что {}?",
    "Следует ли отсюда, что {}?",
    "Можно ли сказать, что {}?",
)
# premise, claim, verdict
LAYOUTS = (
    "{0}\n{1} {2}.",
    "{0} {1} {2}.",
    "Текст: {0}\nВопрос: {1}\nОтвет: {2}",
    "{0}\nВопрос: {1}\nОтвет: {2}.",
    "— {0} {1}\n— {2}.",
)
STATED = (
    "{0}\nВывод: {1} {2}.",
    "{0} => {1} => {2}",
    "Дано: {0}\nУтверждение: {1}\nОтвет: {2}",
    "Текст: {0} Гипотеза: {1} Ответ: {2}.",
    "{0}\n— {1}\n— {2}.",
)
FOLLOWS = ("Значит, {}", "Следовательно, {}", "Отсюда следует, что {}", "Стало быть, {}", "Выходит, что {}")
FAILS = (
    "Поэтому неверно, что {}",
    "Значит, неправда, что {}",
    "Ошибётся тот, кто скажет, что {}",
    "Было бы ошибкой сказать, что {}",
)


def case(rng: random.Random, world: World, schema: Schema) -> tuple[str, str, bool]:
    """Return a premise, a claim and whether the claim follows."""
    slots = draw(rng, world)
    true = rng.random() < 0.5
    claim = rng.choice(schema.claims)
    return (
        fill(rng.choice(schema.premises), slots),
        fill(claim, slots if true else swapped(schema, slots)),
        true,
    )


def claims(rng: random.Random, world: World) -> str:
    """Claims with their verdicts; one layout and one pair of verdicts a document."""
    yes, no = rng.choice(VERDICTS)
    asked = rng.random() < 0.6
    layout, whether = rng.choice(LAYOUTS if asked else STATED), rng.choice(WHETHER)
    pool = rng.sample(schemas(), rng.choice((1, 2, 3, 5)))
    lines = []
    for _ in range(rng.randint(3, 7)):
        premise, claim, true = case(rng, world, rng.choice(pool))
        if asked:
            claim = whether.format(uncapital(claim).rstrip("."))
        lines.append(layout.format(premise, claim, yes if true else no))
    return ("\n\n" if "\n" in layout else "\n").join(lines)


def chains(rng: random.Random, world: World) -> str:
    """Premises, each with what follows and what does not."""
    lines = []
    for schema in rng.sample(schemas(), rng.randint(1, 4)):
        slots = draw(rng, world)
        true, false = (rng.choice(schema.claims) for _ in range(2))
        parts = [fill(rng.choice(schema.premises), slots)]
        ends = [
            rng.choice(FOLLOWS).format(uncapital(fill(true, slots))),
            rng.choice(FAILS).format(uncapital(fill(false, swapped(schema, slots)))),
        ]
        rng.shuffle(ends)
        lines.append(" ".join(parts + ends[: rng.randint(1, 2)]))
    return "\n".join(lines)


ANSWERED = ("Вопрос: {0}\nОтвет: {1}", "{0} {1}.", "— {0}\n— {1}.", "В: {0}\nО: {1}.", "{0}\n{1}.")


@cache
def asking() -> tuple[Schema, ...]:
    """Return the schemas that can be asked about."""
    return tuple(schema for schema in schemas() if schema.asks)


def questions(rng: random.Random, world: World) -> str:
    """Short passages with one or two questions each."""
    layout = rng.choice(ANSWERED)
    pool = rng.sample(asking(), rng.choice((1, 2, 4)))
    blocks = []
    for _ in range(rng.randint(2, 5)):
        chosen, slots = rng.choice(pool), draw(rng, world)
        asks = rng.sample(chosen.asks, rng.randint(1, len(chosen.asks)))
        lines = [layout.format(*question(rng, chosen, slots, ask)[:2]) for ask in asks]
        blocks.append("\n".join([fill(rng.choice(chosen.premises), slots), *lines]))
    return "\n\n".join(blocks)


def passages(rng: random.Random, world: World) -> str:
    """A longer passage of numbered sentences with several questions about its parts."""
    chosen = [(schema, draw(rng, world)) for schema in rng.sample(asking(), rng.randint(2, 4))]
    parts = [fill(rng.choice(schema.premises), slots) for schema, slots in chosen]
    numbered = rng.random() < 0.5
    text = " ".join(f"({i}) {part}" if numbered else part for i, part in enumerate(parts, 1))
    rng.shuffle(chosen)
    lines = []
    for schema, slots in chosen:
        ask, right, wrong = question(rng, schema, slots)
        if rng.random() < 0.5:
            lines.append(f"Вопрос: {ask}\nОтвет: {right}.")
        else:
            true = rng.random() < 0.5
            lines.append(
                f"Вопрос: {ask}\nОтвет: {right if true else wrong}. Верно? {'Да' if true else 'Нет'}."
            )
    return text + "\n" + "\n".join(lines)


def pronouns(rng: random.Random, world: World) -> str:
    """Sentences whose pronoun could be either of two nouns, with the one that it is."""
    lines = []
    layout = rng.choice(
        (
            "{0} «{3}» — это {2}.",
            "{0} Кто или что «{1}»? {4}.",
            "{0}\n{1} = {2}\n",
            "{0} {1} => {2}",
            "{0}\nКого заменяет слово «{1}»? Это {2}.\n",
        )
    )
    verdict = rng.random() < 0.4
    for schema in rng.sample(winograds("train"), rng.randint(2, 5)):
        a, b, about_a, about_b = instance(rng, world, schema)
        text, who, other = rng.choice(((about_a, a, b), (about_b, b, a)))
        if verdict:
            told = rng.choice((who, other))
            answer = "Да" if told is who else "Нет"
            lines.append(f"{text} «{who:^@nom}» — это {told}? {answer}.")
        else:
            lines.append(layout.format(text, f"{who:@nom}", str(who), f"{who:^@nom}", f"{who:^}"))
    return "\n".join(lines).strip()


KINDS: dict[str, tuple[float, Generator]] = {
    "reasoning: claims": (0.035, claims),
    "reasoning: chains": (0.015, chains),
    "reasoning: questions": (0.025, questions),
    "reasoning: passages": (0.015, passages),
    "reasoning: pronouns": (0.01, pronouns),
}
