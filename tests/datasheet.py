"""Measure the micro-world, and write the figures into its datasheet: `python -m tests.datasheet --write`."""

import argparse
from collections import Counter
from pathlib import Path

from course_lib.report import fill
from course_lib.world.documents import N_CHARACTERS
from tests.bag_of_words import REASONING, bag_of_words_accuracy, chance

DATASHEET = Path(__file__).parent.parent / "course_lib" / "world" / "DATASHEET.md"


def vocabulary() -> str:
    """Return the sizes of the lexicon and of the hand-written texts, in words."""
    from course_lib.world import lexicon

    lemmas = {word.lemma for word in lexicon.words()}
    names = [lexicon.entity_names(held_out) for held_out in (False, True)]
    files = ("proverbs", "jokes", "news", "detox", "dialogues", "qa", "tweets", "causes")
    texts = [
        f"{name} {len(lexicon.texts(name, 'train') + lexicon.texts(name, 'held_out'))}" for name in files
    ]
    return (
        f"{len(lemmas):,} lemmas; {len(set(names[0] + names[1]))} named entities, "
        f"{len(names[1])} of them held out. Hand-written records: {', '.join(texts)}."
    )


def text(n_characters: int) -> list[str]:
    """Return the lines about the pretraining text of so many characters."""
    from course_lib.models import load_lm
    from course_lib.world.documents import documents
    from course_lib.world.grammar import template_usage

    _, tokenizer = load_lm("tiny-0.5m", device="cpu")
    written = n_documents = n_tokens = 0
    shares: Counter[str] = Counter()
    with template_usage() as usage:
        for document in documents():
            shares[document["kind"]] += len(document["text"])
            written += len(document["text"])
            n_tokens += len(tokenizer.backend_tokenizer.encode(document["text"])) + 1
            n_documents += 1
            if written >= n_characters:
                break
    template, most = usage.most_common(1)[0]
    kinds = ", ".join(f"{kind} {size / written:.1%}" for kind, size in shares.most_common())
    return [
        f"The text of seed 0 that the models are trained on: {written:,} characters, {n_documents:,} "
        f"documents (no two alike), {n_tokens:,} tokens of the course's tokenizer, "
        f"{written / n_tokens:.2f} characters a token. The most used of {len(usage):,} templates, "
        f"`{template}`, makes {most / written:.2%} of the text.",
        "",
        f"Kinds, by share of characters: {kinds}.",
    ]


def splits() -> list[str]:
    """Return the table of labelled splits: sizes, and how far a bag of words gets."""
    from course_lib.world import LABELLED, labelled

    rows = ["| task | train / validation / test | bag of words | chance |", "|---|---|---|---|"]
    for name in LABELLED:
        data = labelled(name)
        sizes = " / ".join(
            str(len(data[part])) if part in data else "0" for part in ("train", "validation", "test")
        )
        scored = (*REASONING, "tweets")
        accuracies = f"{bag_of_words_accuracy(name):.2f} | {chance(name):.2f}" if name in scored else "|"
        rows.append(f"| {name} | {sizes} | {accuracies} |")
    return [
        *rows,
        "",
        "Bag of words: unigrams and bigrams, logistic regression, accuracy on the test split, seed 0.",
    ]


def main() -> None:
    """Print the figures, or write them into the datasheet."""
    parser = argparse.ArgumentParser(prog="python -m tests.datasheet", description=__doc__)
    parser.add_argument("--characters", type=int, default=N_CHARACTERS)
    parser.add_argument("--write", action="store_true", help="write the figures into DATASHEET.md")
    options = parser.parse_args()
    figures = "\n".join([vocabulary(), "", *text(options.characters), "", *splits()])
    if options.write:
        sheet = fill(DATASHEET.read_text(encoding="utf-8"), "figures", figures)
        DATASHEET.write_text(sheet, encoding="utf-8")
    else:
        print(figures)


if __name__ == "__main__":
    main()
