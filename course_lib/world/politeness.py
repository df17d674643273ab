"""Rude remarks and the same said politely, made from the table `data/frames/detox.txt`."""

from __future__ import annotations

import random
import re
from functools import cache
from itertools import accumulate

from course_lib.world.facts import Person, World
from course_lib.world.frames import Frame, Text, frames, sentences, world_slots
from course_lib.world.grammar import Noun, decide

INSULTS = {
    "m": "балбес болван растяпа разиня бестолочь лентяй олух дурень ротозей копуша недотёпа бездельник "
    "тупица чучело осёл балда обормот остолоп дуралей невежа лопух тетеря пень",
    "f": "балда растяпа разиня бестолочь лентяйка дурёха копуша недотёпа бездельница тупица неумёха зануда "
    "чучело тетеря курица коза клуша ворона неряха",
    "pl": "балбесы болваны растяпы разини лентяи олухи ротозеи копуши недотёпы бездельники тупицы обормоты "
    "остолопы дармоеды неумёхи лопухи бестолочи невежи тетери",
}
ADDRESS = {
    "one": "ты тебя тебе тобой твой твоего твои",
    "many": "вы вас вам вами ваш вашего ваши",
}
RUDE_REQUESTS = (
    "{imp}, {bad}!",
    "{imp}, {bad}, [сколько можно повторять|я кому говорю|{you:~оглох}, что ли]!",
    "Эй, {bad}, {imp}!",
    "[Живо|Быстро|Ну-ка|Немедленно] {imp}, {bad}!",
    "{bad:^}, {imp} и [не зли* меня|не спорь*|не ной*]!",
    "{imp}, {bad}, [пока я не {me:~рассердился}|а то хуже будет|нечего прохлаждаться]!",
    "Да {imp} [наконец|уже], {bad}!",
    "[Долго мне ждать|Опять спи%|Совсем {you:~обленился}], {bad}? {imp:^}!",
    "{imp} и [помалкивай*|не умничай*|не строй* из себя невесть что]!",
    "{imp}, {bad}, никак {тебя} не дозваться!",
)
POLITE_REQUESTS = (
    "{imp}, пожалуйста.",
    "Пожалуйста, {imp}.",
    "Не {you:~мог} бы {ты} {inf}?",
    "Можно попросить {тебя} {inf}?",
    "Будь* {you:~добр}, {imp}.",
    "{imp}, если {тебе} нетрудно.",
    "[Мне хотелось бы|Я хочу] попросить {тебя} {inf}.",
    "{imp}, пожалуйста, [буду {me:~признателен}|это важно для меня|мне это очень поможет].",
)
RUDE_BANS = (
    "{imp}, {bad}!",
    "Сколько раз повторять, {bad}: {imp}!",
    "{bad:^}, {imp}, [надоело|{you:~достал} уже]!",
    "[Эй|Слушай*], {bad}, {imp}!",
    "{imp}, {bad}, [а то хуже будет|я кому говорю|ни черта не понимае%]!",
)
POLITE_BANS = (
    "{imp}, пожалуйста.",
    "Пожалуйста, {imp}.",
    "[Прошу|Очень прошу] {тебя} {inf}.",
    "[Постарай@|Постарай@, пожалуйста,] {inf}.",
    "Можно попросить {тебя} {inf}?",
)
SECOND_PERSON = re.compile(r"<([^~>]*)~([^>]*)>|(\w)@|\*|(?<=\w)%")


def _addressed(template: str, many: bool) -> str:
    """Turn the marks of the second person (see `data/frames/detox.txt`) into endings."""

    def ending(mark: re.Match[str]) -> str:
        if mark[1] is not None or mark[2] is not None:
            return mark[2] if many else mark[1]
        if mark[3]:
            return mark[3] + ("тесь" if many else "сь" if mark[3] in "аеиоуыэюя" else "ся")
        return "те" if many else "" if mark[0] == "*" else "шь"

    return SECOND_PERSON.sub(ending, template)


RUDE_ENDS = (
    "Тьфу!",
    "Надоело!",
    "Сил моих нет!",
    "Вот наказание!",
    "Стыдно смотреть!",
    "Позорище!",
    "Ну сколько можно!",
    "Соображать надо!",
)
POLITE_ENDS = ("Спасибо за понимание.", "Надеюсь, {ты} не обиди<шься~тесь>.", "Только не серди@.")
GROUPS = ("Ребята", "Коллеги", "Соседи", "Друзья", "Господа", "Граждане", "Товарищи")


@cache
def _people_of(world: World, gender: str) -> tuple[Person, ...]:
    return tuple(person for person in world.people if person.gender == gender)


@cache
def _detox_templates() -> tuple[tuple[Frame, str, str], ...]:
    """Every template with its frame and kind; what has more ways to come out is drawn more often."""
    return tuple(
        (frame, kind, template)
        for frame in frames("detox")
        for kind, templates in frame.templates.items()
        for template in templates
    )


@cache
def _detox_weights() -> tuple[float, ...]:
    # a request comes out in many ways by itself; of the others, those with more slots may come more often
    return tuple(
        accumulate(
            min(Frame({kind: (template,)}, frame.slots).ways(kind), 80) ** 0.6 if kind == "p" else 11.0
            for frame, kind, template in _detox_templates()
        )
    )


@cache
def _you(mode: str) -> Noun:
    return Noun("ты", gender="m" if mode == "pl" else mode, animate=True, plural=mode == "pl")


def make_detox(rng: random.Random, world: World) -> dict[str, str]:
    """Make a rude remark and the same said politely, to one person or to many.

    Args:
        rng: source of chance.
        world: whose names it mentions.

    Returns:
        `toxic` and `polite`.
    """
    mode = rng.choice(("m", "f", "pl"))
    many = mode == "pl"
    frame, kind, template = rng.choices(_detox_templates(), cum_weights=_detox_weights())[0]
    slots = {**world_slots(rng, world), **frame.draw(rng)}
    slots["you"] = _you(mode)
    slots["bad"] = Text(rng.choice(INSULTS[mode].split()))
    forms = ADDRESS["many" if many else "one"].split()
    slots |= {key: Text(form) for key, form in zip(ADDRESS["one"].split(), forms, strict=True)}
    left, right = _addressed(decide(rng, template), many).split(" => ")
    if kind != "p":
        slots["imp"] = Text(left.format(**slots))
        slots["inf"] = Text(right.format(**slots))
        rude, polite = {"r": (RUDE_REQUESTS, POLITE_REQUESTS), "n": (RUDE_BANS, POLITE_BANS)}[kind]
        left, right = (_addressed(decide(rng, rng.choice(ways)), many) for ways in (rude, polite))
    if rng.random() < 0.25:
        left += " " + _addressed(rng.choice(RUDE_ENDS), many)
    if rng.random() < 0.15:
        right += " " + _addressed(rng.choice(POLITE_ENDS), many)
    rude, polite = sentences(left, **slots), sentences(right, **slots)
    if not rude.startswith("Эй") and rng.random() < 0.55:
        called = rng.choice(GROUPS) if many else rng.choice(_people_of(world, mode)).name.lemma
        rude, polite = (f"{called}, {text[0].lower()}{text[1:]}" for text in (rude, polite))
    return {"toxic": rude, "polite": polite}
