"""PPO itself: it finds optima that are known, goes on after a kill, and stops when it must."""

import copy
import importlib
import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from course_lib.ppo import PPO, PPOConfig, formulas
from course_lib.ppo.trainer import mean_kl
from course_lib.rewards.model import reward_model, score

pytestmark = pytest.mark.usefixtures("one_thread")
VOCAB, EOS = 6, 0
SHAPE = {"vocab_size": VOCAB, "n_positions": 16, "n_embd": 16, "n_layer": 1, "n_head": 2}
STILL = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "eos_token_id": 0, "pad_token_id": 0}
STILL["bos_token_id"] = 0
QUICK = PPOConfig(
    n_iterations=6, batch_size=16, minibatch_size=8, n_epochs=1, max_new_tokens=4, save_every=2, seed=3
)


def policy(seed: int = 0) -> GPT2LMHeadModel:
    torch.manual_seed(seed)
    return GPT2LMHeadModel(GPT2Config(**SHAPE, **STILL)).eval()


def run(reward, config: PPOConfig, **options) -> PPO:
    model = policy()
    with torch.no_grad():
        model.transformer.wte.weight.mul_(4)  # a policy that has preferences
    value = reward_model(model)
    torch.nn.init.zeros_(value.score.weight)
    ppo = PPO(model, copy.deepcopy(model), value, reward, [[1], [2, 3]], config, eos_id=EOS, **options)
    return ppo


def even(examples) -> torch.Tensor:
    """Like even tokens, and not what else there is."""
    return torch.tensor([float(sum(t % 2 == 0 for t in tokens[:-1])) for _, tokens in examples])


# closed forms


def laws(model, prompt: list[int], n: int) -> dict[tuple[int, ...], float]:
    """Return the probability of every response of n tokens, or fewer with the end of text."""
    found = {}
    for length in range(1, n + 1):
        for tokens in itertools.product(range(VOCAB), repeat=length):
            if EOS in tokens[:-1] or (length < n and tokens[-1] != EOS):
                continue
            with torch.no_grad():
                logits = model(torch.tensor([[*prompt, *tokens]])).logits[0, len(prompt) - 1 : -1]
            each = logits.log_softmax(-1).gather(1, torch.tensor(tokens)[:, None])
            found[tokens] = float(each.sum().exp())
    return found


@pytest.mark.parametrize("length", [1, 3], ids=["a bandit", "a chain"])
def test_it_finds_the_optimal_policy_of_the_regularised_objective(length):
    """π*(y|x) ∝ π_ref(y|x) exp(r(x, y)/β)"""
    source = torch.Generator().manual_seed(length)
    taste = torch.randn(VOCAB, generator=source)

    def reward(examples):
        return torch.stack([taste[tokens].sum() for _, tokens in examples])

    config = PPOConfig(
        n_iterations=60,
        batch_size=256,
        minibatch_size=128,
        n_epochs=2,
        max_new_tokens=length,
        learning_rate=1e-2,
        value_learning_rate=1e-2,
        value_epsilon=10.0,
        beta=0.5,
        missing_eos_penalty=0.0,
        lam=1.0,
    )
    ppo = run(reward, config)
    ppo.train(progress=False)
    for prompt in ppo.prompts:
        ref, found = (laws(model, prompt, length) for model in (ppo.reference, ppo.both.policy))
        weights = {y: p * float((taste[list(y)].sum() / config.beta).exp()) for y, p in ref.items()}
        optimal = {y: w / sum(weights.values()) for y, w in weights.items()}
        assert sum(found.values()) == pytest.approx(1, abs=1e-4)
        distance = sum(abs(found[y] - optimal[y]) for y in optimal) / 2
        moved = sum(abs(ref[y] - optimal[y]) for y in optimal) / 2
        assert moved > 0.2 and distance < 0.1 * moved + 0.02


def test_without_penalty_it_finds_the_best_response():
    config = PPOConfig(
        n_iterations=60,
        batch_size=128,
        minibatch_size=64,
        max_new_tokens=3,
        learning_rate=1e-2,
        value_learning_rate=1e-2,
        beta=0.0,
        missing_eos_penalty=0.0,
    )
    ppo = run(lambda examples: torch.tensor([float(t == [4, 2, 0]) for _, t in examples]), config)
    assert ppo.train(progress=False)[-1]["score"] > 0.95


# what is measured and kept


def test_a_run_says_what_happened_in_it():
    ppo = run(even, QUICK)
    history = ppo.train(progress=False)
    assert len(history) == QUICK.n_iterations
    assert history[0]["kl"] == pytest.approx(0, abs=1e-5)
    first = history[0]
    assert first["objective"] == pytest.approx(first["score"] - QUICK.beta * first["kl"])
    names = "policy_loss value_loss entropy clip_fraction approx_kl ratio explained_variance length ended"
    assert set(names.split()) <= set(first)


