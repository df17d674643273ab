"""Filling a format: fields are data, ranges are right, and truncation takes from one field alone."""

import copy
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.normalizers import Replace
from tokenizers.processors import TemplateProcessing

from course_lib.models import load_lm
from course_lib.prompts.encoding import encode
from course_lib.prompts.format import PromptFormat

_, TOKENIZER = load_lm("tiny-0.5m")
FIRST = 4096
END = TOKENIZER.eos_token_id
TEXTS = st.text(st.sampled_from("абвгд ,.!?<P>{}|😀é\n1"), min_size=0, max_size=40) | st.sampled_from(
    ["<P>", "<|P|>", "{b}", "{{}}", "<shots>", "\\<P>"]
)


def run(template, fields, target=None, **options):
    form = PromptFormat.parse(template).count(TOKENIZER)
    return encode(form, TOKENIZER, fields, FIRST, target, **options)


def words(ids):
    return TOKENIZER.decode([i for i in ids if i < FIRST], clean_up_tokenization_spaces=False)


def soft(ids):
    return [i - FIRST for i in ids if i >= FIRST]


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_fields_are_data(a, b):
    encoded = run("<P*2>{a}<P>: {b} {{}} <P>", {"a": a, "b": b, "c": "more"})
    assert words(encoded.ids) == encoded.text == f"{a}: {b} {{}} "
    assert soft(encoded.ids) == [0, 1, 2, 3]


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_ranges_recover_the_fields(a, b):
    encoded = run("x{a}{b}y<P>{a}", {"a": a, "b": b})
    for name, text, times in (("a", a, 2), ("b", b, 1)):
        assert [encoded.text[i:j] for i, j in encoded.characters[name]] == [text] * times
        assert len(encoded.tokens[name]) == times
        for i, j in encoded.tokens[name]:  # a token may hold a neighbour's letters too
            assert text in words(encoded.ids[i:j])


def test_what_is_no_text_is_written_as_one():
    encoded = run("<P>{a} {{}} {b}", {"a": 12, "b": True})
    assert encoded.text == "12 {} True"
    assert [encoded.text[i:j] for [(i, j)] in encoded.characters.values()] == ["12", "True"]


def test_an_empty_field_is_where_it_stands():
    encoded = run("Мама мыла {a} раму<P>{a}", {"a": ""})
    [(i, j), (k, n)] = encoded.tokens["a"]
    assert words(encoded.ids[:i]).strip() == "Мама мыла" and i == j
    assert (k, n) == (len(encoded.ids), len(encoded.ids))


def test_ranges_are_the_same_wherever_soft_ids_begin():
    form = PromptFormat.parse("<P>{a}<P>Да</P>{b} {{}}").count(TOKENIZER)
    fields = {"a": "Мама мыла раму", "b": "слово"}
    here, there = (encode(form, TOKENIZER, fields, first, " Да") for first in (FIRST, FIRST + 77))
    assert (here.characters, here.tokens, here.text) == (there.characters, there.tokens, there.text)
    assert [i + 77 * (i >= FIRST) for i in here.ids] == there.ids
    read_again = PromptFormat.parse(str(form)).with_counts([part.n for part in form.soft])
    options = {"max_tokens": len(here.ids) - 2, "truncate": "a"}
    cut, cut_again = (encode(f, TOKENIZER, fields, FIRST, " Да", **options) for f in (form, read_again))
    assert cut == cut_again and len(cut.ids) == len(here.ids) - 2


def test_a_tokenizer_that_begins_each_text_begins_a_prompt_once():
    beginning = copy.deepcopy(TOKENIZER)
    token, i = beginning.bos_token, beginning.bos_token_id
    beginning.backend_tokenizer.post_processor = TemplateProcessing(f"{token} $A", None, [(token, i)])
    form = PromptFormat.parse("{a}<P>Да</P>{a}").count(beginning)
    fields = {"a": "слово слово слово"}
    plain = encode(form, TOKENIZER, fields, FIRST, " Да")
    begun = encode(form, beginning, fields, FIRST, " Да")
    assert begun.ids == [i, *plain.ids] and begun.n_target == plain.n_target
    assert begun.tokens == {"a": [(k + 1, n + 1) for k, n in plain.tokens["a"]]}
    least = len(begun.ids) - 2 * len(TOKENIZER("слово слово слово")["input_ids"]) + 1
    cut = encode(form, beginning, fields, FIRST, " Да", max_tokens=least, truncate="a")
    assert (
        cut.ids[0] == i
        and len(cut.ids) == least
        and cut.labels[-cut.n_target :] == plain.ids[-plain.n_target :]
    )


def test_soft_tokens_cut_words_apart():
    together = run("Мо{a}<P>", {"a": "сква"}).ids
    apart = run("Мо<P>{a}", {"a": "сква"}).ids
    assert together == [*TOKENIZER("Москва")["input_ids"], FIRST]
    assert apart == [*TOKENIZER("Мо")["input_ids"], FIRST, *TOKENIZER("сква")["input_ids"]]


@settings(deadline=None)
@given(TEXTS, TEXTS.filter(bool))
def test_a_target_after_a_soft_token_is_by_itself(a, target):
    encoded = run("{a}<P>", {"a": a}, target)
    assert encoded.ids[-encoded.n_target :] == [*TOKENIZER(target)["input_ids"], END]
    assert encoded.labels == [-100] * (len(encoded.ids) - encoded.n_target) + encoded.ids[-encoded.n_target :]


@settings(deadline=None)
@given(TEXTS, TEXTS.filter(bool))
def test_a_target_after_words_begins_with_its_first_letter(a, target):
    encoded = run("<P>{a}", {"a": a}, target, end=False)
    assert encoded.ids[1:] == TOKENIZER(a + target)["input_ids"]
    assert target in words(encoded.ids[-encoded.n_target :])
    assert target not in words(encoded.ids[len(encoded.ids) - encoded.n_target + 1 :]) or len(target) < 2


