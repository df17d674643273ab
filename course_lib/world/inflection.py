"""How single Russian words bend: agreement, the third person, counting, and the sound of prepositions.

`pymorphy3` knows the forms; this module chooses among its readings, and corrects what it gets wrong.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

CASES = {"nom": "nomn", "gen": "gent", "dat": "datv", "acc": "accs", "ins": "ablt", "loc": "loct"}
GENDERS = {"m": "masc", "f": "femn", "n": "neut"}

# "с" joins "мной" and clusters as "со"; "о" takes "об" before a vowel sound
VOWELS = "аеёиоуыэюя"
# stems that have lost their vowel (and the yard) lend it to the preposition: во рту, ко дну, со львом
FLEETING = (
    "мне",
    "мной",
    "льв",
    "льд",
    "льна",
    "льну",
    "льне",
    "рту",
    "рта",
    "рте",
    "ртом",
    "лбу",
    "лба",
    "лбе",
    "лбом",
)
FLEETING += ("мху", "мха", "мхом", "ржи", "дна", "дну", "дне", "дном", "сну", "сне ", "двор")

# infinitives whose third person the analyser takes from the other verb that is written the same
HOMOGRAPHS = {"засыпать": ("засыпает", "засыпают"), "нарезать": ("нарежет", "нарежут")}


@cache
def morph() -> Any:
    import pymorphy3

    return pymorphy3.MorphAnalyzer()


def capitalise(text: str) -> str:
    """Return `text` with its first letter in upper case and the rest untouched."""
    for i, char in enumerate(text):
        if char.isalpha():
            return text[:i] + char.upper() + text[i + 1 :]
        if char not in "«—( ":
            break
    return text


def preposition(word: str, following: str) -> str:
    """Choose the sound variant of a preposition: в/во, с/со, к/ко, о/об.

    Args:
        word: the preposition in its short form.
        following: the text that comes after it.

    Returns:
        The preposition as it is pronounced before `following`.
    """
    nxt = following.lower().lstrip("«") + " "
    second = nxt[1:2]
    cluster = bool(second) and nxt[0] not in VOWELS and second not in VOWELS + "йьъ"
    if word == "в" and ((nxt[0] in "вф" and cluster) or nxt.startswith(("многих", *FLEETING))):
        return "во"
    if word == "с" and (
        (nxt[0] in "сзшжщ" and cluster) or nxt[0] == "щ" or nxt.startswith(("вс", "втор", *FLEETING))
    ):
        return "со"
    if word == "к" and nxt.startswith(("всем", "всяк", "вче", *FLEETING)):
        return "ко"
    if word == "о" and nxt[0] in "аиоуэ":
        return "об"
    return word


@lru_cache(maxsize=100_000)
def agree(word: str, gender: str, plural: bool, case: str = "nom", animate: bool = False) -> str:
    """Agree a verb, adjective, participle or pronoun-adjective with a noun's gender, number and case.

    Args:
        word: an infinitive (gives the past tense), a past or present form, or a masculine adjective.
        gender: "m", "f" or "n".
        plural: whether the noun is plural.
        case: one of `CASES`, for full adjectives.
        animate: whether the noun is animate (decides the accusative).

    Returns:
        The agreed form, lower case as given.

    Raises:
        ValueError: if the word is neither a verb nor an adjective.
    """
    # the short participle before the short adjective: «уверена», not «уверенна»
    rank = {"VERB": 0, "ADJF": 1, "PRTF": 1, "PRTS": 1, "INFN": 1, "ADJS": 2, "NPRO": 3}
    word = "ел" if word == "есть" else word  # «есть» is also the present of "to be"
    # not the imperative («мой» is meant as "my", not as "wash!"), adjectives in the nominative only
    # («духовой» is not a form of «духов»), and the plain degree («большая» belongs to «большой», not to
    # «больший»)
    parses = [
        p
        for p in morph().parse(word)
        if p.tag.POS in rank
        and p.tag.number != "plur"
        and p.tag.mood != "impr"
        and (p.tag.POS not in ("ADJF", "PRTF") or "nomn" in p.tag)
        and not p.normal_form.endswith("ьший")
    ]
    if not parses:
        raise ValueError(f"«{word}» is neither a verb nor an adjective, so it cannot agree with a noun.")
    # of equal parts of speech the analyser's order (by frequency) decides; the masculine nominative is what
    # is written
    parse = min(parses, key=lambda p: (rank[p.tag.POS], p.word != word))
    number = {"plur"} if plural else {"sing"}
    if parse.tag.POS in ("VERB", "INFN"):
        past = parse.tag.POS == "INFN" or parse.tag.tense == "past"
        wanted = (
            ({"past"} if past else set()) | number | ({GENDERS[gender]} if past and not plural else set())
        )
    else:
        wanted = set(number) if plural else {"sing", GENDERS[gender]}
        if parse.tag.POS in ("ADJF", "PRTF"):
            wanted |= {CASES[case]}
            if case == "acc" and (plural or gender == "m"):
                wanted |= {"anim" if animate else "inan"}
    form = parse.inflect(wanted)
    if form is None:
        raise ValueError(f"«{word}» has no form for {sorted(wanted)}.")
    return form.word


@lru_cache(maxsize=20_000)
def third_person(infinitive: str, plural: bool) -> str:
    """Return the third person of the present (imperfective) or future (perfective) of a verb."""
    if infinitive in HOMOGRAPHS:
        return HOMOGRAPHS[infinitive][plural]
    for parse in morph().parse(infinitive):
        if parse.tag.POS == "INFN":
            number = "plur" if plural else "sing"
            form = parse.inflect({"3per", number, "pres"}) or parse.inflect({"3per", number, "futr"})
            if form is not None:
                return form.word
    raise ValueError(f"«{infinitive}» is not an infinitive with a third person.")


@lru_cache(maxsize=50_000)
def counted(number: int, noun: str) -> str:
    """Return the form of `noun` that stands after `number` (1 кот, 2 кота, 5 котов)."""
    parses = [p for p in morph().parse(noun) if p.tag.POS == "NOUN" and "nomn" in p.tag]
    if not parses:
        raise ValueError(f"«{noun}» is not a noun in the nominative.")
    if number % 10 == 1 and number % 100 != 11:
        return noun
    # rather the hat «панама» than the country, which has no plural
    parse = min(parses, key=lambda p: ("Sgtm" in p.tag, "Fixd" in p.tag))
    form = parse.make_agree_with_number(number).word
    return {
        "годов": "лет",
        "людей": "человек",
        "стулов": "стульев",
        "опёнков": "опят",
        "цветков": "цветов",
        "чуд": "чудес",
    }.get(form, form)
