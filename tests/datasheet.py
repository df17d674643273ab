"""Measure the micro-world, and write the figures into its datasheet: `python -m tests.datasheet --write`."""

import argparse
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from course_lib.report import fill
from course_lib.world.documents import N_CHARACTERS, N_LATE
from course_lib.world.layouts import LABELLING, PREFIXES, SEPARATORS
from course_lib.world.lists import LANGUAGES
from tests.bag_of_words import REASONING, bag_of_words_accuracy, chance

DATASHEET = Path(__file__).parent.parent / "course_lib" / "world" / "DATASHEET.md"
LIST = "list: "  # how the kinds of lists are called
OFTEN = 0.02  # a template that makes more of the text is named
# what a line of a list may begin with, and what may stand between its item and its answer
LEADS = dict.fromkeys(mark for pair in (*PREFIXES, *LABELLING, ("Твит: ", "Настроение: ")) for mark in pair)
LEADS |= dict.fromkeys(f"{name}: " for names in LANGUAGES.values() for name in names)
MARKS = (*SEPARATORS, " - ", ", ")


def layout(text: str) -> str:
    """Return what the items of a list share, as its last two lines show it: `… => …`, `Слово: … / Пара: …`.

    Headings, numbers of lines and blank lines make no other layout.

    Args:
        text: a list-shaped document.
    """
    shapes = []
    for line in [line for line in text.splitlines() if line][-2:]:
        line = re.sub(r"^\d+\. ", "", line)
        lead = next((mark for mark in LEADS if line.startswith(mark)), "")
        marks = [f" {mark}" for mark in LEADS] if lead else MARKS
        mark = next((mark for mark in marks if mark in line.removeprefix(lead)), "")
        shapes.append(f"{lead}…{mark}…" if mark else f"{lead}…")
    return " / ".join(dict.fromkeys(shapes))


@dataclass
class Usage:
    """What text is made of, in characters, so that no kind of document is left out.

    Attributes:
        kinds: by kind.
        sentences: by sentence template.
        layouts: of lists, by kind and layout, whole documents.
        rest: of other documents, by kind, what no sentence template wrote, as if one template had.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    sentences: Counter[str] = field(default_factory=Counter)
    layouts: Counter[tuple[str, str]] = field(default_factory=Counter)
    rest: Counter[str] = field(default_factory=Counter)

    def add(self, document: dict[str, str], written: Counter[str]) -> None:
        """Count one document.

        Args:
            document: its kind and text.
            written: what `grammar.template_usage` counted since the document before; it is emptied.
        """
        kind, size = document["kind"], len(document["text"])
        self.kinds[kind] += size
        self.sentences.update(written)
        if kind.startswith(LIST):
            self.layouts[kind, layout(document["text"])] += size
        else:
            self.rest[kind] += max(0, size - written.total())
        written.clear()

    def by_layout(self) -> Counter[str]:
        """Return the characters of each layout over all kinds of lists."""
        found: Counter[str] = Counter()
        for (_, each), size in self.layouts.items():
            found[each] += size
        return found


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


def shares(sizes: Counter[str], n: int | None = None) -> str:
    """Return the `n` largest shares in words, all of them by default."""
    return ", ".join(f"{kind} {size / sizes.total():.1%}" for kind, size in sizes.most_common(n))


def templates(used: Usage) -> str:
    """Return what is said of the most used templates and layouts."""
    total = used.kinds.total()
    [(template, most)], [(kind, rest)] = used.sentences.most_common(1), used.rest.most_common(1)
    [(widest, size)], lists = used.by_layout().most_common(1), used.layouts.total()
    often = [
        f"`{each}` in {name.removeprefix(LIST)} {n / total:.1%}"
        for (name, each), n in used.layouts.most_common()
        if n / total > OFTEN
    ]
    return (
        f"The most used of {len(used.sentences):,} sentence templates, `{template}`, makes "
        f"{most / total:.2%} of the text. What no such template wrote is at most {rest / total:.2%} of the "
        f"text in any kind ({kind}), except in lists. Lists, {lists / total:.0%} of the text, have layouts "
        f"instead, and some layouts make more than {OFTEN:.0%} of the text: {', '.join(often)}. Over all "
        f"kinds of lists together `{widest}` makes {size / total:.1%}."
    )


def text(n_characters: int) -> list[str]:
    """Return the lines about the pretraining text of so many characters."""
    from course_lib.models import load_lm
    from course_lib.world.documents import documents
    from course_lib.world.grammar import template_usage

    _, tokenizer = load_lm("tiny-0.5m", device="cpu")
    n_documents = n_tokens = n_written = 0
    used, late = Usage(), Counter()
    with template_usage() as written:
        for document in documents():
            size = len(document["text"])
            used.add(document, written)
            if n_documents >= N_LATE:
                late[document["kind"]] += size
            n_tokens += len(tokenizer.backend_tokenizer.encode(document["text"])) + 1
            n_documents += 1
            n_written += size
            if n_written >= n_characters:
                break
    latest = f"After document {N_LATE:,}, in {late.total() / n_written:.0%} of the text, the largest are "
    return [
        f"The text of seed 0 that the models are trained on: {n_written:,} characters, {n_documents:,} "
        f"documents (no two alike), {n_tokens:,} tokens of the course's tokenizer, "
        f"{n_written / n_tokens:.2f} characters a token.",
        "",
        templates(used),
        "",
        f"Kinds, by share of characters: {shares(used.kinds)}.",
        *(["", f"{latest}{shares(late, 4)}."] if late else []),
    ]


def size_row(name: str) -> str:
    """Return the beginning of a task's row in the table of labelled splits: its name and sizes."""
    from course_lib.world import labelled

    data = labelled(name)
    sizes = (str(len(data[part])) if part in data else "0" for part in ("train", "validation", "test"))
    return f"| {name} | {' / '.join(sizes)} |"


def splits() -> list[str]:
    """Return the table of labelled splits: sizes, and how far a bag of words gets."""
    from course_lib.world import LABELLED

    rows = ["| task | train / validation / test | bag of words | chance |", "|---|---|---|---|"]
    for name in LABELLED:
        scored = name in (*REASONING, "tweets")
        accuracies = f" {bag_of_words_accuracy(name):.2f} | {chance(name):.2f}" if scored else " |"
        rows.append(f"{size_row(name)}{accuracies} |")
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
