"""Prompt tuning and its rivals: all learn, none changes the shared model; PEFT's are a case of ours."""

import warnings

import pytest
import torch
from transformers import set_seed

from course_lib.models import load_lm
from course_lib.prompts import attached, choice_scores, new_prompt
from course_lib.prompts.encoding import encode
from course_lib.prompts.format import PromptFormat
from course_lib.prompts.loss import collate, language_model_loss
from course_lib.prompts.methods import METHODS, prepare, with_peft
from course_lib.prompts.tasks import choices, fields
from course_lib.tasks import load_task
from course_lib.tasks.metrics import evaluate

TEXTS = [("Мама мыла раму", " весело"), ("Да", " грустно"), ("Кот спит на тёплой печке", " никак")]


@pytest.fixture(scope="module")
def lm():
    return load_lm("tiny-0.5m")


@pytest.mark.parametrize("name", METHODS)
def test_it_learns_and_leaves_the_shared_model_alone(lm, name, tmp_path):
    model, tokenizer = lm
    task = load_task("tweets")
    rows = task.data["train"].to_list()[:16]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    set_seed(1)
    method = prepare(name, task, model, tokenizer)
    history = method.tune(rows, rows[:8], folder=tmp_path, max_steps=24, eval_steps=12, logging_steps=4)
    if name == "zero-shot":
        assert history is None and method.n_trained == 0
    else:
        assert history.losses[-1] < history.losses[0] and history.best_step in (12, 24)
        assert method.n_trained > 0
    answers = method.answers(rows)
    assert len(answers) == 16 and set(answers) <= {0, 1}
    method.close()
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("name", ["prompt, tensor", "prefix-tuning", "fine-tuning"])
def test_over_the_label_words_and_over_choices_that_are_texts(lm, name, tmp_path):
    task = load_task("rucos")
    rows = task.data["train"].to_list()[:8]
    method = prepare(name, task, *lm, max_tokens=300)
    options = {"folder": tmp_path, "max_steps": 4, "per_device_train_batch_size": 2, "logging_steps": 1}
    history = method.tune(rows, over_labels=True, **options)
    assert 0 < history.losses[0] < 20
    answers = method.answers(rows)
    method.close()
    assert all(answer in row["entities"] for answer, row in zip(answers, rows, strict=True))
    assert set(evaluate(task, answers + [""] * 592, "train")) == set(task.metrics)


def test_numbers_trained_and_kept(lm):
    task, dim = load_task("tweets"), lm[0].config.n_embd
    counts = {}
    for name in METHODS:
        method = prepare(name, task, *lm, n_soft=20)
        counts[name] = (method.n_trained, method.n_served)
        method.close()
    assert counts["prompt, tensor"] == (6 * dim, 6 * dim)
    assert counts["prompt, lstm"][1] == counts["prompt, mlp"][1] == 6 * dim < counts["prompt, mlp"][0]
    assert counts["prompt tuning"] == (20 * dim, 20 * dim) and counts["p-tuning"][1] == 20 * dim
    assert counts["prefix-tuning"] == (20 * dim * 2 * lm[0].config.n_layer,) * 2
    assert counts["fine-tuning"] == (lm[0].num_parameters(),) * 2


