"""Scoring completions: `course_lib.scoring` beside lm-eval's HFLM, same model and requests, equal answers."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tests.benchmarks.memory import peaks
from tests.benchmarks.timing import in_turns

N_EXAMPLES = 64
# name -> (labels, shots, goal)
CASES = {
    "8 shots, 2 labels": (2, 8, 10.0),
    "zero-shot, 4 labels": (4, 0, 2.0),
    "nothing shared": (1, 0, 1.3),
}
WORDS = (" весёлое", " грустное", " так себе", " непонятно какое")


def requests(n_labels: int, n_shots: int) -> list[tuple[str, str]]:
    """Returns tweets with each label, after solved ones; or, with one label, the tweets themselves."""
    from course_lib import world

    tweets = list(world.labelled("tweets")["train"].select(range(N_EXAMPLES + n_shots)))
    if n_labels == 1:  # the channel model: each text is scored itself, after one word
        return [("Твит:", " " + tweet["text"]) for tweet in tweets]
    head = "".join(f"Твит: {t['text']}\nНастроение:{WORDS[t['label']]}\n" for t in tweets[:n_shots])
    prompts = [f"{head}Твит: {tweet['text']}\nНастроение:" for tweet in tweets[n_shots:]]
    return [(prompt, word) for prompt in prompts for word in WORDS[:n_labels]]


def sides(name: str) -> dict[str, Callable[[], list[tuple[float, bool]]]]:
    """Returns the two ways to score the requests of a case: log-probability and greediness of each."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    from course_lib.models import load_lm
    from course_lib.scoring import score

    logging.disable(logging.WARNING)
    model, tokenizer = load_lm("tiny", dtype="float32")
    peer = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=32)
    asked = requests(*CASES[name][:2])
    instances = [Instance("loglikelihood", {}, request, i) for i, request in enumerate(asked)]
    return {
        "peer": lambda: peer.loglikelihood(instances, disable_tqdm=True),
        "ours": lambda: [(one.logprob, one.greedy) for one in score(model, tokenizer, asked)],
    }


def run(repeats: int = 5) -> list[dict]:
    """Times both sides in turns.

    Args:
        repeats: timed runs of each side, after one that warms up.

    Returns:
        One row a case: ours and peer (requests/s), ratio, goal, equal, extra memory of both (MB).

    Raises:
        AssertionError: a log-probability differs by more than 1e-4, or an argmax.
    """
    rows = []
    for name, (_, _, goal) in CASES.items():
        both = sides(name)
        answers = {side: work() for side, work in both.items()}
        for (ours, greedy), (theirs, their_greedy) in zip(answers["ours"], answers["peer"], strict=True):
            assert abs(ours - theirs) < 1e-4 and greedy == their_greedy, f"{name}: {ours} against {theirs}"
        median, memory = in_turns(both, repeats), peaks(sides, name)
        rows.append(
            {
                "name": f"scoring, {name}, against lm-eval",
                "ours": len(answers["ours"]) / median["ours"],
                "peer": len(answers["peer"]) / median["peer"],
                "unit": "requests/s",
                "ratio": median["peer"] / median["ours"],
                "goal": goal,
                "equal": True,
                "memory_mb": memory["ours"],
                "peer_memory_mb": memory["peer"],
            }
        )
    logging.disable(logging.NOTSET)
    return rows


def main() -> None:
    """Prints the table."""
    for row in run():
        print(
            f"{row['name']:48s} ours {row['ours']:6.0f} {row['unit']}, lm-eval {row['peer']:6.0f}: "
            f"x{row['ratio']:.1f} (goal x{row['goal']:.1f}); memory {row['memory_mb']:.0f} MB "
            f"against {row['peer_memory_mb']:.0f} MB"
        )


if __name__ == "__main__":
    main()
