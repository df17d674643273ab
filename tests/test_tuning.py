"""Tuning: it learns, keeps the best, goes on after a kill to the same result, and stops at a NaN."""

import pytest
import torch
from transformers import TrainerCallback, set_seed

from course_lib.models import load_lm
from course_lib.prompts import attached, new_prompt, tune

TRAIN = [{"text": text} for text in ("мама", "папа", "кот", "пёс", "дом", "сад", "река", "лес")] * 4
OPTIONS = {"learning_rate": 0.05, "logging_steps": 1, "per_device_train_batch_size": 4}


@pytest.fixture
def setting(tmp_path):
    """A model with a prompt, and examples that all have one answer."""
    model, tokenizer = load_lm("tiny-0.5m")
    set_seed(0)
    prompt = new_prompt("<P*4>{text}<P>", model, tokenizer)
    with attached(model, prompt):
        encoded = [prompt.encode(tokenizer, row, " Да") for row in TRAIN]
        yield model, prompt, [(one.ids, one.labels) for one in encoded], tmp_path


class Kill(TrainerCallback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **_):
        if state.global_step == self.step:
            raise KeyboardInterrupt


def test_it_learns_and_the_model_stays(setting):
    model, prompt, train, folder = setting
    before = {key: value.clone() for key, value in model.state_dict().items()}
    history = tune(prompt, model, train, folder=folder, max_steps=20, **OPTIONS)
    assert history.steps == list(range(1, 21)) and history.losses[-1] < 0.3 * history.losses[0]
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert not list(folder.iterdir())  # no checkpoint without held-out examples


def test_the_best_state_is_taken_back(setting):
    model, prompt, train, folder = setting
    seen = {}

    class Watch(TrainerCallback):
        def on_evaluate(self, args, state, control, metrics, **_):
            seen[state.global_step] = (metrics["eval_loss"], prompt().detach().clone())

    options = OPTIONS | {"learning_rate": 1.0, "lr_scheduler_type": "constant", "warmup_steps": 0}
    history = tune(
        prompt, model, train, train[:8], folder, max_steps=12, eval_steps=2, callbacks=[Watch()], **options
    )
    best = min(seen, key=lambda step: seen[step][0])
    assert history.best_step == best and history.eval_steps == list(range(2, 13, 2))
    torch.testing.assert_close(prompt(), seen[best][1], rtol=0, atol=0)


def test_it_stops_early(setting):
    model, prompt, train, folder = setting
    options = OPTIONS | {"learning_rate": 0.0}
    history = tune(prompt, model, train, train[:8], folder, max_steps=50, eval_steps=2, patience=2, **options)
    assert history.eval_steps == [2, 4, 6]