def test_plain_reading_scores_as_scoring_does(lm):
    """A rival's choices are scored by reading each text alone; ours share what they begin with."""
    task = load_task("terra")
    rows = task.data["validation"].to_list()[:6]
    ours = prepare("prompt, tensor", task, *lm)
    shown, texts = [fields(task, row) for row in rows], [choices(task, row) for row in rows]
    shared = choice_scores(*lm, ours.prompt, shown, texts)
    plain = ours.scores(rows, batch_size=4)
    ours.close()
    for a, b in zip(shared, plain, strict=True):
        assert a == pytest.approx(b, abs=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_writes_and_a_batch_changes_nothing(lm, name):
    task = load_task("detox")
    rows = task.data["validation"].to_list()[:3]
    set_seed(1)
    method = prepare(name, task, *lm)
    texts = method.write(rows, 8)
    assert texts == method.write(rows, 8, batch_size=1) and len(texts) == 3
    method.close()
    if name in ("zero-shot", "lora", "fine-tuning"):  # untrained: the model itself, by the library's own way
        asked = lm[1](task.prompt(rows[0]), return_tensors="pt")
        ids = lm[0].generate(**asked, max_new_tokens=8, do_sample=False, pad_token_id=lm[1].pad_token_id)
        written = lm[1].decode(ids[0, asked["input_ids"].shape[1] :], skip_special_tokens=True)
        assert texts[0] == written


def peft_batch(tokenizer):
    form = PromptFormat.parse("{text}")
    encoded = [encode(form, tokenizer, {"text": text}, 4096, target) for text, target in TEXTS]
    return collate([(one.ids, one.labels) for one in encoded], 0)


def test_prompt_tuning_in_front_is_pefts(lm):
    """Equal loss and gradient on the same batch, and equal prompts after some steps of AdamW."""
    model, tokenizer = lm
    set_seed(0)
    theirs = with_peft("prompt tuning", model, 8, 8)
    rows = theirs.get_prompt(1)[0].detach().clone()
    ours = new_prompt("<P*8>{text}", model, tokenizer)
    ours.provider.begin_as(rows)
    their_rows = theirs.prompt_encoder["default"].embedding.weight
    optimizers = [torch.optim.AdamW([p], lr=0.01) for p in (ours.provider.rows, their_rows)]
    batch = peft_batch(tokenizer)
    for _ in range(5):
        for optimizer in optimizers:
            optimizer.zero_grad()
        with attached(model, ours):
            encoded = [ours.encode(tokenizer, {"text": text}, target) for text, target in TEXTS]
            mine = language_model_loss(model, collate([(one.ids, one.labels) for one in encoded], 0))
            mine.backward()
        yours = theirs(**batch).loss
        yours.backward()
        torch.testing.assert_close(mine, yours, rtol=0, atol=1e-5)
        torch.testing.assert_close(ours.provider.rows.grad, their_rows.grad, rtol=0, atol=1e-5)
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(ours.provider.rows, their_rows, rtol=0, atol=1e-4)
    model.requires_grad_(True)


@pytest.mark.parametrize("name", ["prompt tuning", "p-tuning", "prefix-tuning"])
def test_our_loss_reads_pefts_models(lm, name):
    model, tokenizer = lm
    set_seed(0)
    theirs = with_peft(name, model, 8, 8)
    batch = peft_batch(tokenizer)
    torch.testing.assert_close(language_model_loss(theirs, batch), theirs(**batch).loss, rtol=0, atol=1e-5)
    model.requires_grad_(True)


def test_a_p_tuned_prompt_can_be_taken_over():
    model, tokenizer = load_lm("tiny-0.5m", dtype="float64")  # all that rounds is their encoder
    theirs = with_peft("p-tuning", model, 5, 8)
    ours = new_prompt("<P*5>{text}", model, tokenizer)
    ours.provider.begin_as(theirs.get_prompt_embedding_to_save("default"))
    ids = torch.tensor([tokenizer("Мама мыла раму")["input_ids"]])
    with torch.no_grad():
        expected = theirs(input_ids=ids).logits[0, 5:]
        with attached(model, ours):
            soft = torch.tensor([ours.encode(tokenizer, {"text": "Мама мыла раму"}).ids])
            torch.testing.assert_close(model(soft).logits[0, 5:], expected, rtol=0, atol=1e-6)


def test_no_warnings_from_the_library(lm):
    for name in ("prompt tuning", "lora"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            prepare(name, load_task("tweets"), *lm).close()


def test_unknown_method(lm):
    with pytest.raises(
        ValueError, match="There is no method 'adapters': choose one of zero-shot, prompt, tensor"
    ):
        prepare("adapters", load_task("tweets"), *lm)
