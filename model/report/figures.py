"""Figures of the page: arrays in, a matplotlib Figure out, no state kept."""

from __future__ import annotations

import base64
import io
import math
import unicodedata
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

Array = NDArray[np.float64]
Whisker = tuple[float, float, float]
"""A mean with the two ends of its interval; NaN ends where there is none."""

STYLE = {
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "text.parse_math": False,  # a person may be called $1
    "svg.hashsalt": "affectstream",  # the same figure gives the same bytes
    "figure.facecolor": "white",
}

COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442"),
    "#7F7F7F",
)
"""Okabe and Ito's palette, which people with any colour vision tell apart."""

TRUTH = "#000000"
REFERENCE = "#7F7F7F"
MARKERS = "osD^vPX*"
WIDTH = 9.0
"""Width of a figure in inches."""

LONGEST = 30
"""Characters of a name that a figure shows."""


def shown(text: str) -> str:
    """Return a name as a figure can show it: without control characters, and not too long."""
    clean = "".join(c if unicodedata.category(c)[0] != "C" else "�" for c in str(text))
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1] + "…"


@rc_context(STYLE)
def data_uri(figure: Figure) -> str:
    """Return a figure as an SVG image in a ``data:`` address; the same figure, the same bytes."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script that the font lacks shows boxes here; the tables have it in full.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


@rc_context(STYLE)
def intervals(
    names: Sequence[str],
    panels: Mapping[str, Sequence[Whisker]],
    references: frozenset[str] = frozenset(),
) -> Figure:
    """Draw a dot with its interval for each system, one panel a metric.

    Parameters
    ----------
    names : sequence of str
        Of the systems, from top to bottom.
    panels : mapping of str to sequence of (mean, low, high)
        By axis label, in the order of `names`.
    references : frozenset of str
        Names drawn hollow and grey.
    """
    figure = Figure(figsize=(WIDTH, 0.8 + 0.26 * len(names)), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (label, whiskers) in zip(axes, panels.items(), strict=True):
        for place, (name, one) in enumerate(zip(names, whiskers, strict=True)):
            hollow = name in references
            _whisker(
                axis,
                one,
                place,
                colour=REFERENCE if hollow else COLOURS[0],
                fill="white" if hollow else COLOURS[0],
                marker="D" if hollow else "o",
                upright=False,
            )
        axis.set_xlabel(label)
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(names)), [shown(name) for name in names])
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    return figure


@rc_context(STYLE)
def distributions(
    emotions: Sequence[str], panels: Mapping[str, Mapping[str, Array]], truth: str
) -> Figure:
    """Draw distributions as grouped bars, one panel a window.

    Parameters
    ----------
    emotions : sequence of str
    panels : mapping of str to mapping of str to ndarray, shape (C,)
        By title, the shares by series.
    truth : str
        The series drawn in black.
    """
    figure = Figure(figsize=(WIDTH, 0.6 + 2.1 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    names = list(dict.fromkeys(name for series in panels.values() for name in series))
    others = [name for name in names if name != truth]
    handles = {}
    for axis, (title, series) in zip(axes, panels.items(), strict=True):
        breadth = 0.8 / max(len(names), 1)
        for place, name in enumerate(names):
            if name not in series:
                continue
            where = np.arange(len(emotions)) + (place - (len(names) - 1) / 2) * breadth
            colour = TRUTH if name == truth else COLOURS[others.index(name) % len(COLOURS)]
            handles[shown(name)] = axis.bar(where, series[name], breadth, color=colour)
        axis.set_title(title)
        axis.set_ylabel("share")
        axis.set_xticks(range(len(emotions)), emotions)
        axis.tick_params(axis="x", labelbottom=True)
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside upper center",
        ncols=min(len(handles), 4),
    )
    return figure


@rc_context(STYLE)
def matrices(
    emotions: Sequence[str],
    panels: Mapping[str, Array],
    label: str,
    signed: bool = False,
    axes_labels: tuple[str, str] = ("", ""),
) -> Figure:
    """Draw matrices (C, C) side by side, each entry with its number.

    Parameters
    ----------
    emotions : sequence of str
    panels : mapping of str to ndarray, shape (C, C)
        By title; NaN is left white.
    label : str
        Of the colour bar.
    signed : bool
        Values go from -1 to 1 instead of from 0 to 1.
    axes_labels : tuple of str
        What columns and rows are.
    """
    count = max(len(panels), 2)
    width = WIDTH * (len(panels) + 0.3) / (count + 0.3)
    height = 1.6 + 0.85 * (WIDTH - 1.4) / count
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    colours = colormaps["PuOr" if signed else "cividis"]
    for axis, (title, values) in zip(axes, panels.items(), strict=True):
        image = axis.imshow(values, cmap=colours, vmin=-1 if signed else 0, vmax=1)
        axis.set_title(title)
        axis.set_xticks(range(len(emotions)), emotions, rotation=60, ha="right")
        axis.set_xlabel(axes_labels[0])
        axis.spines[:].set_visible(False)
        for row, column in np.argwhere(np.isfinite(values)):
            value = values[row, column]
            # Dark ink on light cells and light ink on dark ones.
            dark = np.dot(colours(image.norm(value))[:3], (0.299, 0.587, 0.114)) < 0.5
            text = f"{value:.2f}".replace("0.", ".", 1)
            axis.text(
                *(column, row, text),
                ha="center",
                va="center",
                fontsize=5.5 if len(panels) > 2 else 6.5,
                color="white" if dark else "black",
                # It lies inside its cell: measuring hundreds of them takes most of the time.
                in_layout=False,
            )
    axes[0].set_yticks(range(len(emotions)), emotions)
    axes[0].set_ylabel(axes_labels[1])
    scale = ScalarMappable(Normalize(-1 if signed else 0, 1), colours)
    figure.colorbar(scale, ax=list(axes), label=label, shrink=0.8)
    return figure


@rc_context(STYLE)
def prototypes(emotions: Sequence[str], weights: Array) -> Figure:
    """Draw the mean addressing weight of K prototypes by C dominant emotions, shape (C, K)."""
    figure = Figure(figsize=(WIDTH, 1.0 + 0.24 * len(emotions)), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(weights, cmap="cividis", aspect="auto", vmin=0, interpolation="nearest")
    axis.set_yticks(range(len(emotions)), emotions)
    axis.set_xlabel("prototype, the most used first")
    axis.set_ylabel("true dominant emotion")
    axis.spines[:].set_visible(False)
    figure.colorbar(image, ax=axis, label="mean addressing weight")
    return figure


@rc_context(STYLE)
def curves(lines: Mapping[str, Array], horizontal: str, vertical: str) -> Figure:
    """Draw lines over 1, 2, 3, ..., one a name."""
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axis = figure.subplots()
    for place, (name, values) in enumerate(lines.items()):
        axis.plot(
            np.arange(1, len(values) + 1),
            values,
            color=COLOURS[place % len(COLOURS)],
            marker=MARKERS[place % len(MARKERS)],
            markevery=max(1, len(values) // 10),
            markersize=4,
            label=shown(name),
        )
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.axhline(0, color="black", linewidth=0.6)
    axis.set_xlabel(horizontal)
    axis.set_ylabel(vertical)
    axis.legend()
    return figure


@rc_context(STYLE)
def against(
    values: Sequence[str], panels: Mapping[str, Mapping[str, Sequence[Whisker]]], horizontal: str
) -> Figure:
    """Draw metrics with intervals against the steps of a setting, one panel a metric.

    Parameters
    ----------
    values : sequence of str
        The steps, evenly spaced whatever they are.
    panels : mapping of str to mapping of str to sequence of (mean, low, high)
        By axis label, a line a name, in the order of `values`; NaN where a step is missing.
    horizontal : str
        What is stepped.
    """
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    handles = {}
    for axis, (label, lines) in zip(axes, panels.items(), strict=True):
        spread = np.linspace(-0.12, 0.12, len(lines)) if len(lines) > 1 else np.zeros(1)
        for place, (name, whiskers) in enumerate(lines.items()):
            colour = COLOURS[place % len(COLOURS)]
            marker = MARKERS[place % len(MARKERS)]
            where = np.arange(len(values)) + spread[place]
            means = [one[0] for one in whiskers]
            (handles[shown(name)],) = axis.plot(
                where, means, color=colour, marker=marker, markersize=5
            )
            for x, one in zip(where, whiskers, strict=True):
                _whisker(axis, one, x, colour, colour, marker, upright=True)
        axis.set_xticks(range(len(values)), values)
        axis.set_xlabel(horizontal)
        axis.set_ylabel(label)
        axis.grid(axis="y", alpha=0.3)
    if len(handles) > 1:
        figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3)
    return figure


@rc_context(STYLE)
def before_after(panels: Mapping[str, tuple[Array, Array]], label: str) -> Figure:
    """Draw a point a person, before across and after up, one panel a system.

    Points below the diagonal got smaller, those above it, drawn as crosses, got larger.
    """
    figure = Figure(figsize=(min(WIDTH, 3.2 * len(panels) + 0.4), 3.4), layout="constrained")
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    every = np.concatenate([values for pair in panels.values() for values in pair])
    top = 1.05 * float(np.nanmax(every)) if np.isfinite(every).any() else 1.0
    for axis, (title, (before, after)) in zip(axes, panels.items(), strict=True):
        worse = after > before
        axis.plot([0, top], [0, top], color="black", linewidth=0.8)
        axis.scatter(before[~worse], after[~worse], s=22, color=COLOURS[0], label="smaller")
        axis.scatter(
            before[worse], after[worse], s=26, color=COLOURS[1], marker="x", label="larger"
        )
        axis.set_title(shown(title))
        axis.set_xlabel(f"{label} before")
        axis.set_aspect("equal")
        axis.set_xlim(0, top)
        axis.set_ylim(0, top)
    axes[0].set_ylabel(f"{label} after")
    axes[0].legend(loc="upper left")
    return figure


@rc_context(STYLE)
def costs(names: Sequence[str], seconds: Sequence[float]) -> Figure:
    """Draw the seconds of each system on a logarithmic axis."""
    figure = Figure(figsize=(WIDTH, 0.8 + 0.24 * len(names)), layout="constrained")
    axis = figure.subplots()
    axis.set_xscale("log")
    axis.scatter(seconds, range(len(names)), color=COLOURS[0], s=20)
    axis.set_yticks(range(len(names)), [shown(name) for name in names])
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    decades = math.log10(max(seconds) / min(seconds)) if min(seconds) > 0 else 1.0
    # Within a decade the powers of ten alone would leave the axis bare.
    axis.xaxis.set_minor_formatter(
        FuncFormatter(lambda value, _: f"{value:g}" if decades < 1 else "")
    )
    axis.set_xlabel("seconds a fold, to fit and to predict (logarithmic)")
    axis.grid(axis="x", alpha=0.3)
    return figure


def _whisker(
    axis: Axes,
    whisker: Whisker,
    place: float,
    colour: str,
    fill: str,
    marker: str,
    upright: bool,
) -> None:
    mean, low, high = whisker
    if math.isnan(mean):
        return
    known = math.isfinite(low) and math.isfinite(high)
    ends = [[max(mean - low, 0)], [max(high - mean, 0)]] if known else None
    axis.errorbar(
        *((place, mean) if upright else (mean, place)),
        xerr=None if upright else ends,
        yerr=ends if upright else None,
        fmt=marker,
        color=colour,
        markerfacecolor=fill,
        markersize=5,
        elinewidth=1.2,
        capsize=2.5,
    )
