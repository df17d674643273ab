"""Nothing of a test split stands in the text that the models are trained on: all of it is read."""

import re
from collections import defaultdict

import pytest

from course_lib.world import LABELLED, labelled
from course_lib.world.documents import N_CHARACTERS, documents
from tests.test_lexicon import held_out_names_in, name_forms

# what is asked about in each task; `facts` and `translation` ask for what the training text says
ASKED = {
    "tweets": ["text"],
    "detox": ["toxic", "polite"],
    "titles": ["text", "title"],
    "summaries": ["text", "summary"],
    "qa": ["context"],
    "proverbs": ["text"],
    "jokes": ["text"],
    "paraphrase": ["sentence1", "sentence2"],
    "lidirus": ["sentence1", "sentence2"],
    "rcb": ["premise", "hypothesis"],
    "parus": ["premise"],
    "muserc": ["paragraph"],
    "terra": ["premise", "hypothesis"],
    "russe": ["sentence1", "sentence2"],
    "rwsd": ["text"],
    "danetqa": ["passage"],
    "rucos": ["passage"],
}
CLOSED_BOOK = {"facts", "translation"}
BEGINNING = 24  # letters by which a text is looked up
WORD_BEGINS = re.compile(r"(?:^|(?<=[\s\"«(]))(?=\S)")


def plain(text: str) -> str:
    """Spaces, marks at the ends and capitals make no other text."""
    return re.sub(r"\s+", " ", text).strip(" .!?…)(").lower()


def copies(text: str, by_beginning: dict[str, list[str]]) -> list[str]:
    """Return the texts that stand in another one."""
    text = plain(text)
    return [
        one
        for place in WORD_BEGINS.finditer(text)
        for one in by_beginning.get(text[place.start() : place.start() + BEGINNING], ())
        if text.startswith(one, place.start())
    ]


@pytest.fixture(scope="module")
def test_texts():
    """Return the texts of all test splits, by their beginnings."""
    assert set(ASKED) | CLOSED_BOOK == set(LABELLED)
    by_beginning = defaultdict(list)
    for name, columns in ASKED.items():
        rows = labelled(name)["test"]
        for text in {plain(text) for column in columns for text in rows[column]}:
            by_beginning[text[:BEGINNING]].append(text)
    assert sum(map(len, by_beginning.values())) > 5_000
    return by_beginning


def test_the_search_finds_a_text_wherever_it_stands(test_texts):
    tweet, title = (
        labelled(name)["test"][7][column] for name, column in (("tweets", "text"), ("titles", "title"))
    )
    found = copies(f"Утро.\n— «{tweet.upper()}» — сказал он. {title}\nКонец", test_texts)
    assert {plain(tweet), plain(title)} <= set(found)


def test_no_text_of_a_test_split_and_no_held_out_name_is_in_the_training_text(test_texts):
    forms, n_read = name_forms(held_out=True), 0
    for document in documents():
        text = document["text"]
        found = copies(text, test_texts) or held_out_names_in(text, forms)
        assert not found, f"{document['kind']}: {found}"
        n_read += len(text)
        if n_read >= N_CHARACTERS:
            return
    pytest.fail("the text ended early")
