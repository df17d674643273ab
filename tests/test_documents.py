"""The pretraining text: the same from the same seed, no document twice, blind to what is held out."""

import json
import re
from collections import Counter
from itertools import islice

import pytest

from course_lib.world import lexicon, pretraining_text
from course_lib.world.documents import LATE, N_EARLY, N_LATE, added, documents, kinds, source_hash
from course_lib.world.grammar import template_usage

N_CHARACTERS = 3_000_000


@pytest.fixture(scope="module")
def sample():
    """Return a few million characters of documents, and how many characters each template made of them.

    The beginning, where lists to copy outnumber the rest, is passed over.
    """
    found, size, stream = [], 0, documents(seed=3)
    next(islice(stream, N_EARLY, N_EARLY), None)
    with template_usage() as usage:
        while size < N_CHARACTERS:
            found.append(next(stream))
            size += len(found[-1]["text"])
    return found, usage


def test_same_seed_same_text_and_another_seed_another():
    first, again, other = ([d["text"] for d in islice(documents(seed), 300)] for seed in (0, 0, 1))
    assert first == again
    assert len(set(first) & set(other)) < 3


def test_no_document_comes_twice(sample):
    texts = [document["text"] for document in sample[0]]
    assert len(set(texts)) == len(texts)


def test_every_kind_appears_and_none_takes_over(sample):
    sizes = Counter()
    for document in sample[0]:
        sizes[document["kind"]] += len(document["text"])
    assert set(sizes) == set(kinds())
    assert max(sizes.values()) / sum(sizes.values()) < 0.08


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


def test_no_template_makes_more_than_two_percent(sample):
    documents_, usage = sample
    template, most = usage.most_common(1)[0]
    assert most / sum(len(d["text"]) for d in documents_) < 0.02, template
    assert len(usage) > 5_000


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
