"""Diaries, letters, notices and everyday talk: deterministic, varied, filled in, and true to the world."""

from __future__ import annotations

import random
import re

import pytest

from course_lib.world import conversations, diaries, lexicon, notices
from course_lib.world.facts import World
from course_lib.world.inflection import agree

KINDS = diaries.KINDS | notices.KINDS | conversations.KINDS


def write(kind: str, n: int, seed: int = 0, held_out: bool = False) -> list[str]:
    rng, world = random.Random(seed), World.build(held_out=held_out)
    return [KINDS[kind][1](rng, world) for _ in range(n)]


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_documents(kind: str) -> None:
    assert write(kind, 5, seed=3) == write(kind, 5, seed=3)
    assert write(kind, 5, seed=3) != write(kind, 5, seed=4)


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_slot_is_filled_and_spacing_is_clean(kind: str, held_out: bool) -> None:
    for text in write(kind, 60, held_out=held_out):
        assert not re.search(r"[{}<>|]|::|//|>>|(?<!\n)  | [,.;!?]", text.replace(" | ", " ")), text
        assert text == text.strip() and len(text.split()) >= 5


def test_hardly_two_documents_are_alike() -> None:
    rng, world = random.Random(1), World.build()
    names, shares = list(KINDS), [share for share, _ in KINDS.values()]
    texts = [KINDS[kind][1](rng, world) for kind in rng.choices(names, shares, k=2000)]
    assert len(set(texts)) / len(texts) > 0.995


def test_kinds_are_registered_with_their_shares() -> None:
    from course_lib.world import documents

    assert KINDS.items() <= documents.kinds().items()
    assert 0.1 <= sum(share for share, _ in KINDS.values()) <= 0.2


# past forms that only the narrator takes in the diaries' wordings
OWN = ("забыл", "опоздал", "купил", "решил", "остался", "потерял", "помог", "вернулся", "встретил", "гулял")


@pytest.mark.parametrize("gender", ["m", "f"])
def test_the_narrators_verbs_agree_with_the_narrator(gender: str) -> None:
    other = {"m": "f", "f": "m"}[gender]
    wrong = {f"я {agree(verb, other, False)}" for verb in OWN}
    right = {f"я {agree(verb, gender, False)}" for verb in OWN}
    world = World.build()
    people = tuple(person for person in world.people if person.gender == gender)
    side = World(people, world.cities, world.pets, False, False)
    rng, seen = random.Random(2), 0
    for _ in range(200):
        phrases = set(re.findall(r"\bя \w+", diaries.diary(rng, side).lower()))
        assert not phrases & wrong
        seen += len(phrases & right)
    assert seen > 20


@pytest.mark.parametrize("generator", [notices.weather, diaries.diary])
def test_no_snow_in_summer(generator: notices.Generator) -> None:
    rng, world, summers = random.Random(5), World.build(), 0
    for _ in range(300):
        text = generator(rng, world)
        if re.search(r"\d (июня|июля)\b", text) and not re.search("мая|августа", text):
            summers += 1
            assert not re.search(r"\bснег|снегопад|метел|мороз|минус|−\d", re.sub("[А-Я][а-я]+", "", text)), (
                text
            )
    assert summers > 10


def test_lost_pets_have_their_true_species() -> None:
    world = World.build()
    species = {str(name): kind for name, kind in world.pets}
    forms = {lexicon.known_noun(kind).form(case) for kind in species.values() for case in ("nom", "acc")}
    rng = random.Random(4)
    for _ in range(100):
        text = notices.lost_pet(rng, world)
        words = set(re.findall(r"\w+", text))
        pet = next(name for name, _ in world.pets if {name.form(case) for case in ("nom", "acc")} & words)
        named = words & forms
        own = {lexicon.known_noun(species[str(pet)]).form(case) for case in ("nom", "acc")}
        assert named and named <= own | {"собаки"}, text


def test_commands() -> None:
    assert notices.commanded("нарезать", "pl") == "нарежьте"
    assert notices.commanded("посолить", "sg") == "посоли"
    assert notices.commanded("смешать", "we") == "смешаем"
