"""Templates name what is wrong, classification is the deck's, shots are what they claim, generation stops."""

import copy
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.models import load_lm
from course_lib.scoring import (
    STRATEGIES,
    Template,
    answer,
    balanced_shots,
    continuations,
    label_requests,
    label_scores,
    nearest_shots,
    random_shots,
    repetition,
    runs_on,
    score,
    solve,
    that_fit,
)
from course_lib.tasks import load_task

LABELS = {0: "грустное", 1: "весёлое"}
DIRECT = Template("Твит: {text}\nНастроение:")
CHANNEL = Template("{label} твит:", target=" {text}")
TWEETS = [
    {"text": "Ура, каникулы", "label": 1},
    {"text": "Опять дождь", "label": 0},
    {"text": "Сломался зонт", "label": 0},
    {"text": "Купили арбуз", "label": 1},
]


@pytest.fixture(scope="module")
def lm():
    return load_lm("tiny-0.5m")


def test_a_template_writes_the_decks_elements_in_order():
    template = Template(
        query="Вопрос: {question}\nОтвет:",
        target=" {label}",
        instructions="Ответь на вопрос по тексту.",
        task_context="Все вопросы о городах.",
        instance_context="Текст: {passage}\n",
        separator="\n\n",
    )
    shot = {"passage": "Город стоит на реке.", "question": "Где стоит город?", "label": "На реке"}
    example = {"passage": "Река впадает в море.", "question": "Куда впадает река?"}
    assert template.prompt(example, [shot]) == (
        "Ответь на вопрос по тексту.\n\nВсе вопросы о городах.\n\n"
        "Текст: Город стоит на реке.\nВопрос: Где стоит город?\nОтвет: На реке\n\n"
        "Текст: Река впадает в море.\nВопрос: Куда впадает река?\nОтвет:"
    )
    assert template.fields() == {"passage", "question", "label"}
    assert DIRECT.prompt({"text": "Ура"}) == "Твит: Ура\nНастроение:"


@given(st.text(string.ascii_letters + "{} :", max_size=20))
def test_braces_in_the_data_are_text(text):
    assert DIRECT.prompt({"text": text}) == f"Твит: {text}\nНастроение:"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            Template("{tekst}"),
            r"asks for \{tekst\}, which the example does not have: did you mean \{text\}\?",
        ),
        (Template("{zzz}"), r"asks for \{zzz\}, which the example does not have; it has label, text\."),
        (Template("{}"), "braces without a name"),
        (Template("{text"), "expected '}'"),
        (Template("Твит:"), "names no field of the example: write one of label, text"),
    ],
)
def test_a_template_that_does_not_fit_says_why(template, message):
    with pytest.raises(ValueError, match=message):
        template.check(TWEETS[0])


@pytest.mark.parametrize("part", ["instructions", "task_context"])
def test_what_is_said_once_has_no_fields(part):
    template = Template("{text}", **{part: "Тема: {topic}"})
    for write in (lambda: template.check(TWEETS[0]), lambda: template.prompt(TWEETS[0])):
        with pytest.raises(ValueError, match=r"said once, and \{topic\} cannot be filled there"):
            write()
    assert (
        Template("{text}", **{part: "Ответ в {{скобках}}."})
        .prompt(TWEETS[1])
        .startswith("Ответ в {скобках}.")
    )


@pytest.mark.parametrize(
    ("query", "text", "message"),
    [
        ("{text}", None, r"asks for \{text\}, which is None in this example"),
        ("{text.size}", "Ура", r"'\{text.size\}' does not fit this example: 'str' object has no attribute"),
        ("{text[word]}", "Ура", "does not fit this example: string indices"),
        ("{text:d}", "Ура", "does not fit this example: Unknown format code 'd'"),
    ],
)
def test_a_text_that_does_not_fit_the_template_says_why(query, text, message):
    with pytest.raises(ValueError, match=message):
        Template(query).prompt({"text": text})


def test_label_scores_are_the_requests_logprobs(lm):
    for template in (DIRECT, CHANNEL):
        scores = label_scores(*lm, template, TWEETS, LABELS)
        requests = [(template.prompt(t | {"label": w}), template.completion(t | {"label": w}))
                    for t in TWEETS for w in LABELS.values()]  # fmt: skip
        expected = [scored.logprob for scored in score(*lm, requests)]
        np.testing.assert_allclose(scores.ravel(), expected, atol=1e-4)