def test_each_prompt_comes_once_before_one_comes_again():
    ppo = run(even, QUICK)
    ppo.prompts = [[1]] * 40
    seen = [number for iteration in range(5) for number in ppo.batch_of_prompts(iteration)]
    assert sorted(seen[:40]) == list(range(40)) and sorted(seen[40:80]) == list(range(40))
    assert seen[:40] != seen[40:80]
    ppo.batch_of_prompts(4)
    assert ppo.batch_of_prompts(0) == seen[:16]  # whatever was asked before


def test_the_pretraining_term_holds_the_policy_to_its_text():
    text = torch.tensor([[1, 2, 3, 4, 5, 1, 2, 3, 4, 5]] * 8)

    def cost(ppo):
        with torch.no_grad():
            return float(ppo.both.policy(input_ids=text, labels=text).loss)

    steps = {"n_iterations": 15, "learning_rate": 1e-2, "beta": 0.0}
    plain = run(even, PPOConfig(**{**vars(QUICK), **steps}))
    mixed = run(even, PPOConfig(**{**vars(QUICK), **steps, "ptx": 1.0}), pretraining=text)
    before = cost(plain)
    assert "ptx_loss" not in plain.train(progress=False)[0]
    losses, _ = mixed.losses(mixed.estimate(mixed.collect(0)), text)
    assert losses["ptx_loss"].item() == pytest.approx(before, abs=1e-5)
    assert "ptx_loss" in mixed.train(progress=False)[0]
    assert cost(mixed) < cost(plain) - 0.5 and cost(mixed) < before


@pytest.mark.parametrize(("target", "grows"), [(1e-4, True), (50.0, False)])
def test_the_price_follows_the_divergence_from_iteration_to_iteration(target, grows):
    settings = {**vars(QUICK), "n_iterations": 10, "learning_rate": 1e-2, "target_kl": target}
    ppo = run(even, PPOConfig(**settings))
    history = ppo.train(progress=False)
    for last, this in itertools.pairwise([*history, {"beta": ppo.beta}]):
        expected = formulas.adapted_beta(last["beta"], last["kl"], target, QUICK.batch_size)
        assert this["beta"] == pytest.approx(expected)
    for each in history:  # and it is the price that the objective is paid with
        assert each["objective"] == pytest.approx(each["score"] - each["beta"] * each["kl"])
    assert (history[-1]["beta"] > history[1]["beta"]) == grows


def test_the_divergence_is_measured_as_in_the_loop():
    ppo = run(even, QUICK)
    ppo.train(progress=False)
    responses = ppo.collect(5)
    batch = ppo.estimate(responses)
    measured = ppo.measure(responses, batch)["kl"]
    examples = [(each.prompt, each.tokens) for each in responses]
    assert mean_kl(ppo.both.policy, ppo.reference, examples) == pytest.approx(measured, abs=1e-4)


# details


def test_the_table_of_details_points_at_code_and_tests(root):
    from course_lib.ppo.details import DETAILS

    assert len(DETAILS) >= 25
    for detail in DETAILS:
        *module, name = detail.where.split(".")
        assert hasattr(importlib.import_module(".".join(["course_lib", *module])), name), detail.where
        file, test = detail.test.split("::")
        assert f"def {test}(" in (root / "tests" / file).read_text(encoding="utf-8"), detail.test


def test_dropout_is_off_and_the_first_ratio_is_one():
    config = GPT2Config(**SHAPE, **{**STILL, "resid_pdrop": 0.5, "embd_pdrop": 0.5})
    model = GPT2LMHeadModel(config).train()
    ppo = PPO(model, copy.deepcopy(model), reward_model(model), even, [[1]], QUICK, eos_id=EOS)
    batch = ppo.estimate(ppo.collect(0))
    _, watched = ppo.losses(batch, None)
    assert float(watched["ratio"]) == pytest.approx(1, abs=1e-5) and watched["clip_fraction"] == 0


def test_another_trainers_half_precision_does_not_reach_it():
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()
    try:
        Accelerator(cpu=True, mixed_precision="bf16")  # as a Trainer with bf16 leaves it to the process
        ppo = run(even, QUICK)
        _, watched = ppo.losses(ppo.estimate(ppo.collect(0)), None)
        assert ppo.accelerator.mixed_precision == "bf16"
        assert float(watched["ratio"]) == pytest.approx(1, abs=1e-5)
    finally:
        AcceleratorState._reset_state()


