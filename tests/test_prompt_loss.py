"""The loss of a target is the library's own, for less work; label words are compared as they should be."""

import pytest
import torch
import torch.nn.functional as F
from transformers import set_seed

from course_lib.models import load_lm
from course_lib.prompts import attached, choice_scores, loss, new_prompt
from course_lib.prompts.loss import collate, label_word_loss, language_model_loss
from course_lib.prompts.tasks import FORMATS, answers, choices, examples, fields, target
from course_lib.tasks import RUSSIAN_SUPER_GLUE, TASKS, load_task
from tests.architectures import SHAPES, random_model

ROWS = [{"text": "Мама мыла раму"}, {"text": "Да"}, {"text": "Кот спит на тёплой печке"}]
TARGETS = [" весело", " грустно", " никак"]


@pytest.fixture(scope="module")
def lm():
    model, tokenizer = load_lm("tiny-0.5m")
    return model.requires_grad_(False), tokenizer


def batch_of(prompt, tokenizer, rows=ROWS, targets=TARGETS):
    encoded = [prompt.encode(tokenizer, row, text) for row, text in zip(rows, targets, strict=True)]
    return collate([(one.ids, one.labels) for one in encoded], 0)


def loss_and_gradient(prompt, function, *args):
    prompt.zero_grad()
    value = function(*args)
    value.backward()
    return value.detach(), prompt.provider.rows.grad.clone()


BEGINNING = "слово " * 20


def test_collate_pads_on_the_right():
    batch = collate([([5, 6, 7], [-100, 6, 7]), ([8], [-100])], 3)
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [[5, 6, 7], [8, 3, 3]],
        "labels": [[-100, 6, 7], [-100, -100, -100]],
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
    }


@pytest.mark.parametrize("template", ["<P*3>{text}<P*2>", BEGINNING + "{text}<P>{text}"])
def test_loss_and_gradient_to_the_last_digits(template):
    model, tokenizer = load_lm("tiny-0.5m", dtype="float64")
    model.requires_grad_(False)
    set_seed(0)
    prompt = new_prompt(template, model, tokenizer)
    with attached(model, prompt):
        batch = batch_of(prompt, tokenizer)
        ours = loss_and_gradient(prompt, language_model_loss, model, batch)
        library = loss_and_gradient(prompt, lambda: model(**batch, use_cache=False).loss)
    torch.testing.assert_close(ours, library, rtol=1e-6, atol=1e-6, check_dtype=False)


@pytest.mark.parametrize("name", SHAPES)
def test_the_beginning_read_apart_changes_nothing(name, lm):
    tokenizer = lm[1]
    model = random_model(name).requires_grad_(False)
    prompt = new_prompt(BEGINNING + "{text}<P*3>{text}<P>", model, tokenizer)
    with attached(model, prompt):
        batch = batch_of(prompt, tokenizer)
        assert loss.frozen_columns(model, batch) > 20
        apart = loss_and_gradient(prompt, language_model_loss, model, batch)
        whole = loss_and_gradient(prompt, lambda: F.cross_entropy(*loss.target_logits(model, **batch)))
    torch.testing.assert_close(apart, whole, rtol=1e-5, atol=1e-5)


def test_no_target_is_lost_where_a_row_has_no_soft_token(lm):
    model, tokenizer = lm
    prompt = new_prompt("<shots>{text}<P></shots>" + BEGINNING + "{text}", model, tokenizer)
    rows = [ROWS[1], ROWS[1] | {"shots": [{"text": BEGINNING * 2}]}]
    with attached(model, prompt):
        batch = batch_of(prompt, tokenizer, rows, TARGETS[:2])
        soft = loss.first_soft_column(batch["input_ids"], 4096)
        assert soft > int((batch["labels"][0] != -100).nonzero()[0]) > loss.MIN_FROZEN
        ours = loss_and_gradient(prompt, language_model_loss, model, batch)
        library = loss_and_gradient(prompt, lambda: model(**batch, use_cache=False).loss)
    torch.testing.assert_close(ours, library, rtol=1e-5, atol=1e-5)


def test_weights_that_train_get_their_whole_gradient():
    model, tokenizer = load_lm("tiny-0.5m")  # nothing is frozen
    prompt = new_prompt(BEGINNING + "{text}<P>", model, tokenizer)
    gradients = []
    with attached(model, prompt):
        batch = batch_of(prompt, tokenizer)
        for function in (lambda: language_model_loss(model, batch), lambda: model(**batch).loss):
            model.zero_grad()
            function().backward()
            gradients.append({name: p.grad.clone() for name, p in model.named_parameters()})
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")  # of a library about the cache, which is not what is tested
def test_activation_checkpointing_does_not_lose_the_beginning():
    model, tokenizer = load_lm("tiny-0.5m")
    model.requires_grad_(False)
    prompt = new_prompt(BEGINNING + "{text}<P>", model, tokenizer)
    with attached(model, prompt):
        batch = batch_of(prompt, tokenizer)
        expected = loss_and_gradient(prompt, language_model_loss, model, batch)
        model.activation_checkpointing_enable()
        for module in model.modules():  # training, without dropout
            module.training = not isinstance(module, torch.nn.Dropout)
        found = loss_and_gradient(prompt, language_model_loss, model, batch)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("template", ["<P*3>{text}<P*2>", "{text}<P>", "слово " * 20 + "{text}<P>{text}"])