def test_the_decks_whole_template_is_prior_times_channel(lm):
    whole = label_scores(*lm, CHANNEL, TWEETS, LABELS, whole=True)  # begins with the token that begins texts
    channel = label_scores(*lm, CHANNEL, TWEETS, LABELS, bos=True)
    prior = [score(*lm, [("", f"{words} твит:")])[0].logprob for words in LABELS.values()]
    np.testing.assert_allclose(whole, channel + np.array(prior), atol=1e-3)


def test_a_label_may_fill_several_fields():
    smiles = {0: {"mood": "Грустный", "smile": "((("}, 1: {"mood": "Весёлый", "smile": ")))"}}
    template = Template("{mood} твит: ", target="{text}{smile}")
    assert label_requests(template, TWEETS[:1], smiles, shots=TWEETS[1:2], whole=True) == [
        ("Грустный твит: Опять дождь(((\n", "Грустный твит: Ура, каникулы((("),
        ("Грустный твит: Опять дождь(((\n", "Весёлый твит: Ура, каникулы)))"),
    ]
    with pytest.raises(ValueError, match=r"asks for \{mod\}.*did you mean"):
        label_requests(Template("{mod} твит:", target=" {text}"), [{"text": "Ура", "mode": ""}], smiles)


def test_norms_divide_by_what_they_name(lm):
    total, token, byte = (label_scores(*lm, DIRECT, TWEETS, LABELS, norm=n) for n in ("sum", "token", "byte"))
    requests = label_requests(DIRECT, TWEETS, LABELS)
    n_tokens = np.array([len(scored.token_ids) for scored in score(*lm, requests)]).reshape(total.shape)
    n_bytes = np.array([len(completion.encode()) for _, completion in requests]).reshape(total.shape)
    np.testing.assert_allclose(token * n_tokens, total, rtol=1e-5)
    np.testing.assert_allclose(byte * n_bytes, total, rtol=1e-5)


def test_calibration_takes_a_constant_from_each_label(lm):
    plain = label_scores(*lm, DIRECT, TWEETS, LABELS, shots=TWEETS[:2])
    for name in ("pmi", "contextual"):
        calibrated = label_scores(*lm, DIRECT, TWEETS, LABELS, shots=TWEETS[:2], calibrate=name)
        assert np.ptp(plain - calibrated, axis=0) == pytest.approx([0, 0], abs=1e-4)
    silent = label_scores(*lm, DIRECT, [{"text": "", "label": ""}], LABELS, shots=TWEETS[:2], calibrate="pmi")
    np.testing.assert_allclose(silent, 0, atol=1e-4)


def test_calibration_needs_labels_after_the_text_or_the_whole(lm):
    for name in ("pmi", "contextual"):
        with pytest.raises(ValueError, match=r"here the target is the text: put nothing but \{label\}"):
            label_scores(*lm, CHANNEL, TWEETS, LABELS, calibrate=name)
        with_words = Template("{text}", target=" {label} твит")
        assert label_scores(*lm, with_words, TWEETS, LABELS, calibrate=name).shape == (4, 2)
    gain = label_scores(*lm, CHANNEL, TWEETS, LABELS, whole=True, calibrate="pmi")
    channel = label_scores(*lm, CHANNEL, TWEETS, LABELS, bos=True)
    end = score(*lm, [(f"{words} твит:", " ") for words in LABELS.values()], bos=True)
    np.testing.assert_allclose(gain, channel - [one.logprob for one in end], atol=1e-3)


@pytest.mark.parametrize("whole", [False, True])
def test_shots_that_do_not_fit_are_left_out_from_the_first_on(lm, whole):
    model, tokenizer = lm
    window = model.config.n_positions
    examples = [{"text": "Ура"}, {"text": "Ура, каникулы! " * 60}]
    if not whole:  # of a text that is scored nothing is cut off
        examples.append({"text": "слово " * 600})
    shots = [{"text": f"Опять дождь, {i}", "label": i % 2} for i in range(60)]
    asked = label_scores(model, tokenizer, DIRECT, examples, LABELS, shots=shots, whole=whole)

    def n_tokens(example, n):
        return len(
            tokenizer("".join(label_requests(DIRECT, [example], LABELS, shots[60 - n :])[1]))["input_ids"]
        )

    kept = [max(n for n in range(61) if n == 0 or n_tokens(e, n) <= window) for e in examples]
    assert 60 > kept[0] > kept[1] > (0 if whole else kept[2]) == 0
    for scores, example, n in zip(asked, examples, kept, strict=True):
        [alone] = label_scores(
            model, tokenizer, DIRECT, [example], LABELS, shots=[shots[60 - n :]], whole=whole
        )
        np.testing.assert_allclose(scores, alone, atol=1e-4)


