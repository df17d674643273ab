"""The loop: sample, score, estimate advantages, take some steps; over and over.

Slides "Optimize a policy against the reward model using reinforcement learning" and "InstructGPT training":

    objective(φ) = E_{(x,y)∼D_π}[ r_θ(x, y) − β log(π_RL(y|x) / π_SFT(y|x)) ]
                   + γ E_{x∼D_pretrain}[ log π_RL(x) ]

Four models: the policy π_RL and its value function, which learn; the reference π_SFT and the reward r_θ,
which do not. Every number of chance follows from the seed and the iteration, so that a run that was killed
goes on as it would have, and as many processes as there are do the same as one.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn
from tqdm.auto import tqdm
from transformers import PreTrainedModel

from course_lib.checkpointing import newest_checkpoint
from course_lib.logits import logits_at
from course_lib.ppo import formulas
from course_lib.ppo.experience import Example, Experience, Response, collate, spread
from course_lib.ppo.rollout import sample, uniforms
from course_lib.rewards.model import token_values

Reward = Callable[[list[Example]], Tensor]


@dataclass(frozen=True)
class PPOConfig:
    """What a run is set to.

    Attributes:
        n_iterations: of sampling and learning.
        batch_size: responses an iteration.
        minibatch_size: responses a step.
        n_epochs: how often the responses of an iteration are learned from.
        max_new_tokens: of a response.
        temperature: of sampling, and of all log-probabilities.
        learning_rate, value_learning_rate: of Adam; both fall linearly to 0.
        beta: weight of the divergence from the reference.
        target_kl: nats a response that β is adapted to; None keeps β.
        estimator: of the divergence, see `formulas.kl_penalty`.
        epsilon, value_epsilon: how far ratio and value may move.
        value_weight: of the value loss.
        gamma, lam: of the advantages.
        ptx: γ of the deck's objective, the weight of the pretraining loss.
        missing_eos_penalty: taken from the score of a response that did not end.
        whiten_rewards: divides rewards by their spread, the mean kept.
        max_norm: to which gradients are clipped.
        adam_epsilon: of Adam.
        max_kl: nats a response at which a run is stopped; None lets it run away.
        save_every: iterations between checkpoints.
        seed: of prompts, sampling and order.
    """

    n_iterations: int = 50
    batch_size: int = 64
    minibatch_size: int = 16
    n_epochs: int = 2
    max_new_tokens: int = 40
    temperature: float = 1.0
    learning_rate: float = 1e-4
    value_learning_rate: float = 1e-4
    beta: float = 0.05
    target_kl: float | None = None
    estimator: str = "k1"
    epsilon: float = 0.2
    value_epsilon: float = 0.2
    value_weight: float = 0.5
    gamma: float = 1.0
    lam: float = 0.95
    ptx: float = 0.0
    missing_eos_penalty: float = 1.0
    whiten_rewards: bool = False
    max_norm: float = 1.0
    adam_epsilon: float = 1e-5
    max_kl: float | None = None
    save_every: int = 10
    seed: int = 1

    def __post_init__(self) -> None:
        if self.batch_size % self.minibatch_size:
            raise ValueError(
                f"A batch of {self.batch_size} cannot be cut into minibatches of {self.minibatch_size}."
            )
        if self.estimator not in formulas.ESTIMATORS:
            raise ValueError(f"There is no estimator {self.estimator!r}: {', '.join(formulas.ESTIMATORS)}.")


class ActorCritic(nn.Module):
    """The two models that learn, in one module, as Accelerate wants it."""

    def __init__(self, policy: PreTrainedModel, value_model: PreTrainedModel) -> None:
        super().__init__()
        self.policy, self.value_model = policy, value_model

    def forward(
        self, batch: Experience, temperature: float, ptx_ids: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Return log-probabilities, values and entropies (batch, response), and the pretraining loss.

        In the arithmetic of sampling, whatever Accelerate has been told before in this process: or the ratio
        of a policy to itself would not be 1.
        """
        with torch.autocast(batch.input_ids.device.type, enabled=False):
            logprobs, entropies = response_logprobs(self.policy, batch, temperature)
            values = spread(response_values(self.value_model, batch), batch.mask)
            ptx_loss = None
            if ptx_ids is not None:
                logits = self.policy(input_ids=ptx_ids, use_cache=False).logits[:, :-1]
                ptx_loss = F.cross_entropy(logits.flatten(0, 1).float(), ptx_ids[:, 1:].flatten())
        return spread(logprobs, batch.mask), values, spread(entropies, batch.mask), ptx_loss