def test_the_value_function_begins_as_the_reward_model():
    judge = reward_model(policy(), seed=5)

    def reward(examples):
        return score(judge, examples)

    model = policy()
    ppo = PPO(model, copy.deepcopy(model), copy.deepcopy(judge), reward, [[1], [2, 3]], QUICK, eos_id=EOS)
    for response in ppo.collect(0):
        # the value before the last token is the reward of the text without it
        if len(response.tokens) > 1:
            [without] = score(judge, [(response.prompt, response.tokens[:-1])])
            assert float(response.values[-1]) == pytest.approx(float(without), abs=1e-5)


def test_returns_are_computed_before_advantages_are_whitened():
    ppo = run(even, QUICK)
    batch = ppo.estimate(ppo.collect(0))
    kl = formulas.kl_penalty(batch.logprobs, batch.ref_logprobs)
    rewards = formulas.token_rewards(batch.scores, kl, batch.mask, QUICK.beta)
    plain, returns = formulas.gae(rewards, batch.values, batch.mask, QUICK.gamma, QUICK.lam)
    torch.testing.assert_close(batch.returns, returns)
    torch.testing.assert_close(batch.advantages, formulas.whiten(plain, batch.mask))


def test_adam_is_set_as_in_the_literature():
    ppo = run(even, QUICK)
    assert all(group["eps"] == 1e-5 for group in ppo.optimizer.param_groups)
    rates, norms = [], []
    step, clip = ppo.optimizer.step, ppo.accelerator.clip_grad_norm_

    def watched_step(*args, **options):
        rates.append([group["lr"] for group in ppo.optimizer.param_groups])
        return step(*args, **options)

    def watched_clip(parameters, norm):
        parameters = list(parameters)
        found = clip(parameters, norm)
        norms.append(torch.stack([p.grad.norm() for p in parameters if p.grad is not None]).norm())
        return found

    ppo.optimizer.step, ppo.accelerator.clip_grad_norm_ = watched_step, watched_clip
    ppo.train(progress=False)
    a_round = QUICK.batch_size // QUICK.minibatch_size
    expected = [QUICK.learning_rate * (1 - i / QUICK.n_iterations) for i in range(QUICK.n_iterations)]
    assert [rate for rate, _ in rates[::a_round]] == pytest.approx(expected)
    assert max(norms) <= QUICK.max_norm + 1e-4


def test_every_response_is_learned_from_once_an_epoch():
    ppo = run(even, PPOConfig(**{**vars(QUICK), "n_epochs": 3}))
    batch = ppo.estimate(ppo.collect(0))
    batch.scores = torch.arange(QUICK.batch_size, dtype=torch.float32)
    seen, losses = [], ppo.losses

    def watched(mine, ptx_ids):
        seen.append(mine.scores.tolist())
        return losses(mine, ptx_ids)

    ppo.losses = watched
    ppo.learn(batch, 0)
    flat = [number for rows in seen for number in rows]
    n = QUICK.batch_size
    epochs = [flat[start : start + n] for start in range(0, 3 * n, n)]
    assert all(sorted(epoch) == list(range(n)) for epoch in epochs)
    assert epochs[0] != epochs[1] and epochs[1] != epochs[2]


# trouble


def test_a_reward_that_is_no_number_is_named():
    ppo = run(lambda examples: torch.full((len(examples),), float("nan")), QUICK)
    with pytest.raises(ValueError, match="In iteration 0 the reward of response 0 is nan"):
        ppo.train(progress=False)


def test_a_divergence_that_runs_away_stops_the_run_and_the_best_policy_is_kept():
    wild = {**vars(QUICK), "learning_rate": 0.1, "beta": 0.0, "max_kl": 1.0, "n_iterations": 40}
    ppo = run(even, PPOConfig(**wild))
    before = copy.deepcopy(ppo.both.policy.state_dict())
    history = ppo.train(progress=False)
    assert len(history) < 40 and history[-1]["kl"] > 1.0
    assert f"Stopped in iteration {len(history)}: the divergence is" in ppo.stopped
    assert "1 was the most allowed" in ppo.stopped and "best one before" in ppo.stopped
    allowed = [each for each in history if each["kl"] <= 1.0]
    assert allowed
    responses = ppo.collect(0)
    assert ppo.measure(responses, ppo.estimate(responses))["kl"] <= 1.5
    if max(allowed, key=lambda each: each["objective"]) is history[0]:
        after = ppo.both.policy.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in before)


def test_responses_that_do_not_end_cost_the_penalty():
    class Never(GPT2LMHeadModel):
        def forward(self, *args, **options):
            found = super().forward(*args, **options)
            found.logits[..., EOS] = -1e4
            return found

    torch.manual_seed(0)
    model = Never(GPT2Config(**SHAPE, **STILL)).eval()
    zero = lambda examples: torch.zeros(len(examples))  # noqa: E731
    ppo = PPO(model, copy.deepcopy(model), reward_model(model), zero, [[1]], QUICK, eos_id=EOS)
    first = ppo.train(progress=False)[0]
    assert first["ended"] == 0 and first["score"] == -1 and first["length"] == 4


