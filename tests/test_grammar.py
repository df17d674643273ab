"""Inflection inside `str.format`: every feature of the format language on phrases checked by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.world import lexicon
from course_lib.world.grammar import Count, Noun, Phrase, listing, phrase, sentence, template_usage
from course_lib.world.inflection import CASES, agree, capitalise, counted, preposition, third_person
from course_lib.world.lexicon import noun

ANNA, VLADIMIR = (
    noun("Анна", gender="f", animate=True),
    noun("Владимир", gender="m", animate=True, proper="Name"),
)
PAVEL, PETR = (noun(name, gender="m", animate=True, proper="Name") for name in ("Павел", "Пётр"))
SVETLANA = noun("Светлана", gender="f", animate=True, proper="Name")
BERYOZKINA = noun("Берёзкина", gender="f", animate=True, proper="Surn")
POLEVAYA = noun("Полевая", gender="f", animate=True, proper="Surn")
DVINA, MOSKVA_REKA = noun("Северная Двина", gender="f"), noun("Москва-река", gender="f")
LAZURNOE, VLADIMIR_TOWN = (
    noun("Лазурное", gender="n"),
    noun("Владимир", gender="m", animate=False, proper="Geox"),
)


def w(lemma: str) -> Noun:
    return lexicon.lookup()[lemma].noun


PHRASES = [
    # cases and number
    ("{:gen}", w("ёж"), "ежа"),
    ("{:dat}", w("мышь"), "мыши"),
    ("{:acc}", w("кот"), "кота"),
    ("{:acc}", w("стол"), "стол"),
    ("{:acc}", w("лошадь"), "лошадь"),
    ("{:ins}", w("путь"), "путём"),
    ("{:loc}", w("планетарий"), "планетарии"),
    ("{:pl}", w("стул"), "стулья"),
    ("{:pl nom}", w("ребёнок"), "дети"),
    ("{:pl gen}", w("сапог"), "сапог"),
    ("{:pl gen}", w("носок"), "носков"),
    ("{:pl gen}", w("яблоко"), "яблок"),
    ("{:pl gen}", w("башня"), "башен"),
    ("{:pl acc}", w("гусь"), "гусей"),
    ("{:pl acc}", w("колыбельная"), "колыбельные"),
    ("{:pl ins}", w("дочь"), "дочерьми"),
    ("{:pl}", w("цветок"), "цветы"),
    ("{:gen}", w("ножницы"), "ножниц"),
    ("{:ins}", w("сумерки"), "сумерками"),
    ("{:gen}", w("кофе"), "кофе"),
    ("{:gen}", w("имя"), "имени"),
    ("{:ins}", w("пожарный"), "пожарным"),
    ("{:dat}", w("мороженое"), "мороженому"),
    ("{:acc}", w("судья"), "судью"),
    ("{:acc}", w("мишка"), "мишку"),
    # names
    ("{:gen}", PAVEL, "Павла"),
    ("{:ins}", PETR, "Петром"),
    ("{:dat}", BERYOZKINA, "Берёзкиной"),
    ("{:acc}", POLEVAYA, "Полевую"),
    ("{:acc}", Phrase(ANNA, BERYOZKINA), "Анну Берёзкину"),
    ("{:о loc}", Phrase(ANNA, BERYOZKINA), "об Анне Берёзкиной"),
    ("{:с ins}", Phrase(VLADIMIR, noun("Соколов", gender="m", proper="Surn")), "с Владимиром Соколовым"),
    ("{:gen}", MOSKVA_REKA, "Москвы-реки"),
    ("{:на loc}", DVINA, "на Северной Двине"),
    ("{:в loc}", LAZURNOE, "в Лазурном"),
    # prepositions by sound
    ("{:в loc}", VLADIMIR_TOWN, "во Владимире"),
    ("{:с ins}", SVETLANA, "со Светланой"),
    ("{:с ins}", w("лев"), "со львом"),
    ("{:с ins}", w("щука"), "со щукой"),
    ("{:с ins}", w("сом"), "с сомом"),
    ("{:к dat}", w("лев"), "ко льву"),
    ("{:к dat}", w("врач"), "к врачу"),
    ("{:о loc}", w("облако"), "об облаке"),
    ("{:о loc}", w("ёлка"), "о ёлке"),
    ("{:о loc}", w("яблоко"), "о яблоке"),
    ("{:о loc}", w("экскаватор"), "об экскаваторе"),
    ("{:в acc}", w("фонтан"), "в фонтан"),
    ("{:у gen}", w("дуб"), "у дуба"),
    ("{:для gen}", w("сестра"), "для сестры"),
    # the locative of place
    ("{:в loc}", w("лес"), "в лесу"),
    ("{:о loc}", w("лес"), "о лесе"),
    ("{:на loc}", w("мост"), "на мосту"),
    ("{:на loc}", w("пол"), "на полу"),
    ("{:на loc}", w("лёд"), "на льду"),
    ("{:в loc}", w("рот"), "во рту"),
    ("{:в loc}", w("двор"), "во дворе"),
    ("{:в loc}", w("дом"), "в доме"),
    ("{:на pl loc}", w("мост"), "на мостах"),
    ("{:в loc}", noun("Лесной край", gender="m"), "в Лесном крае"),
    # phrases
    ("{:gen}", phrase("старый", w("мельница")), "старой мельницы"),
    ("{:acc}", phrase("серый", w("волк")), "серого волка"),
    ("{:acc}", phrase("круглый", w("стол")), "круглый стол"),
    ("{:pl acc}", phrase("белый", w("гусь")), "белых гусей"),
    ("{}", phrase("новый", w("часы")), "новые часы"),
    ("{:в loc}", phrase("тёмный", w("лес")), "в тёмном лесу"),
    ("{:с ins}", w("плюшевый жираф"), "с плюшевым жирафом"),
    ("{:pl gen}", w("божья коровка"), "божьих коровок"),
    # agreement of verbs, adjectives, participles
    ("{:~встретил}", ANNA, "встретила"),
    ("{:~встретить}", w("море"), "встретило"),
    ("{:~пришёл}", w("ножницы"), "пришли"),
    ("{:~идёт}", w("часы"), "идут"),
    ("{:~есть}", w("лиса"), "ела"),
    ("{:~большой}", w("река"), "большая"),
    ("{:~большой acc}", w("медведь"), "большого"),
    ("{:~синий gen}", w("море"), "синего"),
    ("{:~мой}", w("кошка"), "моя"),
    ("{:~нужен}", w("весы"), "нужны"),
    ("{:~основан}", w("деревня"), "основана"),
    ("{:~рыбий}", w("кость"), "рыбья"),
    ("{:~усталый}", w("мишка"), "усталый"),
    # third person
    ("{:>служить}", w("лопата"), "служит"),
    ("{:>помогать}", w("весы"), "помогают"),
    ("{:>прийти}", ANNA, "придёт"),
    # pronouns
    ("{:@nom}", w("солнце"), "оно"),
    ("{:@dat}", ANNA, "ей"),
    ("{:@acc}", w("часы"), "их"),
    ("{:@у gen}", PETR, "у него"),
    ("{:@с ins}", ANNA, "с ней"),
    ("{:@о loc}", w("окно"), "о нём"),
    # capitals
    ("{:^}", w("ёлка"), "Ёлка"),
    ("{:^в loc}", w("лес"), "В лесу"),
    ("{:^~добрый}", ANNA, "Добрая"),
    ("{:^@nom}", ANNA, "Она"),
]


@pytest.mark.parametrize(("template", "word", "expected"), PHRASES, ids=[row[2] for row in PHRASES])
def test_format_language(template, word, expected):
    assert template.format(word) == expected


@pytest.mark.parametrize(
    ("number", "word", "expected"),
    [
        (1, "год", "1 год"),
        (2, "год", "2 года"),
        (5, "год", "5 лет"),
        (11, "год", "11 лет"),
        (14, "год", "14 лет"),
        (21, "год", "21 год"),
        (112, "год", "112 лет"),
        (2, "мак", "2 мака"),
        (5, "стул", "5 стульев"),
        (21, "бобр", "21 бобр"),
        (3, "человек", "3 человека"),
        (7, "человек", "7 человек"),
        (11_000, "человек", "11 000 человек"),
        (1_005, "ребёнок", "1005 детей"),
        (13_000_000, "житель", "13 000 000 жителей"),
    ],
)
def test_counts_agree_their_noun(number, word, expected):
    assert format(Count(number), word) == expected


def test_count_without_a_noun_is_a_number():
    assert f"{Count(42)}" == "42"
    assert Count(3) + Count(4) == 7


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 10**6), st.sampled_from(["кот", "книга", "окно", "день", "копейка", "житель"]))
def test_count_follows_the_last_digits(number, word):
    singular = Noun(word)
    few = {1: "nom"} | dict.fromkeys((2, 3, 4), "gen")
    last = number % 10 if number % 100 not in (11, 12, 13, 14) else 0
    expected = singular.form(few[last]) if last in few else singular.form("gen", plural=True)
    assert counted(number, word) == expected


SINGULAR = [word for word in lexicon.words() if word.pos == "noun" and "pl" not in word.attrs]


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(SINGULAR), st.sampled_from(list(CASES)))
def test_adjective_ends_with_its_noun(word, case):
    """An adjective takes the gender, case and animacy of its noun."""
    animate_accusative = case == "acc" and word.noun.gender == "m" and word.noun.animate
    endings = {
        "m": {"nom": "ый", "gen": "ого", "dat": "ому", "acc": "ый", "ins": "ым", "loc": "ом"},
        "n": {"nom": "ое", "gen": "ого", "dat": "ому", "acc": "ое", "ins": "ым", "loc": "ом"},
        "f": {"nom": "ая", "gen": "ой", "dat": "ой", "acc": "ую", "ins": "ой", "loc": "ой"},
    }
    wanted = "ого" if animate_accusative else endings[word.noun.gender][case]
    assert format(word.noun, f"~новый {case}") == "нов" + wanted


@settings(deadline=None)
@given(st.text(alphabet="абвгдеёжзийклмнопрстуфхцчшщыэюя", min_size=2, max_size=8), st.sampled_from("вско"))
def test_preposition_is_one_of_its_two_variants(following, word):
    variants = {"в": ("в", "во"), "с": ("с", "со"), "к": ("к", "ко"), "о": ("о", "об")}
    assert preposition(word, following) in variants[word]
    assert preposition("из", following) == "из"


def test_capital_letter_skips_quotes_and_dashes():
    assert capitalise("«ёжик»") == "«Ёжик»"
    assert capitalise("— да") == "— Да"
    assert capitalise("5 лет") == "5 лет"


def test_listing_joins_as_russian_does():
    assert listing(["мост"]) == "мост"
    assert listing(["мост", "парк"]) == "мост и парк"
    assert listing(["мост", "парк", "сад"], "или") == "мост, парк или сад"


def test_sentence_fills_slots_and_starts_with_a_capital():
    filled = sentence(
        "{who:~нашёл} {what:acc} {where:в loc} {who}", who=ANNA, what=w("книга"), where=w("шкаф")
    )
    assert filled == "Нашла книгу в шкафу Анна"


def test_template_usage_counts_characters_by_template():
    with template_usage() as usage:
        first = sentence("{who} дома.", who=ANNA)
        second = sentence("{who} дома.", who=PETR)
    sentence("{who} дома.", who=ANNA)  # outside: not counted
    assert usage == {"{who} дома.": len(first) + len(second)}


def test_given_forms_win_over_the_analyser():
    invented = Noun("Кузя", gender="m", animate=True, forms={("gen", False): "Кузи-кота"})
    assert invented.form("gen") == "Кузи-кота"


def test_homographs_take_the_meant_verb():
    assert third_person("засыпать", plural=False) == "засыпает"
    assert third_person("нарезать", plural=True) == "нарежут"


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda: agree("стол", "f", False), "«стол» is neither a verb nor an adjective"),
        (lambda: third_person("хлеб", False), "«хлеб» is not an infinitive"),
        (lambda: counted(5, "бежать"), "«бежать» is not a noun in the nominative"),
        (lambda: Noun("бежать").form("gen"), "«бежать» is not known as a noun"),
        (lambda: w("молоко").form("gen", plural=True), "«молоко» has no form"),
    ],
)
def test_impossible_forms_say_which_word_is_at_fault(broken, message):
    with pytest.raises(ValueError, match=message):
        broken()


def test_missing_slot_is_named():
    with pytest.raises(KeyError, match="where"):
        sentence("{who} {where:в loc}", who=ANNA)
