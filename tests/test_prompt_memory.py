"""What a training step keeps in memory: counted, and in the order that the methods promise."""

import pytest

from course_lib.models import load_lm
from course_lib.prompts.memory import training_bytes
from course_lib.prompts.methods import prepare
from course_lib.tasks import load_task


@pytest.fixture(scope="module")
def counted():
    model, tokenizer = load_lm("tiny-0.5m")
    task = load_task("tweets")
    found = {}
    for name in ("prompt, tensor", "prompt, lstm", "lora", "fine-tuning"):
        method = prepare(name, task, model, tokenizer)
        rows = task.data["train"].to_list()
        found[name] = [training_bytes(method, rows[:n]) for n in (4, 8)]
        found[name].append(method.n_trained)
        method.close()
        assert all(parameter.requires_grad for parameter in model.parameters())
    return model, found


def test_weights_and_optimiser_are_counted(counted):
    model, found = counted
    for name, (few, many, n_trained) in found.items():
        assert few["gradients and Adam"] == many["gradients and Adam"] == n_trained * 12
        assert few["weights"] >= model.num_parameters() * 4, name


def test_a_prompt_saves_a_part_of_the_activations(counted):
    _, found = counted
    activations = {name: many["activations"] for name, (_, many, _) in found.items()}
    assert activations["prompt, tensor"] < activations["prompt, lstm"]
    assert activations["prompt, tensor"] < activations["fine-tuning"]


def test_activations_grow_with_the_batch(counted):
    for few, many, _ in counted[1].values():
        assert many["activations"] > 1.3 * few["activations"]