@pytest.mark.parametrize("sampling", ["group_by_length", "random"])
@pytest.mark.parametrize("provider", ["tensor", "lstm"])
@pytest.mark.parametrize("killed_at", [3, 7], ids=["first epoch", "second epoch"])
def test_a_killed_run_goes_on_to_the_same_result(tmp_path, killed_at, provider, sampling):
    results = []
    for kill in (False, True):
        model, tokenizer = load_lm("tiny-0.5m")
        set_seed(0)
        prompt = new_prompt("<P*4>{text}<P>", model, tokenizer, provider)
        options = OPTIONS | {"max_steps": 10, "eval_steps": 2, "learning_rate": 0.01}
        options |= {"train_sampling_strategy": sampling}
        folder = tmp_path / str(kill)
        with attached(model, prompt):
            encoded = [prompt.encode(tokenizer, row, " Да") for row in TRAIN[:16]]  # four steps an epoch
            train = [(one.ids, one.labels) for one in encoded]
            if kill:
                with pytest.raises(KeyboardInterrupt):
                    tune(prompt, model, train, train[:4], folder, callbacks=[Kill(killed_at)], **options)
                set_seed(7)
                fresh = new_prompt("<P*4>{text}<P>", model, tokenizer, provider)  # of a new process
                prompt.load_state_dict(fresh.state_dict())
            history = tune(prompt, model, train, train[:4], folder, resume=kill, **options)
        results.append((prompt().detach(), history.eval_losses))
    torch.testing.assert_close(results[1][0], results[0][0], rtol=0, atol=1e-6)
    assert results[1][1] == pytest.approx(results[0][1], abs=1e-6)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_best(setting):
    model, prompt, train, folder = setting

    class Poison(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step == 5:
                with torch.no_grad():
                    prompt.provider.rows.fill_(float("nan"))

    with pytest.raises(
        ValueError, match=r"step 6 the loss is nan: lower the learning rate. The state of step 4"
    ):
        tune(
            prompt,
            model,
            train,
            train[:4],
            folder,
            max_steps=20,
            eval_steps=2,
            callbacks=[Poison()],
            **OPTIONS,
        )
    assert prompt().isfinite().all()
    assert all(p.requires_grad for p in model.parameters())


def test_a_step_that_is_far_too_long_is_told(setting):
    model, prompt, train, folder = setting
    options = OPTIONS | {"learning_rate": 1e30, "lr_scheduler_type": "constant", "warmup_steps": 0}
    with pytest.raises(ValueError, match=r"^At step \d+ the (eval_)?loss is nan: lower the learning rate\."):
        tune(prompt, model, train, train[:4], folder, max_steps=6, eval_steps=1, **options)
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_an_evaluation_that_is_no_number_is_never_the_best(setting):
    model, prompt, train, folder = setting

    class Poison(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            with torch.no_grad():
                prompt.provider.rows.fill_(float("nan"))

    with pytest.raises(ValueError, match=r"step 1 the .*loss is nan.*rate\.$"):
        tune(
            prompt,
            model,
            train,
            train[:4],
            folder,
            max_steps=4,
            eval_steps=1,
            callbacks=[Poison()],
            **OPTIONS,
        )


def test_a_folder_of_another_run_is_refused(setting):
    model, prompt, train, folder = setting
    options = OPTIONS | {"max_steps": 2, "eval_steps": 2}
    tune(prompt, model, train, train[:4], folder, **options)
    with pytest.raises(ValueError, match="holds another run's checkpoints: resume it, or name a new folder"):
        tune(prompt, model, train, train[:4], folder, **options)


def test_resuming_where_nothing_is_starts_at_the_beginning(setting):
    model, prompt, train, folder = setting
    history = tune(prompt, model, train, train[:4], folder / "new", max_steps=2, resume=True, **OPTIONS)
    assert history.steps == [1, 2]


@pytest.mark.parametrize("frozen", ["transformer.wte.weight", "transformer.ln_f.weight"])
def test_weights_are_as_trainable_as_before_whatever_happens(setting, frozen):
    model, prompt, train, folder = setting
    model.get_parameter(frozen).requires_grad_(False)
    for kill in (Kill(1), Kill(99)):
        try:
            tune(prompt, model, train, folder=folder, max_steps=2, callbacks=[kill], **OPTIONS)
        except KeyboardInterrupt:
            assert kill.step == 1
        needed = {name for name, p in model.named_parameters() if not p.requires_grad}
        assert needed == {frozen} and all(p.grad is None for p in model.parameters())


def test_bad_input(setting):
    model, prompt, train, folder = setting
    with pytest.raises(ValueError, match="no examples to train on"):
        tune(prompt, model, [], folder=folder)
    with pytest.raises(ValueError, match="resumed from the folder of its checkpoints: name it"):
        tune(prompt, model, train, resume=True)
    with pytest.raises(ValueError, match="know no lerning_rate"):
        tune(prompt, model, train, folder=folder, lerning_rate=1)
    with pytest.raises(ValueError, match=r"call model\.gradient_checkpointing_enable"):
        tune(prompt, model, train, folder=folder, gradient_checkpointing=True)
    with pytest.raises(ValueError, match="is damaged"):
        tune(prompt, model, train, train[:4], folder, max_steps=2, eval_steps=1, **OPTIONS)
        (folder / "checkpoint-2" / "model.safetensors").write_bytes(b"cut")
        tune(prompt, model, train, train[:4], folder, max_steps=4, eval_steps=1, resume=True, **OPTIONS)
