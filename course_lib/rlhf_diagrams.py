"""The pictures of RLHF: InstructGPT's three steps, and how a ranking becomes one row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_lib.diagrams import MINT, PAPER, SAND, SKY, arrow, box, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = (
    (
        "Step 1\nCollect demonstration data,\nand train a supervised policy",
        (
            ("A prompt is sampled\nfrom the prompt dataset", PAPER),
            ("A labeler demonstrates\nthe desired behaviour", SAND),
            ("Supervised policy π_SFT", SKY),
        ),
    ),
    (
        "Step 2\nCollect comparison data,\nand train a reward model",
        (
            ("A prompt and several\noutputs are sampled", PAPER),
            ("A labeler ranks them\nfrom best to worst", SAND),
            ("Reward model r_θ", MINT),
        ),
    ),
    (
        "Step 3\nOptimise a policy against the\nreward model with PPO",
        (
            ("A new prompt is sampled,\nthe policy answers", PAPER),
            ("The reward model\nsays how good it is", MINT),
            ("Policy π_RL", SKY),
        ),
    ),
)


def three_steps() -> Figure:
    """Draw InstructGPT's three steps, and what each takes from the one before (slide "InstructGPT")."""
    width, height, gap = 3.4, 0.85, 1.25
    figure, ax = canvas(12.6, 5.2, 0.78)
    for column, (title, parts) in enumerate(STEPS):
        x = 2.1 + 4.2 * column
        ax.text(x, 4.75, title, ha="center", va="center", fontsize=9.5, fontweight="bold")
        for row, (text, fill) in enumerate(parts):
            y = 3.4 - gap * row
            box(ax, x, y, width, height, text, fill, fontsize=9)
            if row:
                arrow(ax, (x, y + gap - height / 2), (x, y + height / 2))
    last = 3.4 - 2 * gap
    for column in (0, 1):  # what a step leaves, the next begins with
        x = 2.1 + 4.2 * column
        arrow(ax, (x + width / 2, last), (x + 4.2 - width / 2, 3.4), 0.0)
    return figure
