"""The language of prompt formats: what is read is what was written, and errors say where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.models import load_lm
from course_lib.prompts.format import Field, FormatError, PromptFormat, Shots, Soft, Text, tidy

WORDS = st.text(st.sampled_from("аб\\<>/PРSpn*:{}|\n 1é😀"), max_size=8) | st.sampled_from(
    ["<P>", "</P>", "<P*3>", "<SP:3>", "<|P|>", "<shots>", "\\<P>", "<p>", "<P* 3>"]
)
SIMPLE = st.one_of(
    WORDS.map(Text),
    st.sampled_from(["text", "вопрос", "a_1"]).map(Field),
    st.integers(0, 30).map(Soft),
    WORDS.filter(bool).map(lambda text: Soft(None, text)),
)
PARTS = st.lists(SIMPLE | st.lists(SIMPLE, max_size=4).map(lambda parts: Shots(tidy(parts))), max_size=7)


def parts(template):
    return PromptFormat.parse(template).parts


@pytest.fixture(scope="module")
def tokenizer():
    return load_lm("tiny-0.5m")[1]


@given(PARTS)
def test_what_is_written_is_read_again(some):
    form = PromptFormat(tidy(some))
    assert PromptFormat.parse(str(form)) == form


@given(st.lists(WORDS, max_size=6).map("".join))
def test_anything_is_read_or_refused_with_a_place(template):
    try:
        form = PromptFormat.parse(template)
    except FormatError as error:
        assert 0 <= error.position < len(template)
    else:
        assert PromptFormat.parse(str(form)) == form


def test_the_language():
    assert parts("<P*20>{text}<P> слово") == (Soft(20), Field("text"), Soft(1), Text(" слово"))
    assert parts("<SP:3>{a}<SP:3>") == (Soft(3), Field("a"), Soft(3))
    assert parts("<P>Вопрос: </P>{a}") == (Soft(None, "Вопрос: "), Field("a"))
    assert parts("{{a}} \\<P>") == (Text("{a} <P>"),)
    assert parts("\\\\<P>") == (Text("\\"), Soft(1))
    assert parts("C:\\dir {a}\\") == (Text("C:\\dir "), Field("a"), Text("\\"))
    assert parts("<P><P*2><P*0>") == (Soft(3),)
    assert parts("<shots>{q} => {a}\n</shots>{q} =>")[0] == Shots(
        (Field("q"), Text(" => "), Field("a"), Text("\n"))
    )


# what ruPrompts gets wrong
def test_a_soft_token_before_a_field_does_not_swallow_it():
    assert parts("<P>{text}<P>abc</P>") == (Soft(1), Field("text"), Soft(None, "abc"))


def test_an_initial_text_may_have_new_lines():
    assert parts("<P>\nQuestion:</P>") == (Soft(None, "\nQuestion:"),)


def test_every_copy_of_an_initial_text_is_initialised(tokenizer):
    form = PromptFormat.parse("<P>Да</P>{a}<P>Да</P>").count(tokenizer)
    ids = form.initial_ids(tokenizer)
    half = form.n_soft // 2
    assert sorted(ids) == list(range(2 * half))
    assert [ids[k] for k in range(half)] == [ids[half + k] for k in range(half)]


@pytest.mark.parametrize(
    ("template", "reason", "position"),
    [
        ("<P* 3>", "<P* 3> is no tag", 0),
        ("ab <Р>", "<Р> is no tag", 3),
        ("<p>", "<p> is no tag", 0),
        ("a\n}", "} lacks its partner", 2),
        ("a {", "{ lacks its partner", 2),
        ("{}", "{} is no field", 0),
        ("{a!r}", "{a!r} is no field", 0),
        ("{1}", "{1} is no field", 0),
        ("{a}</P>", "</P> ends what nothing has begun", 3),
        ("</shots>", "</shots> ends what nothing has begun", 0),
        ("<P></P>", "an initial text without a word", 0),
        ("<P>a {b}</P>", "the field {b} inside an initial text", 0),
        ("x<shots>{a}", "<shots> has no </shots>", 1),
        ("<shots><shots></shots></shots>", "<shots> inside <shots>", 7),
    ],
)
def test_errors_say_what_and_where(template, reason, position):
    with pytest.raises(FormatError) as error:
        PromptFormat.parse(template)
    assert str(error.value).startswith(reason) and error.value.position == position
    lines = template[:position].split("\n")
    assert f"(line {len(lines)}, column {len(lines[-1]) + 1})" in str(error.value)
    assert str(error.value).split("\n")[-1] == "  " + " " * len(lines[-1]) + "^"


def test_compiled_is_what_ruprompts_writes(tokenizer):
    form = PromptFormat.parse("<P*3>{text} {{x}}<P>Да</P>").count(tokenizer)
    assert form.compiled() == "<|P|>" * 3 + "{text} {{x}}" + "<|P|>" * len(tokenizer("Да")["input_ids"])
    assert form.n_soft == form.compiled().count("<|P|>")
    assert PromptFormat.parse(form.compiled()).n_soft == form.n_soft


def test_what_cannot_be_compiled():
    with pytest.raises(ValueError, match="no repeated shots"):
        PromptFormat.parse("<shots>{a}</shots><P>").compiled()
    with pytest.raises(ValueError, match="use `count` first"):
        PromptFormat.parse("<P>Да</P>").compiled()
    with pytest.raises(ValueError, match="2 counts for 1 groups"):
        PromptFormat.parse("<P>Да</P>").with_counts([1, 2])
