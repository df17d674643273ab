"""What is known of each task before its data is loaded: names, wording, metrics, and where the real data is.

The templates are plain `str.format` over the columns of a row, in words that the micro-world's text uses too.
A prompt and a completion are joined with nothing between them, so a completion brings its own space: " Да".
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class HubSet:
    """A data set on the Hub, read from its parquet branch.

    Attributes:
        repository: owner/name.
        config: the folder of the configuration.
        renamed: our column → theirs, where they differ.
    """

    repository: str
    config: str = "default"
    renamed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Spec:
    """A task without its data.

    Attributes:
        title: the name that the deck and the leaderboard write.
        template: the prompt.
        wordings: one completion per label, in `ClassLabel` order; a free text has a single one, its target.
        metrics: names of functions in `course_lib.tasks.metrics`; () where no answer is right or wrong.
        texts: the columns that are read, and that the statistics count.
        hub: the real data, None where there is no well-known set.
        glosses: column → value → the Russian words that the templates show instead.
    """

    title: str
    template: str
    wordings: tuple[str, ...]
    metrics: tuple[str, ...]
    texts: tuple[str, ...]
    hub: HubSet | None = None
    glosses: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)


YES_NO = (" Да", " Нет")
NO_YES = (" Нет", " Да")
FOLLOWS = "Дано: {premise}\nУтверждение: {hypothesis}\nОтвет:"
ASKED = "{passage}\nВопрос: {question}\nОтвет:"


def official(config: str) -> HubSet:
    """Return a configuration of Russian SuperGLUE."""
    return HubSet("RussianNLP/russian_super_glue", config)


SPECS: dict[str, Spec] = {
    "lidirus": Spec(
        "LiDiRus",
        FOLLOWS.replace("premise", "sentence1").replace("hypothesis", "sentence2"),
        YES_NO,
        ("matthews",),
        ("sentence1", "sentence2"),
        official("lidirus"),
    ),
    "rcb": Spec(
        "RCB",
        FOLLOWS,
        (*YES_NO, " Возможно"),  # the deck's да/нет/возможно
        ("macro_f1", "accuracy"),
        ("premise", "hypothesis"),
        official("rcb"),
    ),
    "parus": Spec(
        "PARus",
        "{premise} {question}",
        (" {choice1}", " {choice2}"),
        ("accuracy",),
        ("premise", "choice1", "choice2"),
        official("parus"),
        {"question": {"cause": "Почему?", "effect": "Что было потом?"}},
    ),
    "muserc": Spec(
        "MuSeRC",
        "{paragraph}\nВопрос: {question}\nОтвет: {answer}\nВерно?",
        NO_YES,
        ("f1a", "exact_match"),
        ("paragraph", "question", "answer"),
        official("muserc"),
    ),
    "terra": Spec("TERRa", FOLLOWS, YES_NO, ("accuracy",), ("premise", "hypothesis"), official("terra")),
    "russe": Spec(
        "RUSSE",
        "Слово «{word}» в двух предложениях\n{sentence1}\n{sentence2}\nОдно ли это значение?",
        NO_YES,
        ("accuracy",),
        ("sentence1", "sentence2"),
        official("russe"),
    ),
    "rwsd": Spec(
        "RWSD",
        "{text}\nВопрос: Относится ли «{span2_text}» к «{span1_text}»?\nОтвет:",
        NO_YES,
        ("accuracy",),
        ("text",),
        official("rwsd"),
    ),
    "danetqa": Spec("DaNetQA", ASKED, NO_YES, ("accuracy",), ("passage", "question"), official("danetqa")),
    "rucos": Spec(
        "RuCoS",
        "{passage}",
        ("\n{query}",),  # once for every entity, which takes the place of @placeholder
        ("token_f1", "exact_match"),
        ("passage", "query"),
        official("rucos"),
    ),
    "tweets": Spec(
        "Tweet sentiment",
        "",  # in the deck's wording the mood comes first, so that a class is the perplexity of a whole text
        ("Грустный твит: {text}", "Весёлый твит: {text}"),
        ("accuracy",),
        ("text",),
        HubSet("psytechlab/RuSentiTweet"),  # its neutral tweets, speech acts and skipped ones are left out
    ),
    "detox": Spec(
        "Detoxification",
        "Грубо: {toxic}\nВежливо:",
        (" {polite}",),
        ("token_f1",),
        ("toxic", "polite"),
        HubSet("s-nlp/ru_paradetox", renamed={"toxic": "ru_toxic_comment", "polite": "ru_neutral_comment"}),
    ),
    "titles": Spec(
        "Title generation",
        "Новость: {text}\nЗаголовок:",
        (" {title}",),
        ("token_f1",),
        ("text", "title"),
        HubSet("reciTAL/mlsum", "ru"),
    ),
    "summaries": Spec(
        "Summarization",
        "{text}\nКратко:",
        (" {summary}",),
        ("token_f1",),
        ("text", "summary"),
        HubSet("reciTAL/mlsum", "ru"),  # ruPrompts trained its title and summary prompts on it
    ),
    "qa": Spec(
        "QA",
        ASKED.replace("passage", "context"),
        (" {answer}",),
        ("token_f1", "exact_match"),
        ("context", "question", "answer"),
        HubSet("kuznetsoffandrey/sberquad", "sberquad", {"answer": "answers"}),
    ),
    # the deck's four thousand proverbs were never published as a data set
    "proverbs": Spec("Proverbs", "Пословица:", (" {text}",), (), ("text",)),
    "jokes": Spec(
        "Jokes",
        "Анекдот",
        ("\n\n{text}",),
        (),
        ("text",),
        HubSet("igorktech/anekdots"),  # not moderated: rude ones are among them
    ),
    # for instruction tuning; FLAN's and T0's sets of these kinds are not Russian
    "paraphrase": Spec(
        "Paraphrase",
        "{sentence1}\n{sentence2}\nОдно ли и то же сказано?",
        NO_YES,
        ("accuracy",),
        ("sentence1", "sentence2"),
    ),
    "facts": Spec(
        "Closed-book QA",
        "Вопрос: {question}\nОтвет:",
        (" {answer}",),
        ("token_f1", "exact_match"),
        ("question", "answer"),
    ),
    "translation": Spec("Translation", "{ru} =>", (" {en}",), ("exact_match",), ("ru", "en")),
}

TASKS: tuple[str, ...] = tuple(SPECS)
# in the order of the deck's columns
RUSSIAN_SUPER_GLUE: tuple[str, ...] = tuple(
    name for name, spec in SPECS.items() if spec.hub == official(name)
)
