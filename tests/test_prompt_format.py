"""The language of prompt formats: what is read is what was written, and errors say where."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.processors import TemplateProcessing

from course_lib.models import load_lm
from course_lib.prompts.format import PromptFormat
from course_lib.prompts.syntax import Field, FormatError, Shots, Soft, Text, tidy

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


def beginner(tokenizer):
    """Return a tokenizer that puts a token before every text."""
    beginning = copy.deepcopy(tokenizer)
    token, i = beginning.bos_token, beginning.bos_token_id
    beginning.backend_tokenizer.post_processor = TemplateProcessing(f"{token} $A", None, [(token, i)])
    return beginning


def parts(template):
    return PromptFormat.parse(template).parts


@pytest.fixture(scope="module")
def tokenizer():
    return load_lm("tiny-0.5m")[1]


@settings(deadline=None)
@given(st.lists(WORDS.map(Text) | st.just(Field("a")) | st.integers(1, 4).map(Soft), max_size=7))
def test_a_compiled_template_is_read_as_it_was_meant(some):
    form = PromptFormat(tidy(some))
    if any("<|P|>" in part.text for part in form.parts if isinstance(part, Text)):
        with pytest.raises(ValueError, match="as a soft token"):
            form.compiled()
    else:
        assert form.compiled().count("<|P|>") == form.n_soft
        assert PromptFormat.from_compiled(form.compiled()) == form


@settings(deadline=None)
@given(PARTS)
def test_what_is_written_is_read_again(some):
    form = PromptFormat(tidy(some))
    assert PromptFormat.parse(str(form)) == form


@settings(deadline=None)
@given(st.lists(WORDS, max_size=6).map("".join) | st.text())
def test_anything_is_read_or_refused_with_a_place(template):
    try:
        form = PromptFormat.parse(template)
    except FormatError as error:
        assert 0 <= error.position < len(template)
    else:
        assert PromptFormat.parse(str(form)) == form


@settings(deadline=None)
@given(st.text(), st.text(min_size=1), st.text())
def test_any_words_are_read_again(before, inside, after):
    form = PromptFormat(tidy((Text(before), Soft(2), Soft(None, inside), Field("a"), Text(after), Soft(1))))
    assert PromptFormat.parse(str(form)) == form


@pytest.mark.parametrize(
    "some",
    [
        (Text("<P"), Field("a"), Text(">")),  # with the field between them they look like a misspelt tag
        (Text("<shots "), Field("a"), Text(">")),
        (Text("</P {"), Field("a"), Text("}>")),
        (Text("\\\n"), Soft(1)),  # $ matches before a last new line too
        (Text("\\"), Field("a"), Text("\\\\"), Shots((Text("\\\n"),))),
        (Soft(None, "<P>\\"), Soft(None, "</P>\n")),
        (Text("<|P|>"), Soft(1)),
    ],
    ids=str,
)
def test_words_that_are_hard_to_write(some):
    assert parts(str(PromptFormat(some))) == some


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


def test_a_tokenizer_that_begins_each_text_does_not_spoil_an_initial_text(tokenizer):
    beginning = beginner(tokenizer)
    assert beginning("Да")["input_ids"][0] == beginning.bos_token_id  # else this proves nothing
    form = PromptFormat.parse("<P>Да</P>{a}").count(beginning)
    assert list(form.initial_ids(beginning).values()) == tokenizer("Да")["input_ids"]


def test_initial_ids_are_at_their_own_soft_tokens(tokenizer):
    form = PromptFormat.parse("<P*2>{a}<P>Ответ: </P><P><P>Да</P>").count(tokenizer)
    first, second = tokenizer("Ответ: ")["input_ids"], tokenizer("Да")["input_ids"]
    start = 2 + len(first) + 1
    assert form.initial_ids(tokenizer) == dict(enumerate(first, 2)) | dict(enumerate(second, start))


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
        ("a <P*{a}>", "<P*{a}> is no tag", 2),
        pytest.param("a <P*" + "9" * 5000 + ">", "<P*" + "9" * 17 + ": no model reads", 2, id="too many"),
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
    with pytest.raises(ValueError, match=r"reads the words <\|P\|> as a soft token"):
        PromptFormat.parse("\\<|P|><P>").compiled()
    with pytest.raises(ValueError, match="2 counts for 1 groups"):
        PromptFormat.parse("<P>Да</P>").with_counts([1, 2])
