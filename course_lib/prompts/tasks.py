"""The prompt formats of the tasks, and what they choose among (slide "Prompt Formats").

The deck writes three: DaNetQA, MuSeRC and RCB. The others follow them: three soft tokens before each part of
an
example, and three before the answer. "All tasks casted to binary/ternary classification": the words of the
labels, or, where a text is chosen (PARus, RuCoS), the texts themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course_lib.prompts.classify import choice_scores

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from course_lib.prompts.prompt import Prompt
    from course_lib.prompts.tuning import Example
    from course_lib.tasks import Task

# LiDiRus has no training examples, and is answered by TERRa's prompt: its sentences take the same places
RENAMED = {"lidirus": {"premise": "sentence1", "hypothesis": "sentence2"}}
PREMISE = "<SP:3>{premise}<SP:3>{hypothesis}<SP:3>"
FORMATS: dict[str, str] = {
    "lidirus": PREMISE,
    "rcb": PREMISE,
    "parus": "<SP:3>{premise}<SP:3>{question}<SP:3>",
    "muserc": "<SP:3>{paragraph}<SP:3>{question}<SP:3>{answer}<SP:3>",
    "terra": PREMISE,
    "russe": "<SP:3>{word}<SP:3>{sentence1}<SP:3>{sentence2}<SP:3>",
    "rwsd": "<SP:3>{text}<SP:3>{span2_text}<SP:3>{span1_text}<SP:3>",
    "danetqa": "<SP:3>{passage}<SP:3>{question}<SP:3>",
    "rucos": "<SP:3>{passage}<SP:3>",
    "tweets": "<P>Весёлый или грустный твит: </P>{text}",
    # text2text: soft tokens that begin as the task's own words, with ten more in front
    "detox": "<SP:10><P>Грубо: </P>{toxic}<P>\nВежливо:</P>",
    "titles": "<SP:10><P>Новость: </P>{text}<P>\nЗаголовок:</P>",
    "summaries": "<SP:10>{text}<P>\nКратко:</P>",
    "qa": "<SP:10>{context}<P>\nВопрос: </P>{question}<P>\nОтвет:</P>",
    "proverbs": "<SP:10><P>Пословица:</P>{start}",
    "jokes": "<SP:10><P>Анекдот</P>{start}",
    "paraphrase": "<SP:3>{sentence1}<SP:3>{sentence2}<SP:3>",
    "facts": "<SP:10><P>Вопрос: </P>{question}<P>\nОтвет:</P>",
    "translation": "<SP:10>{ru}<P> =></P>",
}
# the deck's smileys; in the task's own wording, which the deck has too, the label comes first
LABEL_WORDS = {"tweets": (" (((", " )))")}
# deck: a proverb may be given its first words; in training it is not
BEGUN = ("proverbs", "jokes")
TRUNCATED = {
    "muserc": "paragraph",
    "danetqa": "passage",
    "rucos": "passage",
    "titles": "text",
    "summaries": "text",
}


def truncated(task: Task, prompt: Prompt) -> str | None:
    """Return the field that long examples lose the end of, if the format has it."""
    name = TRUNCATED.get(task.name)
    return name if name in prompt.form.fields else None


def fields(task: Task, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the format's fields are to hold."""
    shown = task.shown(row)
    if task.name == "tweets":  # a smiley takes the place of the full stop
        shown["text"] = shown["text"].rstrip(".")
    if task.name in BEGUN:
        shown["start"] = ""
    return shown | {name: shown[column] for name, column in RENAMED.get(task.name, {}).items()}


def choices(task: Task, row: Mapping[str, Any]) -> list[str]:
    """Return the texts that may follow the prompt; a single one where the answer is free."""
    return list(LABEL_WORDS.get(task.name) or task.completions(row))


def target(task: Task, row: Mapping[str, Any]) -> str:
    """Return the right one."""
    words = LABEL_WORDS.get(task.name)
    return words[row["label"]] if words else task.answer(row)


def examples(
    task: Task,
    rows: Sequence[Mapping[str, Any]],
    prompt: Prompt,
    tokenizer: PreTrainedTokenizerBase,
    *,
    over_labels: bool = False,
    max_tokens: int | None = None,
) -> list[Example]:
    """Encode rows for `tuning.tune`.

    Args:
        task: whose rows they are.
        rows: of the training or validation split.
        prompt: attached.
        tokenizer: the model's.
        over_labels: write every choice, the right one first, for the loss over the label words.
        max_tokens: longer ones lose the end of the field in `TRUNCATED`.

    Returns:
        Ids and labels; a free text is followed by the end-of-text token, a choice is not.
    """
    options = {"end": task.is_free, "max_tokens": max_tokens, "truncate": truncated(task, prompt)}
    encoded = []
    for row in rows:
        right = target(task, row)
        others = [text for text in choices(task, row) if text != right] if over_labels else []
        for text in (right, *others):
            one = prompt.encode(tokenizer, fields(task, row), text, **options)
            encoded.append((one.ids, one.labels))
    return encoded


def answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
    prompt: Prompt,
    rows: Sequence[Mapping[str, Any]],
    max_tokens: int | None = None,
) -> list[int | str]:
    """Answer rows with a prompt.

    Returns:
        For each row what `tasks.metrics.evaluate` takes: the number of a class, for RuCoS the entity.

    Raises:
        ValueError: a task that leaves nothing to choose.
    """
    if task.is_free:
        raise ValueError(f"{task.title} is answered by writing: generate after its prompt.")
    shown = [fields(task, row) for row in rows]
    texts = [choices(task, row) for row in rows]
    options = {"max_tokens": max_tokens, "truncate": truncated(task, prompt)}
    best = [
        int(scores.argmax()) for scores in choice_scores(model, tokenizer, prompt, shown, texts, **options)
    ]
    if task.name == "rucos":
        return [row["entities"][i] for row, i in zip(rows, best, strict=True)]
    return best
