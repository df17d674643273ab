"""Filling a format: fields are data, ranges are right, and truncation takes from one field alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.models import load_lm
from course_lib.prompts.encoding import encode
from course_lib.prompts.format import PromptFormat

_, TOKENIZER = load_lm("tiny-0.5m")
FIRST = 4096
END = TOKENIZER.eos_token_id
TEXTS = st.text(st.sampled_from("абвгд ,.!?<P>{}|😀é\n1"), min_size=0, max_size=40)


def run(template, fields, target=None, **options):
    form = PromptFormat.parse(template).count(TOKENIZER)
    return encode(form, TOKENIZER, fields, FIRST, target, **options)


def words(ids):
    return TOKENIZER.decode([i for i in ids if i < FIRST], clean_up_tokenization_spaces=False)


def soft(ids):
    return [i - FIRST for i in ids if i >= FIRST]


@given(TEXTS, TEXTS)
def test_fields_are_data(a, b):
    encoded = run("<P*2>{a}<P>: {b} {{}} <P>", {"a": a, "b": b, "c": "more"})
    assert words(encoded.ids) == encoded.text == f"{a}: {b} {{}} "
    assert soft(encoded.ids) == [0, 1, 2, 3]


@given(TEXTS, TEXTS)
def test_ranges_recover_the_fields(a, b):
    encoded = run("x{a}{b}y<P>{a}", {"a": a, "b": b})
    for name, text, times in (("a", a, 2), ("b", b, 1)):
        assert [encoded.text[i:j] for i, j in encoded.characters[name]] == [text] * times
        assert len(encoded.tokens[name]) == times
        for i, j in encoded.tokens[name]:  # a token may hold a neighbour's letters too
            assert text in words(encoded.ids[i:j])


def test_soft_tokens_cut_words_apart():
    together = run("Мо{a}<P>", {"a": "сква"}).ids
    apart = run("Мо<P>{a}", {"a": "сква"}).ids
    assert together == [*TOKENIZER("Москва")["input_ids"], FIRST]
    assert apart == [*TOKENIZER("Мо")["input_ids"], FIRST, *TOKENIZER("сква")["input_ids"]]


@given(TEXTS, TEXTS.filter(bool))
def test_a_target_after_a_soft_token_is_by_itself(a, target):
    encoded = run("{a}<P>", {"a": a}, target)
    assert encoded.ids[-encoded.n_target :] == [*TOKENIZER(target)["input_ids"], END]
    assert encoded.labels == [-100] * (len(encoded.ids) - encoded.n_target) + encoded.ids[-encoded.n_target :]


@given(TEXTS, TEXTS.filter(bool))
def test_a_target_after_words_begins_with_its_first_letter(a, target):
    encoded = run("<P>{a}", {"a": a}, target, end=False)
    assert encoded.ids[1:] == TOKENIZER(a + target)["input_ids"]
    assert target in words(encoded.ids[-encoded.n_target :])
    assert target not in words(encoded.ids[len(encoded.ids) - encoded.n_target + 1 :]) or len(target) < 2


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
    assert soft(run("<P><shots>{q}<P*2></shots>{q}<P>", {"q": "пять"}).ids) == [0, 3]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"txt": "a"}, r"asks for \{text\}, which the example does not have: did you mean \{txt\}"),
        ({"label": 1, "idx": 2}, r"which the example does not have: it has idx, label"),
        ({"text": None}, r"\{text\}, which is None"),
    ],
)
def test_missing_fields(fields, message):
    with pytest.raises(ValueError, match=message):
        run("<P>{text}", fields)


def test_other_bad_input():
    with pytest.raises(ValueError, match="target is empty"):
        run("<P>{a}", {"a": "а"}, "")
    form = PromptFormat.parse("<P>{a}").count(TOKENIZER)
    with pytest.raises(ValueError, match="more words than the model"):
        encode(form, TOKENIZER, {"a": "слово"}, 10)
    with pytest.raises(ValueError, match="fast tokenizer"):
        encode(form, object(), {"a": "слово"}, FIRST)
