"""Two-way choices: PARus (which cause or effect), RUSSE (one sense or two), RWSD (whom the pronoun means)."""

from __future__ import annotations

import random
from itertools import combinations

from course_lib.world.grammar import Noun
from course_lib.world.inflection import CASES
from course_lib.world.remarks import make_cause
from course_lib.world.senses import Example, Sense, by_word
from course_lib.world.sides import Record, Side, distinct
from course_lib.world.winograd import instance, winograds

CAUSE_KEYS = ("cause", "effect", "distractor_cause", "distractor_effect")


def parus(rng: random.Random, side: Side, n: int) -> list[Record]:
    """PARus: of two choices, which is the cause (or the effect) of the premise?"""
    written = [(record, question) for record in side.texts("causes") for question in ("cause", "effect")]
    rng.shuffle(written)

    def one(i: int) -> Record:
        record, question = (
            written.pop() if written else (fresh_cause(rng, side), rng.choice(("cause", "effect")))
        )
        premise = record["effect" if question == "cause" else "cause"]
        choices = [record[question], record["distractor_" + question]]
        label = i % 2
        return {
            "premise": premise,
            "choice1": choices[label],
            "choice2": choices[1 - label],
            "question": question,
            "label": label,
        }

    return distinct(n, one, ("premise", "choice1", "choice2", "question"))


def fresh_cause(rng: random.Random, side: Side) -> Record:
    """Make a cause and its effect; on the held-out sides every sentence of them has a name in it."""
    while True:
        record = make_cause(rng, side.world)
        if side.part == "train" or all(side.mentions(record[key]) for key in CAUSE_KEYS):
            return record


def russe(rng: random.Random, side: Side, n: int) -> list[Record]:
    """RUSSE: does the word mean the same in both sentences? Every word is as often the same as not."""
    found: list[Record] = []
    pairs = {word: sense_pairs(rng, senses, pool) for word, (senses, pool) in words_of(side).items()}
    while len(found) < n:
        for word in rng.sample(sorted(pairs), len(pairs)):
            same, different = pairs[word]
            if same and different and len(found) < n:
                found += [use(rng, word, *same.pop(), label=1), use(rng, word, *different.pop(), label=0)]
        if not any(same and different for same, different in pairs.values()):
            raise RuntimeError(f"The senses give only {len(found)} of {n} pairs.")
    return found[:n]


Pool = dict[int, tuple[Example, ...]]
Pair = tuple[Sense, Example, Sense, Example]


def words_of(side: Side) -> dict[str, tuple[tuple[Sense, ...], Pool]]:
    """Return the words of a side, with the sentences of each sense.

    Training has its words and sentences; validation and test have other sentences of those words, half of the
    words each, and words of their own.
    """
    known = by_word("train")
    if side.part == "train":
        return {word: (senses, {s.number: s.train for s in senses}) for word, senses in known.items()}
    mine = {word: known[word] for word in side.share(tuple(known))}
    mine |= {word: by_word("held_out")[word] for word in side.share(tuple(by_word("held_out")))}
    return {word: (senses, {s.number: s.held_out for s in senses}) for word, senses in mine.items()}


def sense_pairs(rng: random.Random, senses: tuple[Sense, ...], pool: Pool) -> tuple[list[Pair], list[Pair]]:
    """Return all pairs of sentences with one sense and with two, shuffled."""
    same = [(s, x, s, y) for s in senses for x, y in combinations(pool[s.number], 2)]
    different = [
        (s, x, t, y) for s, t in combinations(senses, 2) for x in pool[s.number] for y in pool[t.number]
    ]
    rng.shuffle(same)
    rng.shuffle(different)
    return same, different


def use(
    rng: random.Random, word: str, sense1: Sense, first: Example, sense2: Sense, second: Example, label: int
) -> Record:
    """Return one RUSSE example, its sentences in either order."""
    if rng.random() < 0.5:
        sense1, first, sense2, second = sense2, second, sense1, first
    return {
        "word": word,
        "sentence1": first.text,
        "sentence2": second.text,
        "start1": first.start,
        "end1": first.end,
        "start2": second.start,
        "end2": second.end,
        "gold_sense1": sense1.number,
        "gold_sense2": sense2.number,
        "label": label,
    }


def rwsd(rng: random.Random, side: Side, n: int) -> list[Record]:
    """RWSD: does the pronoun (span 2) mean the noun (span 1)? Every side has schemas of its own."""
    schemas = winograds(side.part)

    def one(i: int) -> Record:
        label = i % 2
        a, b, about_a, about_b = instance(rng, side.world, rng.choice(schemas))
        text, meant, other = rng.choice(((about_a, a, b), (about_b, b, a)))
        index, span = find_noun(text, meant if label else other)
        words = [bare(word) for word in text.split()]
        pronoun = f"{meant:@nom}"
        return {
            "text": text,
            "span1_index": index,
            "span2_index": words.index(pronoun),
            "span1_text": span,
            "span2_text": pronoun,
            "label": label,
        }

    return distinct(n, one, ("text", "span1_text"))


def bare(word: str) -> str:
    """Return a word without the punctuation around it."""
    return word.strip(".,:;!?«»")


def find_noun(text: str, noun: Noun) -> tuple[int, str]:
    """Return where a noun stands in a text, counted in words, and its form there."""
    forms = {noun.form(case).lower() for case in CASES}
    for index, word in enumerate(text.split()):
        if bare(word).lower() in forms:
            return index, bare(word)
    raise ValueError(f"«{noun}» does not occur in «{text}».")
