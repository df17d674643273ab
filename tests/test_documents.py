"""The pretraining text: the same from the same seed, no document twice, blind to what is held out."""

import json
import re
from collections import Counter
from itertools import islice

import pytest

from course_lib.world import lexicon, pretraining_text
from course_lib.world.documents import LATE, N_EARLY, N_LATE, added, documents, kinds, source_hash
from course_lib.world.grammar import template_usage
from tests.datasheet import Usage

N_CHARACTERS = 3_000_000


def measured(stream):
    """Return a few million characters of documents, and what they are made of."""
    found, used = [], Usage()
    with template_usage() as written:
        while used.kinds.total() < N_CHARACTERS:
            found.append(next(stream))
            used.add(found[-1], written)
    return found, used


@pytest.fixture(scope="module")
def sample():
    """Return documents and their `Usage`, past the beginning, where lists to copy outnumber the rest."""
    stream = documents(seed=3)
    next(islice(stream, N_EARLY, N_EARLY), None)
    return measured(stream)


@pytest.fixture(scope="module")
def late():
    """Return the `Usage` of the mixture of more than half of the text, without the way to its beginning."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("course_lib.world.documents.N_EARLY", 1)
        patch.setattr("course_lib.world.documents.N_LATE", 1)
        stream = documents(seed=3)
        next(islice(stream, 1000, 1000), None)  # shares are set anew every thousand documents
        return measured(stream)[1]


def test_same_seed_same_text_and_another_seed_another():
    first, again, other = ([d["text"] for d in islice(documents(seed), 300)] for seed in (0, 0, 1))
    assert first == again
    assert len(set(first) & set(other)) < 3


def test_no_document_comes_twice(sample):
    texts = [document["text"] for document in sample[0]]
    assert len(set(texts)) == len(texts)


def test_every_kind_appears_and_none_takes_over(sample, late):
    for used, most in ((sample[1], 0.08), (late, 0.12)):
        assert set(used.kinds) == set(kinds())
        assert max(used.kinds.values()) < most * used.kinds.total()
    assert late.layouts.total() < 0.5 * late.kinds.total()  # not even late in the text are most of it lists


def test_copying_comes_early_and_then_ever_less():
    def copying(start: int) -> float:
        some = islice(documents(5), start, start + 1000)
        return sum(document["kind"] == "list: copying" for document in some) / 1000

    first, middle, later = (copying(int(part * N_EARLY)) for part in (0, 0.5, 1))
    assert first > middle > later > 0.02
    plain = [d["kind"] for d in islice(documents(5, "validation"), 1000)]
    assert plain.count("list: copying") / 1000 < 0.08  # held-out text is the plain mixture from the start


def test_labelled_lists_come_ever_more_often():
    shares = [sum(added(kind, int(part * N_LATE)) for kind in LATE) for part in (0, 0.5, 1, 2)]
    assert shares[0] == 0 < shares[1] < shares[2] == shares[3] == sum(LATE.values())
    assert set(LATE) < set(kinds())
    early = Counter(document["kind"] for document in islice(documents(5), 3000))
    late = Counter(document["kind"] for document in islice(documents(5), N_LATE // 2, N_LATE // 2 + 3000))
    assert all(late[kind] > early[kind] for kind in LATE)


def test_no_template_makes_more_than_two_percent(sample, late):
    for used in (sample[1], late):
        for counted in (used.sentences, used.rest):
            template, most = counted.most_common(1)[0]
            assert most / used.kinds.total() < 0.02, template
        assert len(used.sentences) > 5_000


def test_few_layouts_of_lists_make_more_than_two_percent_and_none_much_more(late):
    often = {key: size / late.kinds.total() for key, size in late.layouts.items()}
    often = {key: share for key, share in often.items() if share > 0.02}
    assert {kind for kind, _ in often} <= {"list: categories", "list: contrasts", "list: sentiments"}
    assert len(often) <= 3 and max(often.values()) < 0.05
    widest, size = late.by_layout().most_common(1)[0]
    assert widest == "… => …" and size / late.kinds.total() < 0.15  # the deck's own few-shot shape


def test_typography_is_clean(sample):
    for document in sample[0]:
        text = document["text"]
        found = re.search(r"[{}]|\bNone\b| ,| \n|  ", text)
        assert not found, (document["kind"], found, text)
        assert text == text.strip()


def test_held_out_names_and_texts_are_not_in_the_text(sample):
    joined = "\n".join(document["text"] for document in sample[0])
    for kind in (
        "proverbs",
        "jokes",
        "news",
        "detox",
        "qa",
        "dialogues",
        "tweets",
        "causes",
    ):  # also what the sample happens not to have
        joined += "".join(json.dumps(record, ensure_ascii=False) for record in lexicon.texts(kind, "train"))
    for name in lexicon.entity_names(held_out=True):
        assert not re.search(rf"\b{re.escape(name)}\b", joined), name
    for kind, field in (("proverbs", "text"), ("jokes", "text"), ("tweets", "text"), ("qa", "question")):
        for record in lexicon.texts(kind, "held_out"):
            assert record[field] not in joined, record[field]


def test_validation_has_hand_written_texts_of_its_own():
    held_out = {record["text"] for record in lexicon.texts("proverbs", "held_out")}
    train = {record["text"] for record in lexicon.texts("proverbs", "train")}
    proverbs = [d["text"] for d in islice(documents(0, "validation"), 3000) if d["kind"] == "proverbs"]
    lines = {line.lstrip("-•* ") for text in proverbs for line in text.splitlines()}
    assert lines & held_out and not lines & train


def test_the_dataset_is_a_prefix_of_the_stream_and_stops_in_time():
    text = pretraining_text(50_000, seed=4)
    assert text.column_names == ["kind", "text"]
    assert list(text["text"]) == [d["text"] for d in islice(documents(4), len(text))]
    sizes = [len(t) for t in text["text"]]
    assert sum(sizes) >= 50_000 > sum(sizes[:-1])
    assert len(source_hash()) == 64


def test_nothing_is_not_a_size():
    with pytest.raises(ValueError, match="n_characters must be positive, not 0"):
        pretraining_text(0)