def response_logprobs(policy: PreTrainedModel, batch: Any, temperature: float) -> tuple[Tensor, Tensor]:
    """Return the log-probabilities of the responses' tokens and their entropies, row by row (tokens,)."""
    logits = response_logits(policy, batch, temperature)
    return token_logprobs(logits, batch), formulas.entropy(logits.detach())


def response_logits(policy: PreTrainedModel, batch: Any, temperature: float) -> Tensor:
    """Return the logits, divided by the temperature, that predict the responses' tokens (tokens, vocab)."""
    inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask, "use_cache": False}
    return logits_at(policy, batch.predictors, **inputs) / temperature


def token_logprobs(logits: Tensor, batch: Any) -> Tensor:
    """Return the log-probabilities of the responses' tokens, row by row (tokens,)."""
    tokens = batch.tokens[batch.mask.bool()]
    return logits.log_softmax(-1).gather(1, tokens[:, None])[:, 0]


def response_values(value_model: PreTrainedModel, batch: Any) -> Tensor:
    """Return the value of the state before each of the responses' tokens, row by row (tokens,)."""
    return token_values(value_model, batch.input_ids, batch.attention_mask)[batch.predictors]


class PPO:
    """A run of PPO.

    Args:
        policy: π_SFT at the beginning; it is changed.
        reference: π_SFT, which stays; not the same object.
        value_model: from `rewards.reward_model`, best with the reward model's weights (slide "InstructGPT
            training"); it is changed.
        reward: gives each (prompt, response) in ids its score (batch,).
        prompts: ids.
        config: see there.
        eos_id: token that ends a response.
        pretraining: token ids that the policy is to stay good at, where `ptx` is not 0 (blocks, time).
        folder: for checkpoints; None keeps none.

    Raises:
        ValueError: no prompts; policy and reference are one; ptx without text; processes that do not divide
            the minibatches.
    """

    def __init__(
        self,
        policy: PreTrainedModel,
        reference: PreTrainedModel,
        value_model: PreTrainedModel,
        reward: Reward,
        prompts: Sequence[Sequence[int]],
        config: PPOConfig,
        *,
        eos_id: int,
        pretraining: Tensor | None = None,
        folder: str | Path | None = None,
    ) -> None:
        if not len(prompts):
            raise ValueError("There are no prompts to answer.")
        if policy is reference:
            raise ValueError("The reference must be a copy of the policy: it stays where the policy began.")
        if config.ptx and pretraining is None:
            raise ValueError(f"ptx is {config.ptx}: give the text that the policy is to stay good at.")
        self.accelerator = Accelerator(cpu=policy.device.type == "cpu")
        self.n_processes, self.rank = self.accelerator.num_processes, self.accelerator.process_index
        if config.minibatch_size % self.n_processes:
            raise ValueError(
                f"{self.n_processes} processes cannot share minibatches of {config.minibatch_size}."
            )
        self.config, self.prompts, self.reward = config, [list(prompt) for prompt in prompts], reward
        self.reference, self.eos_id, self.pretraining = reference.eval(), eos_id, pretraining
        self.folder = None if folder is None else Path(folder)
        groups = [
            {"params": policy.parameters(), "initial": config.learning_rate},
            {"params": value_model.parameters(), "initial": config.value_learning_rate},
        ]
        optimizer = torch.optim.AdamW(groups, eps=config.adam_epsilon, weight_decay=0.0)
        both = ActorCritic(policy, value_model).eval()  # without dropout, or every ratio would be noise
        self.model, self.optimizer = self.accelerator.prepare(both, optimizer)
        self.both: ActorCritic = self.accelerator.unwrap_model(self.model)
        self.beta = config.beta
        self.history: list[dict[str, float]] = []
        self.stopped = ""
        self._best: tuple[float, dict[str, Tensor]] | None = None

    def train(self, resume: bool = False, progress: bool = True) -> list[dict[str, float]]:
        """Carry out the iterations.

        Args:
            resume: go on from the last checkpoint in the folder.
            progress: whether a bar is shown.

        Returns:
            What was measured in each iteration, see `learn` and `measure`.

        Raises:
            ValueError: nothing to resume, a checkpoint of another run, or a reward that is no number.
        """
        if resume:
            self._load()
        bar = tqdm(
            range(len(self.history), self.config.n_iterations),
            "PPO",
            leave=False,
            disable=not (progress and self.accelerator.is_main_process),
        )
        for iteration in bar:
            responses = self.collect(iteration)
            experience = self.estimate(responses)
            measured = self.measure(responses, experience)
            self._keep_best(measured)
            if self.config.max_kl is not None and measured["kl"] > self.config.max_kl:
                self.history.append(measured)
                self._stop(measured["kl"])
                break
            measured |= self.learn(experience, iteration)
            self.history.append(measured)
            if self.config.target_kl is not None:
                self.beta = formulas.adapted_beta(
                    self.beta, measured["kl"], self.config.target_kl, self.config.batch_size
                )
            bar.set_postfix(score=f"{measured['score']:.2f}", kl=f"{measured['kl']:.1f}")
            done = iteration + 1
            if self.folder and (done % self.config.save_every == 0 or done == self.config.n_iterations):
                self._save()
        return self.history

    def batch_of_prompts(self, iteration: int) -> list[int]:
        """Return the numbers of an iteration's prompts: all in chance order before one comes again."""
        first, chosen = iteration * self.config.batch_size, []
        for place in range(first, first + self.config.batch_size):
            turn, at = divmod(place, len(self.prompts))
            chosen.append(_shuffled(len(self.prompts), self.config.seed, turn)[at])
        return chosen

    @torch.no_grad()
    def collect(self, iteration: int) -> list[Response]:
        """Sample responses and note all that has to be known of them; processes share the work."""
        config, policy = self.config, self.both.policy
        prompts = [self.prompts[i] for i in self.batch_of_prompts(iteration)]
        chance = uniforms(config.batch_size, config.max_new_tokens, 1_000_003 * config.seed + iteration)
        mine = list(range(self.rank, config.batch_size, self.n_processes))
        sampled = sample(
            policy,
            [prompts[i] for i in mine],
            chance[mine],
            eos_id=self.eos_id,
            temperature=config.temperature,
        )
        examples = sampled.examples()
        scores = self.reward(examples)
        if not torch.isfinite(scores).all():
            worst = int((~torch.isfinite(scores)).nonzero()[0])
            raise ValueError(
                f"In iteration {iteration} the reward of response {mine[worst]} is {float(scores[worst])}: "
                f"its token ids are {examples[worst][1][:20]}."
            )
        responses = []
        for row, (prompt, tokens) in enumerate(examples):
            ended = bool(sampled.ended[row])
            score = float(scores[row]) - (0.0 if ended else config.missing_eos_penalty)
            nothing = torch.zeros(len(tokens))
            kept = sampled.logprobs[row, : len(tokens)].cpu()
            responses.append(Response(prompt, tokens, kept, nothing, nothing, score, ended))
        for start in range(0, len(responses), config.minibatch_size):
            some = responses[start : start + config.minibatch_size]
            batch = collate(some, self.eos_id, policy.device)
            ref = token_logprobs(response_logits(self.reference, batch, config.temperature), batch)
            values = response_values(self.both.value_model, batch)
            lengths = [len(each.tokens) for each in some]
            for each, a, b in zip(some, ref.cpu().split(lengths), values.cpu().split(lengths), strict=True):
                each.ref_logprobs, each.values = a, b
        if self.n_processes > 1:
            everyones = gather_object(list(zip(mine, responses, strict=True)))
            responses = [each for _, each in sorted(everyones, key=lambda pair: pair[0])]
        return responses

    def estimate(self, responses: Sequence[Response]) -> Experience:
        """Turn scores and divergence into advantages and returns."""
        config = self.config
        batch = collate(responses, self.eos_id, self.both.policy.device)
        kl = formulas.kl_penalty(batch.logprobs, batch.ref_logprobs, config.estimator)
        rewards = formulas.token_rewards(batch.scores, kl, batch.mask, self.beta)
        if config.whiten_rewards:
            rewards = formulas.whiten(rewards, batch.mask, shift_mean=False)
        advantages, batch.returns = formulas.gae(rewards, batch.values, batch.mask, config.gamma, config.lam)
        batch.advantages = formulas.whiten(
            advantages, batch.mask
        )  # after the returns, which stay as they are
        return batch

    def measure(self, responses: Sequence[Response], batch: Experience) -> dict[str, float]:
        """Return the means of a batch: score, KL (k1, nats a response), the objective without ptx, length in
        tokens, share that ended, β, and the values' explained variance."""
        kl = float((formulas.kl_penalty(batch.logprobs, batch.ref_logprobs) * batch.mask).sum(1).mean())
        score = float(batch.scores.mean())
        return {
            "score": score,
            "kl": kl,
            "objective": score - self.beta * kl,
            "length": float(batch.mask.sum(1).float().mean()),
            "ended": sum(each.ended for each in responses) / len(responses),
            "beta": self.beta,
            "explained_variance": formulas.explained_variance(batch.values, batch.returns, batch.mask),
        }

    def learn(self, experience: Experience, iteration: int) -> dict[str, float]:
        """Take the steps of an iteration.

        Returns:
            Means over the steps: policy_loss, value_loss, ptx_loss, entropy, clip_fraction, approx_kl, ratio.
        """
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial"] * (1 - iteration / config.n_iterations)
        order = torch.Generator().manual_seed(7_000_003 * config.seed + iteration)
        seen: list[dict[str, float]] = []
        for _ in range(config.n_epochs):
            shuffled = torch.randperm(config.batch_size, generator=order)
            for some in shuffled.split(config.minibatch_size):
                mine = experience.rows(some[self.rank :: self.n_processes])
                # a mean over the minibatch, whoever computes which part of it
                share = self.n_processes * mine.mask.sum() / experience.mask[some].sum()
                losses, watched = self.losses(mine, self._ptx_ids(order))
                loss = losses["policy_loss"] * share + config.value_weight * losses["value_loss"] * share
                if "ptx_loss" in losses:
                    loss = loss + config.ptx * losses["ptx_loss"]
                self.accelerator.backward(loss)
                self.accelerator.clip_grad_norm_(self.model.parameters(), config.max_norm)
                self.optimizer.step()
                self.optimizer.zero_grad()
                parts = {**losses, **watched}
                numbers = torch.stack(
                    [each.detach() * (share if name != "ptx_loss" else 1) for name, each in parts.items()]
                )
                means = self.accelerator.reduce(numbers, "mean").tolist()
                seen.append(dict(zip(parts, means, strict=True)))
        return {name: sum(each[name] for each in seen) / len(seen) for name in seen[0]}

    def losses(
        self, batch: Experience, ptx_ids: Tensor | None
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the losses of a minibatch, with gradient, and what is to be watched."""
        config = self.config
        logprobs, values, entropies, ptx_loss = self.model(batch, config.temperature, ptx_ids)
        policy_loss, watched = formulas.ppo_loss(
            logprobs, batch.logprobs, batch.advantages, batch.mask, config.epsilon
        )
        losses = {
            "policy_loss": policy_loss,
            "value_loss": formulas.value_loss(
                values, batch.values, batch.returns, batch.mask, config.value_epsilon
            ),
        }
        if ptx_loss is not None:
            losses["ptx_loss"] = ptx_loss
        watched["entropy"] = formulas.masked_mean(entropies, batch.mask)
        return losses, watched

    def _ptx_ids(self, order: torch.Generator) -> Tensor | None:
        if not self.config.ptx:
            return None
        n = max(self.n_processes, self.config.minibatch_size // 4)
        drawn = torch.randint(len(self.pretraining), (n,), generator=order)
        return self.pretraining[drawn[self.rank :: self.n_processes]].to(self.both.policy.device)

    def _keep_best(self, measured: dict[str, float]) -> None:
        if self.config.max_kl is None or measured["kl"] > self.config.max_kl:
            return
        if self._best is None or measured["objective"] > self._best[0]:
            state = {name: each.detach().clone() for name, each in self.both.policy.state_dict().items()}
            self._best = (measured["objective"], state)

    def _stop(self, kl: float) -> None:
        self.stopped = (
            f"Stopped in iteration {len(self.history)}: the divergence is {kl:.1f} nats a response, and "
            f"{self.config.max_kl:g} was the most allowed. Raise beta or lower the learning rate."
        )
        if self._best:
            self.both.policy.load_state_dict(self._best[1])
            self.stopped += " The policy is the best one before that."

    def _save(self) -> None:
        """Write a checkpoint beside its place, then rename it: a kill leaves no half."""
        place = self.folder / f"checkpoint-{len(self.history)}"
        work = self.folder / ".writing"
        if self.accelerator.is_main_process:
            shutil.rmtree(work, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(str(work))
        if self.accelerator.is_main_process:
            state = {"config": asdict(self.config), "beta": self.beta, "history": self.history}
            (work / "run.json").write_text(json.dumps(state), encoding="utf-8")
            before = list(self.folder.glob("checkpoint-*"))
            work.replace(place)
            for each in before:
                shutil.rmtree(each, ignore_errors=True)
        self.accelerator.wait_for_everyone()

    def _load(self) -> None:
        newest = newest_checkpoint(self.folder) if self.folder else None
        if newest is None:
            raise ValueError(f"There is no checkpoint in '{self.folder}': start with resume=False.")
        state = json.loads(Path(newest, "run.json").read_text(encoding="utf-8"))
        ours = asdict(self.config)
        theirs = state["config"]
        if other := [name for name in ours if theirs.get(name) != ours[name]]:
            name = other[0]
            raise ValueError(
                f"'{newest}' is of a run with {name}={theirs.get(name)}, and this one has {ours[name]}: "
                "name another folder."
            )
        self.accelerator.load_state(newest)
        self.beta, self.history = state["beta"], state["history"]


@lru_cache(maxsize=2)  # a batch may hold the end of one turn and the beginning of the next
def _shuffled(n_prompts: int, seed: int, turn: int) -> list[int]:
    """Return the order in which a turn takes the prompts."""
    return random.Random(f"prompts-{seed}-{turn}").sample(range(n_prompts), n_prompts)


def mean_kl(
    policy: PreTrainedModel, reference: PreTrainedModel, examples: Sequence[Example], temperature: float = 1.0
) -> float:
    """Return the mean divergence of sampled responses from a reference, in nats a response (k1)."""
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(examples), 64):
            some = [
                Response(p, t, torch.zeros(len(t)), torch.zeros(len(t)), torch.zeros(len(t)), 0.0, True)
                for p, t in examples[start : start + 64]
            ]
            batch = collate(some, 0, policy.device)
            ours, theirs = (
                token_logprobs(response_logits(model, batch, temperature), batch)
                for model in (policy, reference)
            )
            total += float((ours - theirs).sum())
    return total / len(examples)
