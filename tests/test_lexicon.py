"""The micro-world's vocabulary: enough of it, well-formed, its held-out names nowhere in training texts."""

import re
from functools import cache
from itertools import islice

import pytest

from course_lib.world import lexicon
from course_lib.world.documents import documents
from course_lib.world.facts import World
from course_lib.world.grammar import Noun
from course_lib.world.inflection import CASES
from course_lib.world.lexicon import read_table

TEXTS = ("proverbs", "jokes", "news", "detox", "qa", "dialogues", "tweets", "causes")
NAME_TABLES = {
    "people": "name",
    "cities": "name",
    "rivers": "name",
    "regions": "name",
    "pets": "name",
    "books": "title",
}
NOUNS = [word for word in lexicon.words() if word.pos == "noun"]
WORD = re.compile(r"[а-яё]+(?:-[а-яё]+)*", re.IGNORECASE)


def name_forms(held_out: bool) -> set[str]:
    """All singular forms, in lower case, of the names of people, places and pets of one side."""
    names = lexicon.names(held_out)
    nouns: list[Noun] = [part for key in ("m", "f") for pair in names[key] for part in pair]
    nouns += [*names["m_last"], *names["f_last"], *(name for name, _ in lexicon.pets(held_out))]
    for city in lexicon.cities(held_out):
        nouns += [city.name, city.river, city.region]
    return {name.form(case).lower() for name in nouns for case in CASES}


