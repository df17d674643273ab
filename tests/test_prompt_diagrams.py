"""The pictures of prompt tuning: what is trained is hatched, and every text is where it can be read."""

import matplotlib
import matplotlib.pyplot as plt
import pytest

matplotlib.use("Agg")

from course_lib.plots import style
from course_lib.prompt_diagrams import ELEMENTS, METHODS, SOFT, flow, four_methods, prompt_strips


@pytest.fixture(autouse=True)
def look():
    with plt.rc_context():
        style()
        yield
    plt.close("all")


def trained(axes):
    return [patch for patch in axes.patches if patch.get_gid() == "trained"]


def check_texts(figure):
    """Every text lies on the canvas."""
    figure.canvas.draw()
    board = figure.get_window_extent()
    for axes in figure.axes:
        for text in axes.texts:
            extent = text.get_window_extent()
            assert board.x0 <= extent.x0 and extent.x1 <= board.x1, text.get_text()
            assert board.y0 <= extent.y0 and extent.y1 <= board.y1, text.get_text()


def test_four_methods_by_one_function():
    figure = four_methods()
    for axes, (name, _, tokens, enters, _) in zip(figure.axes, METHODS, strict=True):
        assert axes.texts[0].get_text() == name
        n = 2 * 3 if enters == "layers" else tokens.count(SOFT)  # two prefixes in each of three layers
        assert len(trained(axes)) == n + 1  # and one in the legend
        assert all(patch.get_hatch() for patch in trained(axes))
    check_texts(figure)


def test_strips_show_every_part():
    parts = [(element, f"text of {element}") for element in ELEMENTS]
    figure = prompt_strips({"One": [*parts[:3], ("target", "\n"), *parts[3:]], "Two": parts[:1]})
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert all(text in shown for _, text in parts) and {"One", "Two", *ELEMENTS} <= set(shown)
    check_texts(figure)
    with pytest.raises(ValueError, match="no element 'verb'"):
        prompt_strips({"One": [("verb", "a")]})


@pytest.mark.parametrize("written", [(), ("Какой", "человек")])
def test_flow(written):
    tokens = (SOFT, "Москва", "основана", SOFT)
    figure = flow(tokens, {} if written else {"Да": 0.9, "Нет": 0.1}, written)
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert shown.count("provider") == shown.count("p") == 2
    assert ("logits" in shown) != bool(written) and ("<end>" in shown) == bool(written)
    assert all(word in shown for word in (*tokens, *written))
    check_texts(figure)
