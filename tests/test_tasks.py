"""One schema for every task: the bundled data, the templates, and what a wrong name or source gets."""

from __future__ import annotations

import string
import subprocess
import sys

import pytest

from course_lib.tasks import RUSSIAN_SUPER_GLUE, TASKS, Task, load_task, metrics
from course_lib.tasks.specs import SPECS
from course_lib.world import LABELLED


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return {name: load_task(name) for name in TASKS}


def rows(task: Task, n: int = 20):
    return [row for split in task.data.values() for row in split.select(range(min(n, len(split))))]


def test_every_task_of_the_micro_world_is_there_and_the_nine_come_first():
    assert set(TASKS) == set(LABELLED) and len(TASKS) == 19
    assert TASKS[:9] == RUSSIAN_SUPER_GLUE
    assert RUSSIAN_SUPER_GLUE == tuple("lidirus rcb parus muserc terra russe rwsd danetqa rucos".split())


def test_importing_the_tasks_imports_nothing_heavy():
    heavy = ("torch", "datasets", "sklearn", "pandas", "pyarrow", "huggingface_hub")
    modules = ", ".join(
        f"course_lib.tasks.{name}" for name in "files hub metrics leaderboard statistics".split()
    )
    code = f"import sys, {modules}; print(*(name for name in {heavy} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", TASKS)
def test_labels_wordings_and_metrics_fit_together(tasks, name):
    task = tasks[name]
    assert (task.labels is None) == ("label" not in task.data["test"].features)
    assert len(task.wordings) == (len(task.labels) if task.labels else 1)
    assert len(set(task.wordings)) == len(task.wordings)
    assert set(task.texts) <= set(task.data["test"].column_names)
    assert all(callable(getattr(metrics, metric)) for metric in task.metrics)
    assert bool(task.metrics) == (name not in ("proverbs", "jokes"))


@pytest.mark.parametrize("name", TASKS)
def test_the_templates_name_columns_only(tasks, name):
    columns = set(tasks[name].data["test"].column_names)
    for template in (tasks[name].template, *tasks[name].wordings):
        fields = {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
        assert fields <= columns - {"label"}


@pytest.mark.parametrize("name", TASKS)
def test_prompt_and_completion_join_into_one_text_that_keeps_its_answer_to_the_end(tasks, name):
    task = tasks[name]
    for row in rows(task):
        prompt, completions = task.prompt(row), task.completions(row)
        assert prompt == prompt.rstrip()
        assert all(completion.strip() for completion in completions)
        assert not prompt or all(completion[0].isspace() for completion in completions)
        assert len(set(completions)) == len(completions)
        assert task.answer(row) in completions
        for text in (prompt, *completions):
            assert not set("{}") & set(text) and "@" not in text
        if task.labels:
            assert completions.index(task.answer(row)) == row["label"]


def test_parus_asks_in_russian(tasks):
    row = {"premise": "Таня промокла.", "choice1": "Шёл дождь.", "choice2": "Она чихнула."}
    asked = [tasks["parus"].prompt(row | {"question": question}) for question in ("cause", "effect")]
    assert asked == ["Таня промокла. Почему?", "Таня промокла. Что было потом?"]
    assert tasks["parus"].completions(row | {"question": "cause"}) == [" Шёл дождь.", " Она чихнула."]


def test_rucos_offers_the_query_with_each_entity(tasks):
    row = {
        "passage": "Победил Пётр.\n@highlight\nЕва — вторая.",
        "query": "Кубок взял @placeholder.",
        "entities": ["Ева", "Пётр"],
        "answers": ["Пётр"],
    }
    task = tasks["rucos"]
    assert task.prompt(row) == "Победил Пётр.\nЕва — вторая."
    assert task.completions(row) == ["\nКубок взял Ева.", "\nКубок взял Пётр."]
    assert task.answer(row) == "\nКубок взял Пётр."


def test_tweets_are_worded_as_on_the_deck(tasks):
    row = {"text": "Наконец лето"}
    assert tasks["tweets"].completions(row) == ["Грустный твит: Наконец лето", "Весёлый твит: Наконец лето"]
    assert tasks["tweets"].labels == ("negative", "positive")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("terra", {"label": -1}, "TERRa has no label"),
        ("terra", {"label": None}, "TERRa has no label"),
        ("terra", {"label": 2}, "TERRa has the label 2, no class from 0 to 1"),
        ("terra", {"label": "entailment"}, "TERRa has the label 'entailment', no class from 0 to 1"),
        ("rucos", {"answers": []}, "RuCoS has no answer"),
    ],
)
def test_a_row_without_its_answer_says_so(tasks, name, change, message):
    row = tasks[name].data["test"][0] | change
    with pytest.raises(ValueError, match=message):
        tasks[name].answer(row)


def test_a_row_of_another_task_says_what_is_missing(tasks):
    tweet = tasks["tweets"].data["test"][0]
    with pytest.raises(ValueError, match="This row has no 'premise', which TERRa asks for"):
        tasks["terra"].prompt(tweet)
    with pytest.raises(ValueError, match="This row has no 'text', which Tweet sentiment asks for"):
        tasks["tweets"].completions(tweet | {"text": None})
    assert tasks["titles"].prompt({"text": "Открыли парк."}) == "Новость: Открыли парк.\nЗаголовок:"


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(ValueError, match=r"no task 'TERA'. Did you mean 'terra'"):
        load_task("TERA")
    with pytest.raises(ValueError, match=r"no task \['terra'\]. Did you mean 'terra'"):
        load_task(["terra"])


@pytest.mark.parametrize("source", ["wrld", None])
def test_an_unknown_source_names_the_three_there_are(source):
    with pytest.raises(
        FileNotFoundError, match=rf"no folder '{source}'. A source is 'world', 'hub', or a folder"
    ):
        load_task("terra", source)


def test_every_counterpart_on_the_hub_is_named_as_owner_and_name():
    named = {name: spec.hub.repository for name, spec in SPECS.items() if spec.hub}
    assert set(TASKS) - set(named) == {"proverbs", "paraphrase", "facts", "translation"}
    assert all(repository.count("/") == 1 for repository in named.values())
    assert {named[name] for name in RUSSIAN_SUPER_GLUE} == {"RussianNLP/russian_super_glue"}
    assert load_task("detox").hub.repository == "s-nlp/ru_paradetox" and load_task("proverbs").hub is None
