"""Every figure is made, labelled, drawn without a missing letter, and told apart without colour."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from course_lib import diagrams, plots
from course_lib.gpt import attention_mask
from course_lib.registry import MODELS

RUSSIAN = "Ёжик, съешь ещё «щавель» — №1"


@pytest.fixture(autouse=True)
def look():
    """Use the course's style; afterwards draw every figure (a missing letter is a warning, so an error)."""
    with matplotlib.rc_context():
        plots.style()
        yield
        for number in plt.get_fignums():
            plt.figure(number).canvas.draw()
        plt.close("all")


def words(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_curves_are_labelled_and_differ_in_more_than_colour():
    ax = plots.curves(
        {RUSSIAN: ([1, 2, 3], [3, 2, 1]), "b": ([1, 2, 3], [1, 2, 3])},
        "шаг",
        "nats",
        title=RUSSIAN,
        logx=True,
    )
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title(loc="left")) == ("шаг", "nats", RUSSIAN)
    assert ax.get_xscale() == "log" and ax.get_yscale() == "linear"
    first, second = ax.get_lines()
    assert first.get_linestyle() != second.get_linestyle() and first.get_marker() != second.get_marker()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [RUSSIAN, "b"]


def test_the_palette_keeps_its_order_in_greyscale():
    rgb = np.array([matplotlib.colors.to_rgb(color) for color in plots.PALETTE[:4]])
    grey = rgb @ [0.299, 0.587, 0.114]
    assert (np.abs(np.diff(grey)) > 0.05).all()


def test_bars_carry_their_values():
    ax = plots.bars(["да", "нет"], {"a": [0.25, 0.5], "b": [1, 2]}, "share", fmt="{:.2f}")
    assert {"0.25", "0.50", "1.00", "2.00", "да", "нет"} <= set(words(ax.figure).split("\n"))
    with pytest.raises(ValueError, match="1 values for 2 groups"):
        plots.bars(["да", "нет"], {"a": [1]}, "share")


def test_heat_map_has_ticks_and_a_colour_bar():
    ax = plots.heat_map(np.eye(2), ["кот", "пёс"], ["a", "b"], xlabel="x", ylabel="y", unit="share")
    assert {"кот", "пёс", "a", "b", "share"} <= set(words(ax.figure).split("\n"))


def test_measured_draws_error_bars():
    ax = plots.measured({"a": ([0, 1], [1, 2], [0.1, 0.2]), "b": ([0, 1], [2, 3], [0.1, 0.2])}, "x", "y")
    low, high = ax.collections[0].get_segments()[1][:, 1]
    assert (low, high) == pytest.approx((1.8, 2.2))
    assert len(ax.get_legend().get_texts()) == 2


def test_dots_draw_every_value_apart_inside_its_row_and_the_mean():
    values = [0.5] * 20 + [0.75] * 4
    ax = plots.dots({"ёж": values, "b": [1.0]}, "accuracy", chance=0.5)
    drawn = {tuple(np.round(line.get_xydata()[0], 6)) for line in ax.get_lines() if line.get_marker() == "o"}
    assert len(drawn) == 25 and all(-0.75 < y <= row for row in (0, 1) for x, y in drawn if (x == 1) == row)
    assert {"ёж", "b", "mean 0.54", "mean 1.00", "chance"} <= set(words(ax.figure).split("\n"))
    ax = plots.dots({"ёж": values, "b": [1.0]}, "accuracy", chance={"ёж": 0.5, "b": 0.25}, colors=["red"])
    lines = [line for line in ax.get_lines() if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in lines] == [0.5, 0.25]
    assert {line.get_color() for line in ax.get_lines() if line.get_marker() == "o"} == {"red"}


def test_intervals_reach_from_end_to_end_and_marks_have_names():
    ax = plots.intervals({"ёж": (0.5, 0.4, 0.7), "b": (0.9, 0.8, 0.95)}, "accuracy", marks={"chance": 0.5})
    bars = [bar.get_segments()[0][:, 0].tolist() for bar in ax.collections]
    assert bars == [pytest.approx([0.4, 0.7]), pytest.approx([0.8, 0.95])]
    assert {"ёж", "b", "chance", "accuracy"} <= set(words(ax.figure).split("\n"))