def leaves(value: object) -> list[str]:
    """Every string inside a record."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in leaves(part)]
    if isinstance(value, list):
        return [text for part in value for text in leaves(part)]
    return [value] if isinstance(value, str) else []


@cache
def held_out_titles() -> list[str]:
    return [row["title"] for row in read_table("books") if row["split"] == "held_out"]


def held_out_names_in(text: str, forms: set[str]) -> set[str]:
    found = {word for word in WORD.findall(text) if word[0].isupper() and word.lower() in forms}
    return found | {title for title in held_out_titles() if title in text}


def test_there_are_enough_words_and_names():
    assert len({word.lemma for word in lexicon.words()}) >= 1500
    assert len(lexicon.entity_names(False)) + len(lexicon.entity_names(True)) >= 250
    assert len(lexicon.entity_names(True)) >= 50


@pytest.mark.parametrize("name", TEXTS)
def test_there_are_several_hundred_texts_of_each_kind(name):
    train, held_out = lexicon.texts(name, "train"), lexicon.texts(name, "held_out")
    assert len(train) >= 200
    assert len(held_out) >= 40


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("words", "lemma pos category en fr attrs"),
        ("people", "name kind gender diminutive split"),
        ("cities", "name gender founded river region known_for sights founder population split"),
        ("rivers", "name gender length_km flows_into split"),
        ("regions", "name gender split"),
        ("pets", "name gender species split"),
        ("books", "title author_profession year split"),
        ("irregular", "lemma number nom gen dat acc ins loc"),
        ("irregular_words", "lemma number nom gen dat acc ins loc"),
    ],
)
def test_tables_have_their_columns_and_no_torn_rows(table, columns):
    for row in read_table(table):
        assert list(row) == columns.split()
        assert None not in row.values(), f"{table}: {row}"


def test_no_lemma_occurs_twice():
    keys = [(word.lemma, word.pos) for word in lexicon.words()]
    assert len(keys) == len(set(keys))


def test_every_word_has_both_glosses():
    for word in lexicon.words():
        assert word.en.strip() == word.en != "", word.lemma
        assert word.fr.strip() == word.fr != "", word.lemma
        assert not re.search("[а-яё]", word.en + word.fr, re.IGNORECASE), word.lemma


def test_no_gloss_is_shared_within_a_part_of_speech():
    for language in ("en", "fr"):
        glosses = [(word.pos, getattr(word, language)) for word in lexicon.words()]
        assert len(glosses) == len(set(glosses)), language


def test_the_deck_s_few_shot_examples_are_words_of_the_lexicon():
    french = {word.en: word.fr for word in lexicon.words()}
    assert french["sea otter"] == "loutre de mer"
    assert french["plush giraffe"] == "girafe peluche"
    assert french["peppermint"] == "menthe poivrée"
    assert french["cheese"] == "fromage"


@pytest.mark.parametrize("plural", [False, True])
def test_every_noun_has_all_its_forms(plural):
    """Twelve forms each; a word marked `sg` may lack the plural, a word marked `pl` has no singular."""
    without = []
    for word in NOUNS:
        if (plural and "sg" in word.attrs) or (not plural and "pl" in word.attrs):
            continue
        for case in CASES:
            try:
                form = word.noun.form(case, plural)
            except ValueError:
                without.append((word.lemma, case))
            else:
                assert re.fullmatch(r"[а-яёА-ЯЁ -]+", form), (word.lemma, case, form)
    assert without == []


def test_accusative_follows_animacy():
    for word in NOUNS:
        if "sg" in word.attrs or word.lemma == "креветка":  # eaten, it is both «креветки» and «креветок»
            continue
        same_as = "gen" if word.noun.animate else "nom"
        assert word.noun.form("acc", True) == word.noun.form(same_as, True), word.lemma


def test_attributes_name_words_of_the_lexicon():
    known = lexicon.lookup()
    for category, attribute in (
        ("animal", "home"),
        ("animal", "food"),
        ("profession", "place"),
        ("profession", "tool"),
    ):
        for word in lexicon.by_category()[category]:
            assert word.attrs[attribute] in known, (word.lemma, attribute)
    for word in lexicon.words():
        assert word.attrs.get("opp", word.lemma) in known, word.lemma


def test_cities_stand_on_known_rivers_in_known_regions_of_their_side():
    sides = {
        (table, row["name"]): row["split"] for table in ("rivers", "regions") for row in read_table(table)
    }
    for row in read_table("cities"):
        assert sides["rivers", row["river"]] == row["split"]
        assert sides["regions", row["region"]] == row["split"]
        assert 1000 <= int(row["founded"]) <= 2000
        assert int(row["population"]) > 0


def test_rivers_flow_into_rivers_of_their_side_or_into_seas_and_never_in_a_circle():
    flows = {row["name"]: row["flows_into"] for row in read_table("rivers")}
    sides = {row["name"]: row["split"] for row in read_table("rivers")}
    for name in flows:
        passed = [name]
        while passed[-1] in flows:
            passed.append(flows[passed[-1]])
            assert len(passed) <= len(flows), f"{name} flows in a circle"
        assert {sides.get(river, sides[name]) for river in passed} == {sides[name]}


def test_train_and_held_out_names_share_no_form():
    assert name_forms(True) & name_forms(False) == set()
    assert set(lexicon.entity_names(True)) & set(lexicon.entity_names(False)) == set()


def test_held_out_names_are_no_forms_of_common_words():
    common = {word.lemma for word in lexicon.words()}
    for word in NOUNS:
        numbers = {"pl" in word.attrs, "sg" not in word.attrs}
        common |= {word.noun.form(case, plural).lower() for case in CASES for plural in numbers}
    assert name_forms(True) & common == set()


@pytest.mark.parametrize("name", TEXTS)
def test_held_out_names_never_occur_in_training_texts(name):
    forms = name_forms(True)
    for record in lexicon.texts(name, "train"):
        found = held_out_names_in(" ".join(leaves(record)), forms)
        assert not found, f"{name}: {found} in {record}"


@pytest.mark.parametrize("split", ["train", "validation"])
def test_held_out_names_never_occur_in_pretraining_documents(split):
    forms = name_forms(True)
    for document in islice(documents(seed=7, split=split), 1500):
        found = held_out_names_in(document["text"], forms)
        assert not found, f"{document['kind']}: {found}"


def test_held_out_names_are_found_where_they_are():
    """The search above would notice an inflected name."""
    forms = name_forms(True)
    assert held_out_names_in("Мы видели Тимофея и Герду в Зимогорье.", forms) == {
        "Тимофея",
        "Герду",
        "Зимогорье",
    }
    assert held_out_names_in("Он читает книгу «Щегол и барабан».", forms) == {"Щегол и барабан"}


def test_the_held_out_side_of_the_world_is_built_of_held_out_names():
    forms = name_forms(True)
    world = World.build(held_out=True)
    assert len(world.people) >= 100
    for person in world.people:
        assert {part.lower() for part in person.full.lemma.split()} <= forms
        assert person.home.held_out


def test_no_text_stands_on_both_sides_of_the_split():
    for name in TEXTS:
        train = {" ".join(leaves({**record, "split": ""})) for record in lexicon.texts(name, "train")}
        held_out = {" ".join(leaves({**record, "split": ""})) for record in lexicon.texts(name, "held_out")}
        assert train & held_out == set(), name
        assert len(train) == len(lexicon.texts(name, "train")), name


def test_unknown_table_is_a_clear_error():
    with pytest.raises(FileNotFoundError, match="planets"):
        read_table("planets")