def test_loss_and_gradient_are_the_librarys(lm, template):
    model, tokenizer = lm
    set_seed(0)
    prompt = new_prompt(template, model, tokenizer)
    with attached(model, prompt):
        batch = batch_of(prompt, tokenizer)
        ours = loss_and_gradient(prompt, language_model_loss, model, batch)
        library = loss_and_gradient(prompt, lambda: model(**batch, use_cache=False).loss)
    torch.testing.assert_close(ours, library, rtol=1e-5, atol=1e-5)


def test_the_frozen_beginning_is_read_without_gradient(lm, monkeypatch):
    model, tokenizer = lm
    prompt = new_prompt("слово " * 20 + "{text}<P>", model, tokenizer)
    read = []
    forward = model.forward

    def watched(*args, **options):
        read.append((torch.is_grad_enabled(), options["input_ids"].shape[1]))
        return forward(*args, **options)

    monkeypatch.setattr(model, "forward", watched)
    with attached(model, prompt):
        batch = batch_of(prompt, tokenizer)
        language_model_loss(model, batch)
        first = loss.first_soft_column(batch["input_ids"], 4096)
    time = batch["input_ids"].shape[1]
    assert first > 20 and read == [(False, first), (True, time - first)]


def test_the_head_sees_the_predictors_alone(lm):
    model, tokenizer = lm
    prompt = new_prompt("{text}<P>", model, tokenizer)
    seen = []
    with (
        attached(model, prompt),
        model.get_output_embeddings().register_forward_hook(lambda _, args, out: seen.append(out.shape[:-1])),
    ):
        batch = batch_of(prompt, tokenizer)
        language_model_loss(model, batch)
    assert seen == [(1, int((batch["labels"] != -100).sum()))]


def test_label_words_are_compared_by_their_whole_logprob(lm):
    model, tokenizer = lm
    set_seed(0)
    prompt = new_prompt("<P>{text}<P>", model, tokenizer)
    words = [" весело", " грустно и долго"]
    with attached(model, prompt):
        rows = [row for row in ROWS for _ in words]
        batch = batch_of(prompt, tokenizer, rows, words * len(ROWS))
        value, gradient = loss_and_gradient(prompt, label_word_loss, model, batch, 2)

        def plainly():
            logprobs = model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits.log_softmax(
                -1
            )
            wanted = batch["labels"][:, 1:]
            each = logprobs[:, :-1].gather(-1, wanted.clamp(min=0)[..., None])[..., 0]
            scores = (each * (wanted != -100)).sum(1).view(-1, 2)
            return F.cross_entropy(scores, torch.zeros(len(ROWS), dtype=torch.long))

        expected, expected_gradient = loss_and_gradient(prompt, plainly)
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-4, atol=1e-5)


def test_choices_are_scored_by_scoring(lm):
    model, tokenizer = lm
    prompt = new_prompt("<P*2>{text}<P>", model, tokenizer)
    words = [" весело", " грустно"]
    with attached(model, prompt), torch.no_grad():
        found = choice_scores(model, tokenizer, prompt, ROWS, [words] * 3)
        for row, scores in zip(ROWS, found, strict=True):
            for text, score in zip(words, scores, strict=True):
                one = prompt.encode(tokenizer, row, text, end=False)
                ids = torch.tensor([one.ids])
                logprobs = model(ids).logits[0, -one.n_target - 1 : -1].log_softmax(-1)
                expected = logprobs[range(one.n_target), one.ids[-one.n_target :]].sum()
                assert score == pytest.approx(expected.item(), abs=1e-4)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_format_that_its_rows_fill(lm, name):
    model, tokenizer = lm
    task = load_task(name)
    split = "train" if "train" in task.data else "test"
    rows = task.data[split].to_list()[:3]
    prompt = new_prompt(FORMATS[name], model, tokenizer)
    with attached(model, prompt):
        encoded = examples(task, rows, prompt, tokenizer, max_tokens=512)
        assert len(encoded) == 3
        for row, (ids, labels) in zip(rows, encoded, strict=True):
            written = tokenizer.decode([i for i in labels if i != -100], skip_special_tokens=True)
            assert written == target(task, row) and target(task, row) in choices(task, row)
            assert len(ids) == len(labels) and sum(i >= 4096 for i in ids) == prompt.form.n_soft
            text = tokenizer.decode([i for i in ids if i < 4096], skip_special_tokens=True)
            assert all(str(fields(task, row)[field]) in text for field in prompt.form.fields)
        if name in RUSSIAN_SUPER_GLUE:
            over = examples(task, rows, prompt, tokenizer, over_labels=True, max_tokens=512)
            assert len(over) == sum(len(choices(task, row)) for row in rows)
            found = answers(model, tokenizer, task, prompt, rows)
            allowed = [row["entities"] if name == "rucos" else range(len(task.labels)) for row in rows]
            assert all(answer in some for answer, some in zip(found, allowed, strict=True))
        elif task.labels is None:
            with pytest.raises(ValueError, match="answered by writing"):
                answers(model, tokenizer, task, prompt, rows)


def test_the_decks_formats():
    assert FORMATS["muserc"] == "<SP:3>{paragraph}<SP:3>{question}<SP:3>{answer}<SP:3>"
    assert FORMATS["rcb"] == "<SP:3>{premise}<SP:3>{hypothesis}<SP:3>"
