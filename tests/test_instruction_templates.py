"""Templates: the deck's own, promptsource's layout, no code from strangers, no leak, clear errors."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.instructions import (
    InstructionTemplate,
    ambiguity,
    check,
    leaks,
    load_templates,
    save_templates,
    task_templates,
)
from course_lib.instructions.checks import without_instructions
from course_lib.instructions.mixture import CLUSTERS
from course_lib.tasks import load_task

POLYAKOV = {  # the deck's example
    "premise": "Russian cosmonaut Valery Polyakov set the record for the longest continuous amount of time "
    "spent in space, a staggering 438 days, between 1994 and 1995.",
    "hypothesis": "Russians hold the record for the longest stay in space.",
    "label": 0,
}
TASKS = [task for tasks in CLUSTERS.values() for task in tasks]
# promptsource's layout, with what its files do: tags, choices in Jinja, keys we do not know, a nested column
PROMPTSOURCE = """dataset: made_up
subset: en
templates:
  11111111-1111-1111-1111-111111111111: !Template
    answer_choices: Yes ||| No
    id: 11111111-1111-1111-1111-111111111111
    jinja: "{{premise}}\\nQuestion: {{hypothesis}} True or False?\\n|||\\n{{ answer_choices[label] }}"
    metadata: !TemplateMetadata
      choices_in_prompt: false
      languages:
      - en
      metrics:
      - Accuracy
      original_task: true
    name: GPT-3 style
    reference: 'Same as reported in Figure G31 of the GPT-3 paper.'
  22222222-2222-2222-2222-222222222222: !Template
    answer_choices: '{{ options.a }} ||| {{ options.b }}'
    id: 22222222-2222-2222-2222-222222222222
    jinja: "{% if label != -1 %}Choose: {{ options.a }} or {{ options.b }}?
      ||| {{ answer_choices[label] }}{% endif %}"
    metadata: !TemplateMetadata
      choices_in_prompt: true
      metrics: []
      original_task: false
    name: choose
    reference: ''
