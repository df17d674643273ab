"""The datasheet says what the micro-world has, as far as that is quickly measured; and how it is measured."""

import json
import re
from collections import Counter

import pytest

from course_lib.models import CHECKPOINTS
from course_lib.world import LABELLED
from course_lib.world.documents import N_EARLY, N_LATE, kinds
from tests import datasheet


@pytest.fixture(scope="module")
def sheet():
    """Return the datasheet that ships."""
    return datasheet.DATASHEET.read_text(encoding="utf-8")


def test_it_has_the_sizes_of_the_lexicon_and_of_the_splits(sheet):
    assert datasheet.vocabulary() in sheet
    rows = re.findall(r"^\| \w+ \| \d+ / \d+ / \d+ \|", sheet, re.MULTILINE)
    assert rows == [datasheet.size_row(name) for name in LABELLED]


def test_it_describes_the_text_that_the_models_were_trained_on(sheet):
    log = json.loads((CHECKPOINTS / "tiny" / "training_log.json").read_text(encoding="utf-8"))
    characters, tokens = re.search(r"seed 0 .*?: ([\d,]+) characters, .*?, ([\d,]+) tokens", sheet).groups()
    assert characters == f"{log['characters']:,}"
    lost = int(tokens.replace(",", "")) - log["unique_tokens"]
    assert 0 <= lost < 0.001 * log["unique_tokens"]  # the ends of batches, which fill no block
    told = re.findall(r"([\w:, -]+?) \d+\.\d%", re.search(r"Kinds, by share of characters: (.*)", sheet)[1])
    assert {kind.removeprefix(", ") for kind in told} == set(kinds())
    assert f"first\n  {N_EARLY:,} documents" in sheet and f"After document {N_LATE:,}" in sheet


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("кот => cat\nпёс => dog", "… => …"),
        ("Словарь\n1. кот — cat\n2. пёс — dog", "… — …"),
        ("Слово: кот\nПара: cat\n\nСлово: пёс\nПара: dog", "Слово: … / Пара: …"),
        ("Вход: кот Выход: cat\nВход: пёс Выход: dog", "Вход: … Выход: …"),
        ("Твит: Ура: снег, наконец\nНастроение: да", "Твит: … / Настроение: …"),
        ("кот, пёс, кот, пёс", "…, …"),
        ("кот\nпёс", "…"),
    ],
)
def test_a_layout_is_what_the_items_share(text, expected):
    assert datasheet.layout(text) == expected


def test_every_character_is_counted_by_a_sentence_a_layout_or_its_kind():
    used, written = datasheet.Usage(), Counter({"{a} спит.": 10})
    used.add({"kind": "diary", "text": "Кот спит. Вот и всё."}, written)
    assert not written  # the next document begins anew
    used.add({"kind": "proverbs", "text": "Тише едешь"}, written)
    for text in ("кот => cat\nпёс => dog", "дом => house\nсон => the dream"):
        used.add({"kind": "list: translations", "text": text}, written)
    assert used.sentences == {"{a} спит.": 10} and used.rest == {"diary": 10, "proverbs": 10}
    assert used.layouts == {("list: translations", "… => …"): 50}
    assert used.by_layout() == {"… => …": 50} and used.kinds.total() == 80
    assert "makes 12.50% of the text" in datasheet.templates(used)
    assert "Lists, 62% of the text" in datasheet.templates(used)
    assert "`… => …` in translations 62.5%" in datasheet.templates(used)