def test_responses_of_no_words_are_learned_from_too():
    ppo = run(lambda examples: torch.tensor([float(len(t) == 1) for _, t in examples]), QUICK)
    config = {**vars(QUICK), "n_iterations": 40, "learning_rate": 1e-2, "beta": 0.0, "batch_size": 32}
    ppo = run(lambda examples: torch.tensor([float(t == [EOS]) for _, t in examples]), PPOConfig(**config))
    history = ppo.train(progress=False)
    assert history[-1]["length"] < 1.3 and history[-1]["score"] > 0.8
    assert all(each["policy_loss"] == each["policy_loss"] for each in history)


def test_bad_settings_are_refused_before_any_work():
    model = policy()
    arguments = (reward_model(model), even, [[1]])
    with pytest.raises(ValueError, match="batch of 10 cannot be cut into minibatches of 4"):
        PPOConfig(batch_size=10, minibatch_size=4)
    with pytest.raises(ValueError, match="no estimator 'k9'"):
        PPOConfig(estimator="k9")
    with pytest.raises(ValueError, match="must be a copy of the policy"):
        PPO(model, model, *arguments, QUICK, eos_id=0)
    with pytest.raises(ValueError, match="no prompts"):
        PPO(model, policy(), *arguments[:2], [], QUICK, eos_id=0)
    with pytest.raises(ValueError, match=r"ptx is 0\.5: give the text"):
        PPO(model, policy(), *arguments, PPOConfig(ptx=0.5), eos_id=0)


# checkpoints and processes

SCRIPT = """
import json, sys, time
sys.path.insert(0, {root!r})
import torch
torch.set_num_threads(1)
from tests.test_ppo import QUICK, even, run
from course_lib.ppo import PPOConfig
folder, resume, slow = sys.argv[1], sys.argv[2] == "resume", float(sys.argv[3])
def reward(examples):
    time.sleep(slow)
    return even(examples)
text = torch.arange(96).view(8, 12) % 6
ppo = run(reward, PPOConfig(**{{**vars(QUICK), "ptx": 0.5}}), pretraining=text, folder=folder)
history = ppo.train(resume=resume, progress=False)
state = {{name: each.double().sum().item() for name, each in ppo.both.state_dict().items()}}
if ppo.accelerator.is_main_process:
    json.dump({{"history": history, "state": state}}, open(folder + "/told.json", "w"))
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory, root) -> Path:
    path = tmp_path_factory.mktemp("ppo") / "script.py"
    path.write_text(SCRIPT.format(root=str(root)))
    return path


def told(script: Path, folder: Path, resume: str = "anew", launcher: tuple[str, ...] = ()) -> dict:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, *launcher, str(script), str(folder), resume, "0"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads((folder / "told.json").read_text())


@pytest.fixture(scope="module")
def whole(script, tmp_path_factory) -> dict:
    return told(script, tmp_path_factory.mktemp("whole"))


def test_a_run_killed_at_any_moment_goes_on_to_the_same_result(script, whole, tmp_path):
    command = [sys.executable, str(script), str(tmp_path), "anew", "0.3"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 120
        while not list(tmp_path.glob("checkpoint-*")) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert next(tmp_path.glob("checkpoint-*")).name in ("checkpoint-2", "checkpoint-4")
    again = told(script, tmp_path, "resume")
    assert again == whole


def test_two_processes_give_the_result_of_one(script, whole, tmp_path):
    launcher = ("-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1")
    settings = ("--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0")
    both = told(script, tmp_path / "two", launcher=(*launcher, *settings))
    for ours, theirs in zip(whole["history"], both["history"], strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert theirs[name] == pytest.approx(ours[name], rel=1e-4, abs=1e-4), name
    for name, total in whole["state"].items():
        assert both["state"][name] == pytest.approx(total, rel=1e-3, abs=1e-3), name


def test_there_must_be_something_to_resume_and_of_the_same_run(tmp_path):
    with pytest.raises(ValueError, match="no checkpoint in"):
        run(even, QUICK, folder=tmp_path).train(resume=True, progress=False)
    run(even, QUICK, folder=tmp_path).train(progress=False)
    other = PPOConfig(**{**vars(QUICK), "beta": 0.2})
    with pytest.raises(ValueError, match=r"is of a run with beta=0\.05, and this one has 0\.2"):
        run(even, other, folder=tmp_path).train(resume=True, progress=False)
    finished = run(even, QUICK, folder=tmp_path).train(resume=True, progress=False)
    assert len(finished) == QUICK.n_iterations