def test_shots_stand_before_the_example_with_their_labels_words():
    requests = label_requests(DIRECT, TWEETS[2:], LABELS, shots=TWEETS[:2])
    head = "Твит: Ура, каникулы\nНастроение: весёлое\nТвит: Опять дождь\nНастроение: грустное\n"
    assert requests[0] == (head + "Твит: Сломался зонт\nНастроение:", " грустное")
    assert requests[1] == (head + "Твит: Сломался зонт\nНастроение:", " весёлое")
    own = label_requests(DIRECT, TWEETS[2:], LABELS, shots=[TWEETS[:1], TWEETS[1:2]])
    assert own[0][0].startswith("Твит: Ура") and own[2][0].startswith("Твит: Опять")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": {0: "да", 1: "да"}}, "Two labels have the same words «да»"),
        ({"labels": {0: "да", 1: " да "}}, "Two labels have the same words «да»"),
        ({"labels": {0: "да"}}, "1 label leaves nothing to choose"),
        ({"labels": {}}, "0 label leaves nothing to choose"),
        ({"labels": {0: "да", 1: " "}}, "words must be a text that is not blank, and are ' '"),
        ({"labels": {0: "да", 1: {"mood": ""}}}, "words must be a text that is not blank"),
        ({"labels": {0: 1, 1: 2}}, "words must be a text that is not blank, and are 1"),
        ({"labels": ["да", "нет"]}, r"which words stand for which: \{0: …, 1: …\}, and are \['да', 'нет'\]"),
        (
            {"labels": {0: "да", 1: "да, конечно"}},
            "«да» is how «да, конечно» begins.*full stop or a new line",
        ),
        ({"template": Template("{text}", target=" да")}, "does not tell the labels apart"),
        ({"template": "{text}"}, r"must be a Template\(query, target\), and is '\{text\}'"),
        ({"norm": "letters"}, "norm='letters' must be one of sum, token, byte"),
        ({"calibrate": "no"}, "calibrate='no' must be one of pmi, contextual"),
        ({"examples": []}, "no example to classify"),
        ({"examples": TWEETS[0]}, "examples must be a list of rows.*this dict is neither"),
        ({"examples": ["Ура"]}, "examples must be a list of rows, each a dictionary"),
        ({"examples": iter(TWEETS)}, "examples must be a list of rows.*this list_iterator is neither"),
        ({"examples": [TWEETS[0], {"label": 1}]}, r"asks for \{text\}, which the example does not have"),
        ({"shots": [{"text": "а", "label": 7}]}, "A shot has the label 7, which has no words"),
        ({"shots": [{"text": "а", "label": None}]}, "A shot has the label None, which has no words"),
        ({"shots": [{"text": "а"}]}, "A shot has no column 'label', only text"),
        ({"shots": [{"premise": "а", "label": 0}]}, r"asks for \{text\}, which the example does not have"),
        ({"shots": TWEETS[0]}, "shots must be a list of rows.*this dict is neither"),
        ({"shots": 4}, "shots must be a list of rows.*this int is neither"),
        ({"shots": [TWEETS[:1]]}, "1 lists of shots for 4 examples"),
        ({"shots": [TWEETS[:1]] * 4, "calibrate": "pmi"}, "give the same shots to all"),
    ],
)
def test_classification_that_cannot_work_says_why(lm, arguments, message):
    settings = {"template": DIRECT, "examples": TWEETS, "labels": LABELS} | arguments
    with pytest.raises(ValueError, match=message):
        label_scores(*lm, **settings)


def test_a_datasets_split_serves_as_examples_and_shots_and_all_splits_at_once_do_not(lm):
    data = load_task("tweets").data
    rows, shots = data["validation"].select(range(3)), data["train"].select(range(2))
    expected = label_scores(*lm, DIRECT, list(rows), LABELS, shots=list(shots))
    np.testing.assert_allclose(label_scores(*lm, DIRECT, rows, LABELS, shots=shots), expected)
    without = label_scores(*lm, DIRECT, rows, LABELS)
    np.testing.assert_allclose(
        label_scores(*lm, DIRECT, rows, LABELS, shots=random_shots(data["train"], 0)), without
    )
    for call in (
        lambda: label_scores(*lm, DIRECT, data, LABELS),
        lambda: random_shots(data, 2),
        lambda: solve(*lm, load_task("tweets"), data),
    ):
        with pytest.raises(ValueError, match="one split of a task's data; this DatasetDict is neither"):
            call()


