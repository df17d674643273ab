"""News and everyday remarks: what is generated is varied, well formed, and answers to its own labels."""

import random
import re

import pytest

from course_lib.world import frames, press, remarks
from course_lib.world.facts import World

MAKERS = {
    "tweet": lambda rng, world: remarks.make_tweet(rng, world, rng.choice(("positive", "negative"))),
    "cause": remarks.make_cause,
    "detox": remarks.make_detox,
    "reading": remarks.make_reading,
    "news": press.make_news,
}


@pytest.fixture(scope="module")
def records():
    world = World.build()
    made = {}
    for kind, make in MAKERS.items():
        rng = random.Random(f"test-{kind}")
        made[kind] = [make(rng, world) for _ in range(3000)]
    return made


@pytest.mark.parametrize("kind", MAKERS)
def test_the_same_seed_makes_the_same_records(kind, records):
    rng = random.Random(f"test-{kind}")
    assert [MAKERS[kind](rng, World.build()) for _ in range(200)] == records[kind][:200]


@pytest.mark.parametrize("kind", MAKERS)
def test_hardly_a_record_occurs_twice(kind, records):
    different = {tuple(record.values()) for record in records[kind]}
    assert len(different) >= 0.99 * len(records[kind])


@pytest.mark.parametrize("kind", MAKERS)
def test_every_field_is_clean_russian_text(kind, records):
    slips = re.compile(r"[\[\]{}<>*%@~|^_]|  | [,.!?:;]|\.\.|,,|[,:;—]$|^\W|\b(и|а) \1\b|[,.!?]{2}")
    for record in records[kind]:
        for name, text in record.items():
            if name != "label":
                assert not slips.search(text), (name, text)
                assert name == "answer" or not text[0].islower(), (name, text)


def test_tweets_keep_to_their_length_and_come_in_both_moods(records):
    assert all(6 <= len(re.findall(r"\w+", record["text"])) <= 25 for record in records["tweet"])
    happy = sum(record["label"] == "positive" for record in records["tweet"])
    assert 0.45 < happy / len(records["tweet"]) < 0.55


def test_both_moods_share_most_of_their_words(records):
    words = {"positive": set(), "negative": set()}
    for record in records["tweet"]:
        words[record["label"]] |= set(re.findall(r"\w+", record["text"].lower()))
    shared = words["positive"] & words["negative"]
    assert len(shared) > 0.6 * min(map(len, words.values()))


def test_an_answer_stands_in_its_passage(records):
    for record in records["reading"]:
        assert record["answer"] in record["context"], record


def test_a_passage_has_two_to_five_sentences(records):
    for record in records["reading"]:
        assert 2 <= len(re.findall(r"[.!?](?= |$)", record["context"])) <= 5, record["context"]


def test_news_have_the_promised_shape(records):
    for record in records["news"]:
        assert 3 <= len(record["headline"].split()) <= 10, record["headline"]
        assert 3 <= len(re.findall(r"[.!?](?= |$)", record["text"])) <= 5, record["text"]


def test_a_summary_names_the_hero_or_town_of_its_text(records):
    names = [p.full.lemma for p in World.build().people]
    stems = [str(c.name)[:4] for c in World.build().cities] + [pet.lemma for pet, _ in World.build().pets]
    for record in records["news"]:
        shared = [n for n in names + stems if n in record["summary"] and n in record["text"]]
        assert shared, record


def test_politeness_takes_the_insult_away(records):
    insults = {word for group in remarks.INSULTS.values() for word in group.split()}
    for record in records["detox"]:
        assert not insults & set(re.findall(r"\w+", record["polite"].lower())), record


def test_the_right_sentence_cannot_be_told_without_its_premise(records):
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    right, wrong = [], []
    for i, record in enumerate(records["cause"]):
        asked = "effect" if i % 2 else "cause"
        right.append(record[asked])
        wrong.append(record[f"distractor_{asked}"])
    words = CountVectorizer()
    features = words.fit_transform(right + wrong)
    n, train = len(right), 2000
    labels = [1] * n + [0] * n
    fitted = list(range(train)) + list(range(n, n + train))
    model = LogisticRegression(max_iter=200).fit(features[fitted], [labels[i] for i in fitted])
    scores = model.decision_function(features)
    correct = [scores[i] > scores[n + i] for i in range(train, n)]
    assert sum(correct) / len(correct) == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize("kind", [*press.KINDS, *remarks.KINDS])
def test_documents_of_every_kind_are_written(kind):
    _, write = {**press.KINDS, **remarks.KINDS}[kind]
    texts = [write(random.Random(seed), World.build()) for seed in range(50)]
    assert len(set(texts)) == 50
    assert not any(re.search(r"[\[\]{}]|  ", text) for text in texts)


def test_a_tweet_has_one_of_two_moods():
    with pytest.raises(ValueError, match="label must be"):
        remarks.make_tweet(random.Random(0), World.build(), "neutral")


def test_held_out_worlds_name_held_out_residents_only():
    world = World.build(held_out=True)
    names = {p.name.lemma for p in world.people}
    rng = random.Random(0)
    heroes = {frames.world_slots(rng, world)["who"].lemma for _ in range(100)}
    assert heroes <= names
