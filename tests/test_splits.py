"""The labelled splits: the Hub's columns, labels that follow, nothing held out leaks, no give-away words."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import islice

import pytest
from datasets import ClassLabel, DatasetDict, List

from course_lib.world import LABELLED, labelled, lexicon, splits
from course_lib.world.documents import documents
from course_lib.world.inflection import CASES
from course_lib.world.senses import senses
from course_lib.world.sides import side
from tests.bag_of_words import REASONING, bag_of_words_accuracy, chance

# the columns of the Hub's converted set, in its order
COLUMNS = {
    "lidirus": "sentence1 sentence2 knowledge lexical-semantics logic predicate-argument-structure idx label",
    "rcb": "premise label hypothesis verb negation idx",
    "parus": "premise choice1 choice2 question label idx",
    "muserc": "idx paragraph question answer label",
    "terra": "premise hypothesis label idx",
    "russe": "word sentence1 sentence2 start1 end1 start2 end2 gold_sense1 gold_sense2 idx label",
    "rwsd": "text span1_index span2_index span1_text span2_text idx label",
    "danetqa": "question passage label idx",
    "rucos": "passage query entities answers idx",
    "tweets": "text label",
    "proverbs": "text",
    "jokes": "text",
    "summaries": "text summary",
    "titles": "text title",
    "qa": "context question answer",
    "detox": "toxic polite",
    "paraphrase": "sentence1 sentence2 label",
    "facts": "question answer",
    "translation": "ru en",
}
LABELS = {
    "lidirus": ["entailment", "not_entailment"],
    "rcb": ["entailment", "contradiction", "neutral"],
    "parus": ["choice1", "choice2"],
    "terra": ["entailment", "not_entailment"],
    "tweets": ["negative", "positive"],
    "paraphrase": ["different", "same"],
} | {name: ["False", "True"] for name in ("muserc", "russe", "rwsd", "danetqa")}
# the columns that are sentences or texts: none may occur on another side (questions such as «Кто?» may)
SENTENCES = {
    "lidirus": ("sentence1", "sentence2"),
    "rcb": ("premise", "hypothesis"),
    "parus": ("premise", "choice1", "choice2"),
    "muserc": ("paragraph",),
    "terra": ("premise", "hypothesis"),
    "russe": ("sentence1", "sentence2"),
    "rwsd": ("text",),
    "danetqa": ("question", "passage"),
    "rucos": ("passage",),
    "tweets": ("text",),
    "proverbs": ("text",),
    "jokes": ("text",),
    "summaries": ("text", "summary"),
    "titles": ("text", "title"),
    "qa": ("context",),
    "detox": ("toxic", "polite"),
    "paraphrase": ("sentence1", "sentence2"),
    # these two ask what the pretraining text told: their splits share no question
    "facts": (),
    "translation": (),
}


@pytest.fixture(scope="module")
def tasks() -> dict[str, DatasetDict]:
    return {name: labelled(name) for name in LABELLED}


@pytest.fixture(scope="module")
def pretraining() -> str:
    """About two million characters of the pretraining text."""
    texts, written = [], 0
    for document in islice(documents(), 20_000):
        texts.append(document["text"])
        written += len(document["text"])
        if written > 2_000_000:
            break
    return "\n".join(texts)


def sentences(name: str, dataset) -> set[str]:
    return {row[column] for row in dataset for column in SENTENCES[name]}


@cache
def names_pattern(held_out: bool) -> re.Pattern[str]:
    """Every form of every name of one side."""
    people = lexicon.names(held_out)
    nouns = [noun for gender in "mf" for pair in people[gender] for noun in pair]
    nouns += [*people["m_last"], *people["f_last"], *(pet for pet, _ in lexicon.pets(held_out))]
    nouns += [noun for city in lexicon.cities(held_out) for noun in (city.name, city.river, city.region)]
    forms = {noun.form(case) for noun in nouns for case in CASES}
    return re.compile(rf"\b(?:{'|'.join(sorted(forms, key=len, reverse=True))})\b")


@pytest.mark.parametrize("name", LABELLED)
def test_columns_and_label_order_are_those_of_the_hub(tasks, name):
    for dataset in tasks[name].values():
        assert " ".join(dataset.column_names) == COLUMNS[name]
    if name in LABELS:
        label = tasks[name]["test"].features["label"]
        assert isinstance(label, ClassLabel) and label.names == LABELS[name]


def test_nested_columns(tasks):
    assert list(tasks["muserc"]["train"].features["idx"]) == ["paragraph", "question", "answer"]
    assert list(tasks["rucos"]["train"].features["idx"]) == ["passage", "query"]
    assert isinstance(tasks["rucos"]["train"].features["entities"], List)


def test_lidirus_is_test_only(tasks):
    assert list(tasks["lidirus"]) == ["test"]
    assert all(list(tasks[name]) == ["train", "validation", "test"] for name in LABELLED if name != "lidirus")


@pytest.mark.parametrize("name", [name for name in LABELLED if name in LABELS])
def test_classes_are_equally_frequent(tasks, name):
    for dataset in tasks[name].values():
        shares = [count / len(dataset) for count in Counter(dataset["label"]).values()]
        assert len(shares) == len(LABELS[name])
        # MuSeRC's questions have three or four answers; the others are balanced to the example
        assert max(shares) - min(shares) <= (0.06 if name == "muserc" else 1e-9)


@pytest.mark.parametrize("name", LABELLED)
def test_no_example_occurs_twice(tasks, name):
    inputs = [c for c in COLUMNS[name].split() if c not in ("idx", "label", "entities", "answers")]
    for dataset in tasks[name].values():
        rows = [tuple(str(row[column]) for column in inputs) for row in dataset]
        assert len(set(rows)) == len(rows)


def test_same_seed_same_examples():
    for name in ("terra", "russe", "muserc", "detox"):
        again = splits._examples.__wrapped__(name, 0)
        assert again == splits._examples(name, 0)
        assert again["test"] != splits._examples(name, 1)["test"]


@pytest.mark.parametrize(("name", "column"), [("facts", "question"), ("translation", "ru")])
def test_what_is_asked_from_memory_is_asked_once(tasks, name, column):
    train, validation, test = (set(dataset[column]) for dataset in tasks[name].values())
    assert not (train & validation or train & test or validation & test)


def test_unknown_task_names_the_nearest():
    with pytest.raises(ValueError, match="'danetqa'"):
        labelled("danet")


def test_russe_label_is_equality_of_senses_and_offsets_cut_out_the_word(tasks):
    marked = {(e.text, e.start, e.end): (s.word, s.number) for s in senses() for e in (*s.train, *s.held_out)}
    for dataset in tasks["russe"].values():
        for row in dataset:
            found = [marked[row[f"sentence{i}"], row[f"start{i}"], row[f"end{i}"]] for i in (1, 2)]
            assert found == [(row["word"], row["gold_sense1"]), (row["word"], row["gold_sense2"])]
            assert row["label"] == (row["gold_sense1"] == row["gold_sense2"])
            for i in (1, 2):
                form = row[f"sentence{i}"][row[f"start{i}"] : row[f"end{i}"]].lower()
                assert form.isalpha() and form[:2] == row["word"][:2]


def test_russe_has_words_that_training_never_saw(tasks):
    words = {part: set(dataset["word"]) for part, dataset in tasks["russe"].items()}
    assert len(words["train"] | words["validation"] | words["test"]) >= 45
    assert len(words["validation"] - words["train"]) >= 6
    assert len(words["test"] - words["train"]) >= 6
    assert not words["validation"] & words["test"]


def test_rwsd_indices_point_at_the_spans_and_the_pronoun_flips(tasks):
    for dataset in tasks["rwsd"].values():
        for row in dataset:
            words = [word.strip(".,:;!?«»") for word in row["text"].split()]
            assert words[row["span1_index"]] == row["span1_text"]
            assert words[row["span2_index"]] == row["span2_text"]
            assert row["span2_text"] in ("он", "она", "оно")
    both = {(row["text"], row["label"]) for row in tasks["rwsd"]["train"]}
    assert sum((text, 1 - label) in both for text, label in both) > 0


def test_muserc_questions_have_right_and_wrong_answers_and_count_from_zero(tasks):
    for dataset in tasks["muserc"].values():
        answers: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for row in dataset:
            key = (row["idx"]["paragraph"], row["idx"]["question"])
            answers.setdefault(key, []).append((row["idx"]["answer"], row["label"]))
        for found in answers.values():
            assert [i for i, _ in found] == list(range(len(found)))
            assert {label for _, label in found} == {0, 1}
    assert tasks["muserc"]["test"][0]["paragraph"].startswith("(1) ")


def test_rucos_answers_are_among_the_entities_and_entities_in_the_passage(tasks):
    for dataset in tasks["rucos"].values():
        for row in dataset:
            assert row["query"].count("@placeholder") == 1
            assert "@highlight" in row["passage"]
            assert set(row["answers"]) <= set(row["entities"])
            assert all(entity in row["passage"] for entity in row["entities"])


def test_parus_asks_both_ways_and_lidirus_tags_every_row(tasks):
    for dataset in tasks["parus"].values():
        assert set(dataset["question"]) == {"cause", "effect"}
    categories = COLUMNS["lidirus"].split()[2:6]
    for row in tasks["lidirus"]["test"]:
        assert sum(bool(row[category]) for category in categories) == 1
    for category in categories:
        assert sum(bool(value) for value in tasks["lidirus"]["test"][category]) >= 20


def test_danetqa_centuries_and_years_agree_with_the_passage(tasks):
    """Re-derives the label of one kind of question from the text alone."""
    checked, genitive = 0, {city.name.lemma: f"{city:gen}" for city in side("test").world.cities}
    for row in tasks["danetqa"]["test"]:
        asked = re.search(r"город (\w+) основан в (\d+) году\?", row["question"])
        if asked:
            city, year = asked.groups()
            of_city = re.escape(genitive[city])
            told = re.search(rf"Город {city} основан в (\d+)|города {of_city} — (\d{{4}})", row["passage"])
            assert told is not None and ((told.group(1) or told.group(2)) == year) == bool(row["label"])
            checked += 1
    assert checked >= 5


def test_sides_share_no_names():
    people = {
        part: {p.full.lemma for p in side(part).world.people} for part in ("train", "validation", "test")
    }
    first = {part: {p.name.lemma for p in side(part).world.people} for part in people}
    towns = {part: {c.name.lemma for c in side(part).world.cities} for part in people}
    for found in (people, first, towns):
        assert not found["validation"] & found["test"]
        assert not found["train"] & (found["validation"] | found["test"])


def test_held_out_names_occur_in_no_training_split_and_not_in_the_pretraining_text(tasks, pretraining):
    pattern = names_pattern(held_out=True)
    for name, task in tasks.items():
        for row in task.get("train", []):
            found = pattern.search(" ".join(str(value) for value in row.values()))
            assert found is None, f"{name}: {found}"
    assert len(pretraining) > 2_000_000
    found = pattern.search(pretraining)
    assert found is None, pretraining[max(0, found.start() - 60) : found.end() + 60]


@pytest.fixture(scope="module")
def trained(tasks) -> set[str]:
    """All sentences of all training splits."""
    return set().union(*(sentences(name, tasks[name].get("train", [])) for name in LABELLED))


@pytest.mark.parametrize("name", LABELLED)
def test_no_test_sentence_occurs_elsewhere(tasks, pretraining, trained, name):
    task, held_out_name = tasks[name], names_pattern(held_out=True)
    tested = {part: sentences(name, task[part]) for part in ("validation", "test") if part in task}
    for part, found in tested.items():
        assert not found & trained, part
        # a text with a held-out name cannot be there, as the test above has seen
        assert not [text for text in found if not held_out_name.search(text) and text in pretraining], part
    if len(tested) == 2:
        assert not tested["validation"] & tested["test"]


@pytest.mark.slow
@pytest.mark.parametrize("name", REASONING)
def test_a_bag_of_words_stays_near_chance(name):
    accuracy = bag_of_words_accuracy(name)
    assert abs(accuracy - chance(name)) <= 0.08, f"{name}: {accuracy:.3f}"