@pytest.mark.parametrize("template", [Template("{text}: ", "{label}"), Template("{text}:", "{label}")])
@pytest.mark.parametrize("text", ["Ура 🎉👩‍👩‍👧", "Ура\r\nснова", "", "é", "слово " * 1000])
def test_odd_texts_and_boundaries_have_scores(lm, template, text):
    scores = label_scores(*lm, template, [{"text": text}], {0: "😀", 1: "😁"})
    assert np.isfinite(scores).all() and (scores < 0).all()


def test_one_label_may_begin_another_where_something_ends_them(lm):
    template = Template("{text}?", target=" {label}\n")
    assert label_scores(*lm, template, TWEETS, {0: "да", 1: "да, конечно"}).shape == (4, 2)


POOL = [{"text": f"текст {i}", "label": i % 3} for i in range(30)]


@given(n=st.integers(0, 30), seed=st.integers(0, 5))
def test_random_and_balanced_shots(n, seed):
    some = random_shots(POOL, n, seed)
    assert len({shot["text"] for shot in some}) == n and some == random_shots(POOL, n, seed)
    counts = np.bincount([shot["label"] for shot in balanced_shots(POOL, n, seed)], minlength=3)
    assert counts.sum() == n and np.ptp(counts) <= 1


def test_too_few_for_the_shots():
    with pytest.raises(ValueError, match="31 shots are asked of a pool of 30"):
        random_shots(POOL, 31)
    with pytest.raises(ValueError, match="The pool has 1 of label 1: 2 are asked"):
        balanced_shots([*POOL[:2], POOL[3], POOL[6]], 4)


@pytest.mark.parametrize("n", [-1, 1.5, "2"])
def test_a_number_of_shots_that_is_none(n):
    for draw in (random_shots, balanced_shots, lambda pool, n: nearest_shots(pool, pool, n, "text")):
        with pytest.raises(ValueError, match="number of shots must be 0, 1, 2, …, and is"):
            draw(POOL, n)


def test_no_shots():
    assert random_shots(POOL, 0) == balanced_shots(POOL, 0) == balanced_shots([], 0) == []
    assert nearest_shots(POOL, POOL[:2], 0, "text") == [[], []]
    assert nearest_shots(POOL, [], 2, "text") == []


def test_a_column_to_choose_by_that_is_not_there():
    for choose in (
        lambda: balanced_shots(POOL, 3, field="class"),
        lambda: nearest_shots(POOL, POOL, 1, "class"),
    ):
        with pytest.raises(ValueError, match="no column 'class' to choose shots by, only text, label"):
            choose()


def test_the_nearest_shot_stands_last():
    pool = [{"text": text, "label": 0} for text in ("зимний лес", "речная рыба", "рыбка в реке", "поезд")]
    [shots] = nearest_shots(pool, [{"text": "рыба в реке"}], 2, "text")
    assert [shot["text"] for shot in shots] == ["речная рыба", "рыбка в реке"]


@given(window=st.integers(20, 400))
def test_shots_that_fit_are_the_last_ones_and_fit(window):
    kept = that_fit(POOL, DIRECT, DIRECT.prompt(POOL[0]) + " весёлое", len, max(window, 60))
    assert kept == POOL[len(POOL) - len(kept) :]
    written = DIRECT.prompt(POOL[0], kept) + " весёлое"
    assert len(written) <= max(window, 60)
    if len(kept) < len(POOL):
        one_more = DIRECT.prompt(POOL[0], POOL[len(POOL) - len(kept) - 1 :]) + " весёлое"
        assert len(one_more) > max(window, 60)