def test_shares_fill_each_bar():
    ax = plots.shares(["big", "small"], {"a": [30, 1], "b": [10, 3]}, "share")
    widths = np.array([[bar.get_width() for bar in part] for part in ax.containers])
    np.testing.assert_allclose(widths, [[0.75, 0.25], [0.25, 0.75]])
    with pytest.raises(ValueError):
        plots.shares(["big", "small"], {"a": [1, 2], "b": [1]}, "share")


def test_law_names_its_points():
    x = np.array([1e5, 1e6, 1e7])
    y = x**-0.1
    ax = plots.law((x, y, y / 10), (x, y), (y * 0.9, y * 1.1), "N", "loss", names=["малая", "б", "в"])
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert {"малая", "б", "в"} <= set(words(ax.figure).split("\n"))
    assert len(ax.get_legend().get_texts()) == 3


def test_a_missing_letter_would_be_noticed():
    figure = plots.curves({"a": ([1], [1])}, "🦔", "y").figure
    with pytest.warns(UserWarning, match="missing from font"):
        figure.canvas.draw()
    plt.close(figure)


def test_main_idea_shows_each_step():
    figure = diagrams.main_idea([("1", "what", RUSSIAN), ("2", "то", "это"), ("3", "x", "y")])
    assert {RUSSIAN, "то", "это"} <= set(words(figure).split("\n"))


def test_timeline_has_every_model_in_its_year_and_fills_the_open_ones():
    ax = diagrams.timeline(MODELS).axes[0]
    place = {text.get_text(): text.get_position() for text in ax.texts}
    assert {model.name for model in MODELS} <= set(place)
    for model in MODELS:
        assert place[model.name][0] == place[str(model.year)][0]
        assert f"{model.owner} · {model.size} · {model.language}" in place
    boxes = [patch for patch in ax.patches if patch.get_facecolor()[:3] != (1, 1, 1)]
    assert len(boxes) == sum(model.open for model in MODELS)


def test_decoder_writes_the_models_shapes_in():
    text = words(diagrams.decoder(6, 320, 5, 4096, 512, "tiny", ["На", "·столе", "·кот"]))
    for shape in (
        "× 6",
        "5 heads × 64 = 320",
        "320 → 1280 → 320",
        "320 × 4096",
        "T ≤ 512 tokens",
        "·столе",
        "tiny",
    ):
        assert shape in text


def test_token_strips_keep_inside_the_picture_and_count():
    rows = {"Русский": ["·слово"] * 40, "emoji": ["F0", "9F"]}
    figure = diagrams.token_strips(rows, width=8)
    ax = figure.axes[0]
    assert {"40 tokens", "2 tokens"} <= set(words(figure).split("\n"))
    for box in ax.patches:
        (left, bottom), (right, top) = box.get_bbox().min, box.get_bbox().max
        assert left >= 0 and right <= 8 and bottom >= 0 and top <= ax.get_ylim()[1]
    assert len(ax.patches) == 42


def test_attention_pictures_have_one_map_a_head_and_the_tokens():
    maps = [np.tril(np.ones((3, 4, 4))) for _ in range(2)]
    assert len(diagrams.attention_overview(maps).axes) == 6 + 1  # and the scale
    figure = diagrams.attention_heads({"голова 1": maps[0][0], "b": maps[0][1]}, ["У", "·Маши", "·кот", "."])
    assert {"голова 1", "·Маши", "share of attention"} <= set(words(figure).split("\n"))


def test_masks_show_what_the_mask_says():
    dense, banded = attention_mask(8), attention_mask(8, window=2, layer=1)
    figure = diagrams.masks({"dense": dense.numpy(), "banded": banded.numpy()})
    shown = [ax.images[0].get_array() for ax in figure.axes]
    assert [int(picture.sum()) for picture in shown] == [36, 15]
