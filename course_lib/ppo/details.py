"""What published reproductions of RLHF found to matter, and where it is in this code.

After Huang et al., 2022 ("The 37 implementation details of PPO") and Huang et al., 2023 ("The N
implementation details of RLHF with PPO"), Ziegler et al., 2019, Stiennon et al., 2020, Ouyang et al., 2022.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Detail:
    """One detail.

    Attributes:
        name: what it is about.
        here: what is done here.
        where: module and function, as `module.function` within `course_lib`.
        test: the test that holds it, as `file::function` within `tests`.
    """

    name: str
    here: str
    where: str
    test: str


DETAILS = (
    Detail(
        "left padding in sampling",
        "prompts are padded on the left, so that all go on at the same place",
        "ppo.rollout.sample",
        "test_ppo_rollout.py::test_log_probabilities_are_those_of_a_pass_without_cache",
    ),
    Detail(
        "position ids",
        "positions count real tokens, whatever the padding",
        "ppo.rollout.sample",
        "test_ppo_rollout.py::test_log_probabilities_are_those_of_a_pass_without_cache",
    ),
    Detail(
        "no padding between prompt and response",
        "what is learned from is padded on the right alone",
        "ppo.experience.collate",
        "test_ppo_rollout.py::test_log_probabilities_are_those_of_a_pass_without_cache",
    ),
    Detail(
        "padding changes no loss",
        "every mean is over the tokens of responses",
        "ppo.formulas.masked_mean",
        "test_ppo_formulas.py::test_padding_changes_nothing",
    ),
    Detail(
        "the end of text counts",
        "it is a token of the response: it has a log-probability, a value, and the score",
        "ppo.rollout.sample",
        "test_ppo_rollout.py::test_a_response_ends_with_the_end_of_text_or_at_its_longest",
    ),
    Detail(
        "the padding token may be the end of text",
        "ends are found by masks and never by ids",
        "rewards.model.rewards",
        "test_rewards.py::test_the_last_token_may_be_the_padding_token",
    ),
    Detail(
        "responses without an end",
        "cost a penalty",
        "ppo.trainer.PPO",
        "test_ppo.py::test_responses_that_do_not_end_cost_the_penalty",
    ),
    Detail(
        "a response that was cut off is closed",
        "before it is scored, for the reward model has read closed ones only",
        "rewards.model.closed",
        "test_rlhf.py::test_a_response_that_was_cut_off_is_closed_before_it_is_scored",
    ),
    Detail(
        "temperature in log-probabilities",
        "logits are divided by it in sampling and in learning: the ratio begins at 1",
        "ppo.trainer.response_logprobs",
        "test_ppo_rollout.py::test_log_probabilities_are_those_of_a_pass_without_cache",
    ),
    Detail(
        "no top-k, no nucleus",
        "what is sampled from is what log-probabilities are of",
        "ppo.rollout.sample",
        "test_ppo_rollout.py::test_tokens_come_as_often_as_the_model_says",
    ),
    Detail(
        "dropout off",
        "policy and value function stay in evaluation mode; it changes no gradient",
        "ppo.trainer.PPO",
        "test_ppo.py::test_dropout_is_off_and_the_first_ratio_is_one",
    ),
    Detail(
        "reward head",
        "drawn with standard deviation 1/√(d + 1), without bias",
        "rewards.model.reward_model",
        "test_rewards.py::test_it_is_the_policy_with_another_head",
    ),
    Detail(
        "reward normalised",
        "its mean over the demonstrations is 0",
        "rewards.model.normalise",
        "test_rewards.py::test_it_learns_what_is_liked_and_its_mean_is_0_where_it_should_be",
    ),
    Detail(
        "reward at the last token",
        "and the penalty for divergence at every token",
        "ppo.formulas.token_rewards",
        "test_ppo_formulas.py::test_the_rewards_of_a_response_add_up_to_the_objective",
    ),
    Detail(
        "value function from the reward model",
        "a network of its own, with the reward model's weights at the beginning",
        "ppo.trainer.PPO",
        "test_ppo.py::test_the_value_function_begins_as_the_reward_model",
    ),
    Detail(
        "nothing after the end",
        "the value of the state after the last token is 0",
        "ppo.formulas.gae",
        "test_ppo_formulas.py::test_gae_is_the_sum_it_stands_for",
    ),
    Detail(
        "advantages whitened over the batch",
        "after the returns are computed, which stay as they are",
        "ppo.trainer.PPO",
        "test_ppo.py::test_returns_are_computed_before_advantages_are_whitened",
    ),
    Detail(
        "rewards whitened with their mean kept",
        "if asked for: a shift would change what is good",
        "ppo.formulas.whiten",
        "test_ppo_formulas.py::test_whitened_numbers_have_mean_0_and_variance_1_or_keep_their_mean",
    ),
    Detail(
        "clipped surrogate",
        "the smaller of the two, token by token",
        "ppo.formulas.ppo_loss",
        "test_ppo_formulas.py::test_losses_are_trls",
    ),
    Detail(
        "clipped value loss",
        "the larger of the two, around the value at sampling",
        "ppo.formulas.value_loss",
        "test_ppo_formulas.py::test_losses_are_trls",
    ),
    Detail(
        "estimators of the divergence",
        "k1 in the reward; k2 and k3 on request; k3 to watch",
        "ppo.formulas.kl_penalty",
        "test_ppo_formulas.py::test_estimators_have_the_divergence_as_their_mean",
    ),
    Detail(
        "adaptive β",
        "if a target is set, proportional, clipped to ±0.2",
        "ppo.formulas.adapted_beta",
        "test_ppo.py::test_the_price_follows_the_divergence_from_iteration_to_iteration",
    ),
    Detail(
        "Adam's ε",
        "1e-5, and not the 1e-8 of most libraries",
        "ppo.trainer.PPOConfig",
        "test_ppo.py::test_adam_is_set_as_in_the_literature",
    ),
    Detail(
        "learning rate falls to 0",
        "linearly over the iterations",
        "ppo.trainer.PPO",
        "test_ppo.py::test_adam_is_set_as_in_the_literature",
    ),
    Detail(
        "gradients clipped",
        "the norm over policy and value function together",
        "ppo.trainer.PPO",
        "test_ppo.py::test_adam_is_set_as_in_the_literature",
    ),
    Detail(
        "minibatches are shuffled anew in every epoch",
        "and no row is left out",
        "ppo.trainer.PPO",
        "test_ppo.py::test_every_response_is_learned_from_once_an_epoch",
    ),
    Detail(
        "pretraining term",
        "γ times the loss of pretraining text, in every step",
        "ppo.trainer.ActorCritic",
        "test_ppo.py::test_the_pretraining_term_holds_the_policy_to_its_text",
    ),
    Detail(
        "several processes",
        "means are over all of a minibatch, whoever computes which part",
        "ppo.trainer.PPO",
        "test_ppo.py::test_two_processes_give_the_result_of_one",
    ),
)