"""


@pytest.fixture
def promptsource(tmp_path):
    path = tmp_path / "templates.yaml"
    path.write_text(PROMPTSOURCE, encoding="utf-8")
    return path


def test_the_decks_three_templates_render_as_printed():
    first, second, third = (template.render(POLYAKOV) for template in task_templates("rte"))
    premise, hypothesis = POLYAKOV["premise"], POLYAKOV["hypothesis"]
    assert first.prompt == (
        f"{premise}\nBased on the paragraph above, can we conclude that {hypothesis.rstrip('.')}?\n\n"
        "Options:\n- yes\n- no"
    )
    assert second.prompt == f"{premise}\nCan we infer the following?\n{hypothesis}\nOptions:\n- yes\n- no"
    assert third.prompt == (
        "Read the following and determine if the hypothesis can be inferred from the premise:\n"
        f"Premise: {premise}\nHypothesis: {hypothesis}\nOptions:\n- yes\n- no"
    )
    assert {each.target for each in (first, second, third)} == {"yes"} and first.choices == ("yes", "no")
    assert task_templates("rte")[0].render(POLYAKOV | {"label": 1}).target == "no"


def test_the_options_are_told_only_if_asked_for():
    without = task_templates("rte")[1].render(POLYAKOV, options=False)
    assert without.prompt == f"{POLYAKOV['premise']}\nCan we infer the following?\n{POLYAKOV['hypothesis']}"
    assert without.choices == ("yes", "no")
    asked = task_templates("terra")[0].render(load_task("terra").data["train"][0])
    assert asked.prompt.endswith("\nВарианты:\n- да\n- нет")


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_ten_sound_templates(name):
    task = load_task(name)
    rows = task.data["train"].select(range(40)).to_list()
    templates = task_templates(name)
    assert len(templates) == 10 and len({template.id for template in templates}) == 10
    assert sum(not template.original_task for template in templates) <= 3  # FLAN's "up to three"
    prompts = set()
    for template in templates:
        check(template, rows)
        told = template.render(rows[0])
        prompts.add(told.prompt)
        assert not re.search(r"\s\n|\.»\?|\.\.(?!\.)|\{|\}|\.»\.", told.prompt), told.prompt
        if template.original_task:
            assert ambiguity(template, task.data["train"].to_list()) == 0, template.name
        assert bool(told.choices) == bool(template.answer_choices)
    assert len(prompts) == 10


def test_at_least_eight_clusters_and_every_task_in_one():
    assert len(CLUSTERS) >= 8 and len(TASKS) == len(set(TASKS))
    assert all(len(tasks) >= 1 for tasks in CLUSTERS.values())


def test_promptsources_files_load_as_they_are(promptsource):
    style, choose = load_templates(promptsource)
    told = style.render({"premise": "It rains.", "hypothesis": "It is wet.", "label": 1})
    assert (told.prompt, told.target) == ("It rains.\nQuestion: It is wet. True or False?", "No")
    assert style.reference.startswith("Same as") and style.metrics == ("Accuracy",) and style.original_task
    assert not choose.original_task and choose.languages == ("en",)
    row = {"options": {"a": "tea", "b": "coffee"}, "label": 1}
    assert choose.render(row).target == "coffee" and choose.choices(row) == ["tea", "coffee"]
    assert choose.render(row | {"label": -1}) is None  # T0 leaves such rows out


def test_what_is_saved_loads_again_and_has_promptsources_tags(tmp_path):
    templates = task_templates("parus")
    path = save_templates(tmp_path / "parus.yaml", "parus", templates)
    assert load_templates(path) == templates
    text = path.read_text(encoding="utf-8")
    assert text.count("!Template\n") == text.count("!TemplateMetadata\n") == 10 and "&id" not in text
    new = [InstructionTemplate("mine", "{{ text }}? ||| {{ answer }}")]
    assert load_templates(save_templates(tmp_path / "new.yaml", "new", new)) == tuple(new)


@settings(max_examples=60, deadline=None)
@given(text=st.text(min_size=1).filter(str.strip), answer=st.text(min_size=1).filter(str.strip))
def test_columns_are_data_and_never_syntax(text, answer):
    template = InstructionTemplate("t", "A {{ text }} B ||| {{ answer }}")
    told = template.render({"text": text, "answer": answer})
    assert told.prompt == f"A {text} B" and told.target == answer.strip()


def test_a_separator_in_the_data_is_data():
    template = InstructionTemplate("t", "{{ text }} ||| {{ answer_choices[0] }}", "{{ text }} ||| b")
    told = template.render({"text": "{{ 1 }} ||| {% x %}"})
    assert told.prompt == "{{ 1 }} ||| {% x %}" == told.target and told.choices == (told.target, "b")


ATTACKS = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }} ||| x",
    "{{ text.__init__.__globals__ }} ||| x",
    "{{ self.__init__ }} ||| x",
    "{{ rows.append(1) }} ||| x",
    "{{ range(10**9) }} ||| x",
)


@pytest.mark.parametrize("jinja", ATTACKS)
def test_jinja_is_sandboxed(jinja):
    rows = [1]
    with pytest.raises(ValueError, match=r"Template 't' (does what|asks for|does not fit)"):
        InstructionTemplate("t", jinja).render({"text": "a", "rows": rows})
    assert rows == [1]


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['touch ran']", "!!python/name:os.system", "!Other {a: 1}"]
)
def test_yaml_that_makes_objects_is_refused_and_not_run(tmp_path, monkeypatch, tag):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.yaml").write_text(PROMPTSOURCE + f"  evil: {tag}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"line \d+: .*Only !Template and !TemplateMetadata are allowed"):
        load_templates("t.yaml")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is no YAML"),
        ("a: 1", "no mapping 'templates'"),
        ("templates: {}", "no mapping 'templates'"),
        ("- 1", "no mapping 'templates'"),
        ("templates: {x: {name: a}}", "template x has no text 'jinja'"),
        (
            "templates: {x: {name: a, jinja: b ||| c}, y: {name: a, jinja: b ||| d}}",
            "two templates of the name 'a'",
        ),
    ],
)
def test_a_file_that_has_no_templates_says_so(tmp_path, text, message):
    (tmp_path / "t.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_templates(tmp_path / "t.yaml")


ROW = {"text": "Идёт дождь.", "answer": "да", "label": 1}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            InstructionTemplate("t", "{{ txt }} ||| {{ answer }}"),
            "'txt' is undefined.*has text, answer, label",
        ),
        (InstructionTemplate("t", "{{ text }}"), "must give input ||| target, and gives 1 part"),
        (InstructionTemplate("t", "{{ text }} ||| a ||| b"), "gives 3 part"),
        (InstructionTemplate("t", "{{ text }} ||| "), "with an empty target"),
        (InstructionTemplate("t", "{{ text ||| {{ answer }}"), "Template 't', line 1"),
        (InstructionTemplate("t", "{{ text }} ||| {{ answer_choices[label] }}", "один"), "no element 1"),
        (InstructionTemplate("t", "{{ text + label }} ||| x"), "does not fit this row"),
    ],
)
def test_a_template_that_does_not_fit_says_what_is_wrong(template, message):
    with pytest.raises(ValueError, match=message.replace("|||", r"\|\|\|")):
        template.render(ROW)


def test_an_unknown_variable_is_found_before_anything_is_rendered():
    with pytest.raises(ValueError, match=r"asks for 'txt'; the rows have text, answer, label"):
        check(InstructionTemplate("t", "{{ txt }} ||| {{ answer }}"), [ROW])
    with pytest.raises(ValueError, match="no rows to test"):
        check(InstructionTemplate("t", "{{ text }} ||| {{ answer }}"), [])
    with pytest.raises(ValueError, match="«да» is none of the choices нет, может быть"):
        check(InstructionTemplate("t", "{{ text }} ||| {{ answer }}", "нет ||| может быть"), [ROW])


@pytest.mark.parametrize(
    ("jinja", "leaking"),
    [
        ("{{ text }} ||| {{ answer_choices[label] }}", False),
        ("{{ text }} ({{ label }}) ||| {{ answer_choices[label] }}", True),
        ("{% if label == 1 %}Да! {% endif %}{{ text }} ||| {{ answer_choices[label] }}", True),
        ("{{ text }} {{ answer_choices[label] }} ||| {{ answer_choices[label] }}", True),
        ("{{ text }} ||| {{ answer }}", False),
        ("{{ text }} Подсказка: {{ answer[0] }} ||| {{ answer }}", True),
        ("Напиши {{ answer_choices[label] }} текст. ||| {{ text }}", False),  # turned around
    ],
)
def test_a_prompt_that_changes_with_the_answer_leaks(jinja, leaking):
    template = InstructionTemplate("t", jinja, "нет ||| да" if "choices" in jinja else None)
    assert bool(leaks(template, [ROW, ROW | {"label": 0}])) == leaking
    if leaking:
        with pytest.raises(ValueError, match="tells the answer: in 2 of 2 rows"):
            check(template, [ROW, ROW | {"label": 0}])


def test_ambiguity_counts_prompts_with_several_answers():
    rows = [{"label": 0, "text": "a"}, {"label": 0, "text": "b"}, {"label": 1, "text": "c"}]
    assert ambiguity(InstructionTemplate("t", "{{ label }} ||| {{ text }}"), rows) == pytest.approx(2 / 3)
    assert ambiguity(InstructionTemplate("t", "{{ text }} ||| {{ label }}"), rows) == 0


def test_the_control_keeps_the_answers_and_drops_the_words():
    row = load_task("terra").data["train"][0]
    control = without_instructions(task_templates("terra")[0], ("premise", "hypothesis"))
    told = control.render(row)
    assert told.prompt == f"{row['premise']}\n{row['hypothesis']}" and told.choices == ("да", "нет")
    assert told.target == task_templates("terra")[0].render(row).target


def test_no_such_task():
    with pytest.raises(ValueError, match="no templates for 'nothing', only for danetqa"):
        task_templates("nothing")
