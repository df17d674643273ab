"""Greedy generation: the decoder from scratch beside `model.generate` of transformers, with equal tokens.

Both run in one process, in turns, so that whatever else the machine does falls on both; medians are compared.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.benchmarks.ceilings import matmul_ceiling, read_ceiling
from tests.benchmarks.timing import in_turns

GOAL = 3.0
PROMPT_TOKENS, NEW_TOKENS = 64, 128
BATCHES = (1, 32)


def default_model():
    """Returns the course's default model, or its shape with random weights where it is not trained yet."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    checkpoint = Path(__file__).parents[2] / "course_lib" / "checkpoints" / "tiny"
    if (checkpoint / "model.safetensors").is_file():
        return GPT2LMHeadModel.from_pretrained(checkpoint, dtype=torch.float32).eval(), "tiny"
    torch.manual_seed(0)
    shape = {"vocab_size": 4096, "n_positions": 512, "n_embd": 320, "n_layer": 6, "n_head": 5}
    config = GPT2Config(**shape, bos_token_id=0, eos_token_id=0, pad_token_id=0)
    return GPT2LMHeadModel(config).eval(), "tiny (random weights)"


def run(repeats: int = 7) -> list[dict]:
    """Times both sides in turns.

    Args:
        repeats: timed runs of each side, after one that warms up.

    Returns:
        One row per batch size: name, ours and peer (tokens/s), ratio, goal, equal (same tokens), shares of
        the matrix-product ceiling (gflops_ceiling) and of the memory ceiling (gb_s_ceiling) reached.

    Raises:
        AssertionError: the two sides produced different tokens.
    """
    import torch

    from course_lib.gpt import GPT

    model, name = default_model()
    ours = GPT.from_pretrained(model)
    n_params = model.num_parameters()
    gflops, gb_s = matmul_ceiling(), read_ceiling()
    rows = []
    for batch in BATCHES:
        ids = torch.randint(1, 4096, (batch, PROMPT_TOKENS), generator=torch.Generator().manual_seed(batch))
        # eos_token_id=None: both sides write all the tokens
        settings = {"max_new_tokens": NEW_TOKENS, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
        sides = {
            "peer": lambda: model.generate(ids, attention_mask=torch.ones_like(ids), **settings),  # noqa: B023
            "ours": lambda: ours.generate(ids, NEW_TOKENS),  # noqa: B023
        }
        outputs = {side: work() for side, work in sides.items()}
        equal = torch.equal(outputs["ours"], outputs["peer"])
        assert equal, f"batch {batch}: gpt.py and transformers chose different tokens"
        median = in_turns(sides, repeats)
        flops = 2 * n_params * batch * (PROMPT_TOKENS + NEW_TOKENS)
        bytes_read = 4 * n_params * NEW_TOKENS
        rows.append(
            {
                "name": f"greedy generation, {name}, batch {batch}",
                "ours": batch * NEW_TOKENS / median["ours"],
                "peer": batch * NEW_TOKENS / median["peer"],
                "unit": "tokens/s",
                "ratio": median["peer"] / median["ours"],
                "goal": GOAL,
                "equal": equal,
                "gflops_ceiling": gflops,
                "of_matmul_ceiling": flops / median["ours"] / 1e9 / gflops,
                "gb_s_ceiling": gb_s,
                "of_memory_ceiling": bytes_read / median["ours"] / 1e9 / gb_s,
            }
        )
    return rows


def main() -> None:
    """Prints the table."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    for row in run():
        print(
            f"{row['name']:48s} ours {row['ours']:7.0f} {row['unit']}, transformers {row['peer']:7.0f}: "
            f"x{row['ratio']:.2f} (goal x{row['goal']:.0f}), equal tokens: {row['equal']}; "
            f"{row['of_matmul_ceiling']:.0%} of the {row['gflops_ceiling']:.0f} GFLOP/s matrix ceiling, "
            f"weights read at {row['of_memory_ceiling']:.0%} of {row['gb_s_ceiling']:.0f} GB/s"
        )


if __name__ == "__main__":
    main()