@settings(deadline=None)
@given(TEXTS, TEXTS, st.integers(1, 60))
def test_truncation_takes_from_one_field_alone(a, b, budget):
    template, fields, target = "<P*2>{a}<P>|{b}|<P>", {"a": a, "b": b}, " Да"
    whole = run(template, fields, target)
    try:
        cut = run(template, fields, target, max_tokens=budget, truncate="a")
    except ValueError as error:
        assert "too many" in str(error) and len(whole.ids) > budget
        return
    assert len(cut.ids) == min(len(whole.ids), budget)
    assert soft(cut.ids) == [0, 1, 2, 3]
    assert cut.labels[-cut.n_target :] == whole.labels[-whole.n_target :]
    i, j = cut.tokens["a"][0]
    assert whole.ids[i:j] == cut.ids[i:j] and cut.ids[:i] == whole.ids[:i]
    assert cut.ids[j:] == whole.ids[whole.tokens["a"][0][1] :]


@settings(deadline=None)
@given(TEXTS, TEXTS, st.data())
def test_every_budget_that_suffices_is_met_exactly(a, b, data):
    template, fields = "<P*2>{a}<P>|{b}|<P>", {"a": a, "b": b}
    n_whole, n_field = len(run(template, fields, " Да").ids), len(TOKENIZER(a)["input_ids"])
    least = n_whole - n_field
    budget = data.draw(st.integers(least, n_whole + 2))
    cut = run(template, fields, " Да", max_tokens=budget, truncate="a")
    assert len(cut.ids) == min(n_whole, budget)
    assert words(cut.ids).endswith(f"|{b}| Да<|endoftext|>")
    too_many = rf"has {n_whole} tokens, {n_field + 1} too many, and the field \{{a\}} can lose {n_field}: "
    with pytest.raises(ValueError, match=too_many):
        run(template, fields, " Да", max_tokens=least - 1, truncate="a")


@settings(deadline=None)
@given(TEXTS)
def test_words_that_share_a_token_with_the_field_stay(a):
    template = "Мо{a}да нет<P>"
    with pytest.raises(ValueError) as error:
        run(template, {"a": a}, max_tokens=0, truncate="a")
    n_whole, n_field = map(
        int, re.search(r"has (\d+) tokens.* can lose (\d+)", str(error.value), re.DOTALL).groups()
    )
    for budget in range(n_whole - n_field, n_whole + 1):
        cut = run(template, {"a": a}, max_tokens=budget, truncate="a")
        assert len(cut.ids) == budget and soft(cut.ids) == [0]
        assert words(cut.ids).startswith("Мо") and words(cut.ids).endswith("да нет")


def test_a_field_that_is_too_short_says_so():
    with pytest.raises(ValueError, match=r"10 too many, and the field \{a\} can lose 1: allow more than"):
        n = len(run("<P*20>{a}{b}", {"a": "да", "b": " слово" * 9}).ids)
        run("<P*20>{a}{b}", {"a": "да", "b": " слово" * 9}, max_tokens=n - 10, truncate="a")
    with pytest.raises(ValueError, match="no field may be truncated"):
        run("<P>{a}", {"a": "слово слово"}, max_tokens=1)
    with pytest.raises(ValueError, match="truncate='b' is no field of the format: a are"):
        run("<P>{a}", {"a": "слово"}, max_tokens=1, truncate="b")


def test_shots_have_the_same_soft_tokens():
    shots = [{"q": "два", "a": "2"}, {"q": "три", "a": "3"}]
    encoded = run("<P><shots>{q}<P*2> {a}\n</shots>{q}<P>", {"q": "пять", "shots": shots})
    assert soft(encoded.ids) == [0, 1, 2, 1, 2, 3]
    assert encoded.text == "два 2\nтри 3\nпять"
    for none in ({}, {"shots": []}, {"shots": None}):
        assert soft(run("<P><shots>{q}<P*2></shots>{q}<P>", {"q": "пять", **none}).ids) == [0, 3]
    with pytest.raises(ValueError, match=r"asks for \{a\}, which the example does not have: it has q"):
        run("<shots>{q}{a}</shots>{q}<P>", {"q": "пять", "a": "5", "shots": [{"q": "два"}]})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"txt": "a", "n": 1},
            r"asks for \{text\}, which the example does not have: did you mean \{txt\}\? It has n, txt\.",
        ),
        ({"label": 1, "idx": 2}, r"which the example does not have: it has idx, label\."),
        ({}, r"which the example does not have: it has no fields\."),
        ({3: "a"}, r"it has 3\."),
        ({"text": None}, r"\{text\}, which is None"),
    ],
)
def test_missing_fields(fields, message):
    with pytest.raises(ValueError, match=message):
        run("<P>{text}", fields)


def test_other_bad_input():
    with pytest.raises(ValueError, match="target is empty"):
        run("<P>{a}", {"a": "а"}, "")
    silent = copy.deepcopy(TOKENIZER)
    silent.backend_tokenizer.normalizer = Replace("_", "")
    with pytest.raises(ValueError, match="target is empty to the tokenizer: '__' has no token"):
        encode(PromptFormat.parse("<P>"), silent, {}, FIRST, "__")
    form = PromptFormat.parse("<P>{a}").count(TOKENIZER)
    with pytest.raises(ValueError, match="more words than the model"):
        encode(form, TOKENIZER, {"a": "слово"}, 10)
    with pytest.raises(ValueError, match="fast tokenizer"):
        encode(form, object(), {"a": "слово"}, FIRST)
