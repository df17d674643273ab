"""Every figure's drawing code, in one style: legible in greyscale, to the colour-blind, and in Russian."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # matplotlib takes a second to import, so only where something is drawn
    from matplotlib.axes import Axes

# Okabe & Ito (2008), "Color Universal Design": told apart under every common colour blindness; ordered so
# that neighbours differ in lightness too
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000", "#F0E442")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (6, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "///", "...", "\\\\\\", "xx", "++", "oo", "**")
HEAT = "cividis"  # one lightness ramp, the same picture in greyscale


def style() -> None:
    """Set the course's look for every figure that follows: colours, dashes and markers change together."""
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {
            "font.family": "DejaVu Sans",  # ships with matplotlib and has Cyrillic
            "font.size": 10,
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.prop_cycle": plt.cycler(color=PALETTE, linestyle=LINES, marker=MARKERS),
            "grid.color": "#dddddd",
            "grid.linewidth": 0.6,
            "image.cmap": HEAT,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "lines.markersize": 5,
            "figure.figsize": (7.0, 3.6),
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
        }
    )


def curves(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    xlabel: str,
    ylabel: str,
    *,
    title: str = "",
    logx: bool = False,
    logy: bool = False,
    points: int = 12,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw named curves, each with its own colour, dash and marker.

    Args:
        series: name -> (x values, y values).
        xlabel, ylabel: axis labels with their units.
        points: at most about this many markers per curve, so that long curves stay readable.
        ax: axes to draw on; a new figure by default.

    Returns:
        the axes, for further touches.
    """
    ax = _axes(ax)
    for name, (x, y) in series.items():
        ax.plot(x, y, label=name, markevery=max(1, len(x) // points))
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if logx:
        ax.set_xscale("log")
    if logy:
        ax.set_yscale("log")
    if len(series) > 1:
        ax.legend()
    return ax


def bars(
    groups: Sequence[str],
    series: Mapping[str, Sequence[float]],
    ylabel: str,
    *,
    title: str = "",
    xlabel: str = "",
    fmt: str = "{:g}",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw grouped bars with their values written on top; colour and hatching tell the series apart.

    Args:
        groups: the labels under the bars.
        series: name -> one value per group.
        ylabel: what the height is, with its unit.
        fmt: how a value is written.

    Returns:
        the axes.

    Raises:
        ValueError: a series whose length is not the number of groups.
    """
    ax = _axes(ax)
    width = 0.8 / len(series)
    looks = zip(cycle(PALETTE), cycle(HATCHES), strict=False)
    for i, ((name, values), (color, hatch)) in enumerate(zip(series.items(), looks, strict=False)):
        if len(values) != len(groups):
            raise ValueError(f"series {name!r} has {len(values)} values for {len(groups)} groups")
        places = [g + (i - (len(series) - 1) / 2) * width for g in range(len(groups))]
        drawn = ax.bar(places, values, width, label=name, color=color, hatch=hatch, edgecolor="white")
        ax.bar_label(drawn, [fmt.format(value) for value in values], fontsize=8, padding=2)
    ax.set_xticks(range(len(groups)), groups)
    ax.set(ylabel=ylabel, xlabel=xlabel, title=title)
    ax.grid(axis="x", visible=False)
    ax.margins(y=0.12)
    if len(series) > 1:
        ax.legend()
    return ax


def heat_map(
    values: Sequence[Sequence[float]],
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    *,
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
    unit: str = "",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw a matrix as a heat map, one lightness ramp, with a colour bar where `unit` says what it measures.

    Args:
        values: (rows, columns).
        rows, columns: tick labels, empty for none.

    Returns:
        the axes.
    """
    ax = _axes(ax)
    image = ax.imshow(values, aspect="auto", cmap=HEAT, interpolation="nearest")
    ax.set_xticks(range(len(columns)), columns, rotation=60, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.grid(visible=False)
    if unit:
        ax.figure.colorbar(image, ax=ax, label=unit)
    return ax


def measured(
    series: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]],
    xlabel: str,
    ylabel: str,
    *,
    title: str = "",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw named curves of measurements with their error bars.

    Args:
        series: name -> (x values, y values, errors of y).
        xlabel, ylabel: axis labels with their units.

    Returns:
        the axes.
    """
    ax = _axes(ax)
    for name, (x, y, error) in series.items():
        ax.errorbar(x, y, yerr=error, label=name, capsize=3, elinewidth=1)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if len(series) > 1:
        ax.legend()
    return ax


def dots(
    groups: Mapping[str, Sequence[float]],
    xlabel: str,
    *,
    chance: float | Mapping[str, float] | None = None,
    colors: Sequence[str] = PALETTE,
    title: str = "",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw every single value as a dot, a row a group, equal ones above one another, and the rows' means.

    Args:
        groups: label -> its values, from top to bottom.
        xlabel: what the values are.
        chance: a value to compare with, drawn as a line; or one a row, by its label.
        colors: of the rows, over and over again.

    Returns:
        the axes.
    """
    ax = _axes(ax)
    for row, (values, color) in enumerate(zip(groups.values(), cycle(colors), strict=False)):
        seen: Counter[float] = Counter()
        step = min(0.09, 0.45 / max(Counter(values).values()))
        for value in values:
            ax.plot(value, row - step * seen[value], marker="o", color=color, alpha=0.8, linestyle="none")
            seen[value] += 1
        mean = sum(values) / len(values)
        ax.plot([mean, mean], [row + 0.08, row + 0.2], color="black", marker="", linestyle="-")
        ax.text(mean, row + 0.21, f"mean {mean:.2f}", ha="center", va="top", fontsize=7.5)
    if chance is not None:
        by_row = chance if isinstance(chance, Mapping) else dict.fromkeys(groups, chance)
        for row, name in enumerate(groups):
            place = by_row[name]
            ax.plot([place] * 2, [row - 0.5, row + 0.5], color="#555555", linestyle=":", marker="")
        ax.text(by_row[next(iter(groups))], -0.75, "chance", ha="center", va="bottom", fontsize=8)
    ax.set_yticks(range(len(groups)), list(groups))
    ax.set(xlabel=xlabel, title=title, ylim=(len(groups) - 0.3, -0.75))
    ax.grid(axis="y", visible=False)
    return ax


def intervals(
    rows: Mapping[str, tuple[float, float, float]],
    xlabel: str,
    *,
    marks: Mapping[str, float] | None = None,
    title: str = "",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw values with their intervals, a row each.

    Args:
        rows: label -> (value, lower end, upper end), from top to bottom.
        xlabel: what the values are.
        marks: name -> a value to compare with, drawn as a dotted line.

    Returns:
        the axes.
    """
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(7.5, 0.34 * len(rows) + 1.1))[1]
    for y, (value, low, high) in enumerate(rows.values()):
        errors = [[value - low], [high - value]]
        ax.errorbar(value, y, xerr=errors, color=PALETTE[0], ecolor="black", marker="o", capsize=3)
    for name, x in (marks or {}).items():
        ax.axvline(x, color="#555555", linestyle=":", marker="")
        ax.text(x, -0.75, name, ha="center", va="bottom", fontsize=8)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(xlabel=xlabel, title=title, ylim=(len(rows) - 0.4, -0.75))
    ax.grid(axis="y", visible=False)
    return ax


def shares(
    groups: Sequence[str],
    series: Mapping[str, Sequence[float]],
    xlabel: str,
    *,
    title: str = "",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw what each group is made of: one horizontal bar a group, its parts as fractions of their sum.

    Args:
        groups: the labels, from top to bottom.
        series: part -> its amount in each group, in one unit.
        xlabel: what the width is.

    Returns:
        the axes.
    """
    ax = _axes(ax)
    totals = [sum(values) for values in zip(*series.values(), strict=True)]
    left = [0.0] * len(groups)
    looks = zip(cycle(PALETTE), cycle(HATCHES), strict=False)
    for (name, values), (color, hatch) in zip(series.items(), looks, strict=False):
        widths = [value / total for value, total in zip(values, totals, strict=True)]
        ax.barh(groups, widths, 0.72, left, label=name, color=color, hatch=hatch, edgecolor="white")
        left = [a + b for a, b in zip(left, widths, strict=True)]
    ax.invert_yaxis()
    ax.set(xlabel=xlabel, xlim=(0, 1))
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
    ax.grid(axis="y", visible=False)
    ax.set_title(title, pad=26)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(series), borderaxespad=0.3)
    return ax


def law(
    points: tuple[Sequence[float], Sequence[float], Sequence[float]],
    line: tuple[Sequence[float], Sequence[float]],
    band: tuple[Sequence[float], Sequence[float]],
    xlabel: str,
    ylabel: str,
    *,
    names: Sequence[str] = (),
    labels: tuple[str, str] = ("fit", "95 % band"),
    title: str = "",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw measured points, the law fitted to them and its confidence band, on logarithmic axes.

    Args:
        points: x values, y values, errors of y.
        line: x and y values of the law.
        band: lower and upper end of its band at the same x values.
        names: what to write beside each point.
        labels: of the line and the band.

    Returns:
        the axes.
    """
    from matplotlib.ticker import NullLocator

    ax = _axes(ax)
    ax.fill_between(line[0], *band, color=PALETTE[4], alpha=0.35, linewidth=0, label=labels[1])
    ax.plot(*line, color=PALETTE[0], marker="", linestyle="--", label=labels[0])
    ax.errorbar(*points, color="black", marker="o", linestyle="none", capsize=3, label="measured ± 2 s.e.")
    for name, x, y in zip(names, *points[:2], strict=False):
        ax.annotate(name, (x, y), xytext=(7, 7), textcoords="offset points")
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, xscale="log", yscale="log")
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.legend()
    return ax


def _axes(ax: "Axes | None") -> "Axes":
    """Return the given axes, or those of a new figure in the course's style."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots()[1]