def test_no_shot_fits_beside_a_request_longer_than_the_window():
    assert that_fit(POOL, DIRECT, "0123456789", len, 6) == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_logits_that_are_no_numbers_write_nothing(lm, strategy):
    broken = copy.deepcopy(lm[0])
    broken.transformer.ln_f.weight.data.fill_(float("nan"))
    with pytest.raises(ValueError, match="logits are not all numbers"):
        continuations(broken, lm[1], ["Кот"], strategy=strategy)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_continues_and_stops(lm, strategy):
    prompts = ["Вопрос: где живёт рыба?\nОтвет:", "Кот"]
    texts = continuations(*lm, prompts, max_new_tokens=12, strategy=strategy, stop=["\n"])
    assert texts == continuations(*lm, prompts, max_new_tokens=12, strategy=strategy, stop=["\n"])
    for text in texts:
        assert "\n" not in text.rstrip("\n") or text.count("\n") <= 1


def test_greedy_continuations_are_generates_own_one_by_one(lm):
    model, tokenizer = lm
    prompts = ["Вопрос: где живёт рыба?\nОтвет:", "Кот", "Раз, два, три, четыре, пять"]
    texts = continuations(model, tokenizer, prompts, max_new_tokens=10)
    for prompt, text in zip(prompts, texts, strict=True):
        inputs = tokenizer(prompt, return_tensors="pt")
        ids = model.generate(**inputs, max_new_tokens=10, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        assert text == tokenizer.decode(ids, skip_special_tokens=True)


@pytest.mark.parametrize(
    ("text", "cut", "more"),
    [
        (" в реке\nВопрос: кто", "в реке", True),
        ("\n\nв реке\n", "в реке", False),
        (" в реке", "в реке", False),
        ("", "", False),
    ],
)
def test_an_answer_ends_at_the_first_stop(text, cut, more):
    assert answer(text) == cut
    assert runs_on(text) is more


def test_a_single_stop_sequence_is_one_and_not_its_letters(lm):
    assert answer("Где? Вопрос: что", "Вопрос:") == "Где?"
    assert runs_on("Где? Вопрос: что", "Вопрос:")
    once, as_list = (continuations(*lm, ["Кот"], 8, stop=stop) for stop in ("ква", ["ква"]))
    assert once == as_list
    with pytest.raises(ValueError, match="empty stop sequence would stop every text"):
        answer("да", stop=[""])


def test_an_answer_ends_at_a_windows_new_line():
    assert answer(" да\r\nнет") == "да"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strategy": "gredy"}, "strategy='gredy' must be one of greedy, beam 4"),
        ({"prompts": [""]}, "An empty prompt cannot be continued"),
        ({"prompts": "Кот"}, "prompts must be a list of texts"),
        ({"prompts": [None]}, "prompts must be a list of texts"),
        ({"stop": ""}, "empty stop sequence"),
        ({"batch_size": 0}, "batch_size=0 must be at least 1"),
        ({"max_new_tokens": 512}, "leaves no room for a prompt"),
    ],
)
def test_generation_that_cannot_work_says_why(lm, arguments, message):
    with pytest.raises(ValueError, match=message):
        continuations(*lm, **({"prompts": ["Кот"]} | arguments))


@pytest.mark.parametrize("name", ["tweets", "rcb", "parus", "rucos"])
def test_a_task_is_solved_by_its_likeliest_completion(lm, name):
    task = load_task(name)
    rows = list(task.data["validation"].select(range(6)))
    answers = solve(*lm, task, rows)
    for row, answer_ in zip(rows, answers, strict=True):
        texts = task.completions(row)
        values = [one.logprob for one in score(*lm, [(task.prompt(row), text) for text in texts])]
        expected = int(np.argmax(values))
        assert answer_ == (row["entities"][expected] if name == "rucos" else expected)


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("tweets", [{"premise": "а"}], "This row has no 'text', which Tweet sentiment asks for"),
        ("tweets", [{"text": None}], "This row has no 'text'"),
        ("tweets", {"text": "Ура"}, "rows must be a list of rows.*this dict is neither"),
        ("rucos", [{"passage": "а", "query": "б", "entities": []}], "RuCoS has no entities"),
    ],
)
def test_rows_that_the_task_cannot_ask_about(lm, name, rows, message):
    with pytest.raises(ValueError, match=message):
        solve(*lm, load_task(name), rows)


def test_a_free_text_is_not_chosen(lm):
    with pytest.raises(ValueError, match="Title generation is answered by writing"):
        solve(*lm, load_task("titles"), [])


def test_repetition_counts_pairs_written_before():
    assert repetition("раз два три четыре") == 0
    assert repetition("кот кот кот кот") == pytest.approx(2 / 3)
    assert repetition("кот") == repetition("") == 0
