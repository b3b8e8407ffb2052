"""Still pictures of the casebook's figures: what a page shows without scripts, and what can be put elsewhere."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from typing import Any

from suite.model import Axis, Figure, Panel, Series

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b5568f", "#e69f00", "#56b4e9", "#33383e")
_INSIDE = 3
"""Characters that stand inside a node; what is longer stands below it."""
_WIDE = 3
"""Panels side by side at most."""


def draw(figure: Figure) -> bytes:
    """A PNG of all panels; of what is stepped through, the last step."""
    # Imported here: only a report with a casebook needs it, and it takes its time.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    columns = min(_WIDE, len(figure.panels))
    rows = math.ceil(len(figure.panels) / columns)
    canvas = Canvas(figsize=(4.8 * columns, 3.7 * rows + 0.4), dpi=90, layout="constrained")
    FigureCanvasAgg(canvas)
    canvas.suptitle(figure.caption, fontsize=11, wrap=True)
    for place, panel in enumerate(figure.panels, 1):
        _panel(canvas.add_subplot(rows, columns, place, **({"projection": "3d"} if panel.z else {})), panel)
    written = io.BytesIO()
    canvas.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


def _panel(axes: Any, panel: Panel) -> None:
    axes.set_title(panel.title, fontsize=10)
    for number, series in enumerate(panel.series):
        _series(axes, series, _COLOURS[number % len(_COLOURS)], bool(panel.z))
    if panel.x is None:
        xs, ys = ([v for series in panel.series for v in getattr(series, name) if math.isfinite(v)] for name in ("x", "y"))
        axes.set(xlim=(min(xs) - 0.45, max(xs) + 0.45), ylim=(min(*ys, -1) - 0.8, max(ys) + 0.4))
        axes.set_axis_off()
        return
    for name, axis in (("x", panel.x), ("y", panel.y), ("z", panel.z)):
        if axis:
            _axis(axes, name, axis)
    axes.tick_params(labelsize=8)
    if panel.z:
        axes.view_init(elev=20, azim=65)
    else:
        axes.grid(visible=True, color="#d9dbde", linewidth=0.6)
        if any(not series.texts and series.style != "wire" for series in panel.series):
            axes.legend(fontsize=7)


def _axis(axes: Any, name: str, axis: Axis) -> None:
    getattr(axes, f"set_{name}label")(axis.label, fontsize=9)
    if axis.log:
        getattr(axes, f"set_{name}scale")("log")
    if axis.range:
        getattr(axes, f"set_{name}lim")(*axis.range)


def _series(axes: Any, series: Series, colour: str, space: bool) -> None:
    if series.style == "surface":
        across, along = ([[x] * len(series.y) for x in series.x], [list(series.y)] * len(series.x))
        _surface(axes, across, along, series.z)
        return
    y = series.frames[-1] if series.frames else series.y
    points: tuple[Any, ...] = (series.x, y, series.z) if space else (series.x, y)
    beside = any(len(text) > _INSIDE for text in series.texts)
    size = 3 if not series.texts else 10 if beside else 18
    looks: dict[str, dict[str, Any]] = {
        "dashed": {"linestyle": "--"},
        "points": {"linestyle": "", "marker": "o", "markersize": size, "alpha": 1 if series.texts else 0.6},
        "marked": {"marker": "o", "markersize": 3},
        "wire": {"color": "#8a949e", "linewidth": 0 if series.texts else 0.7, "label": "_"},
    }
    look = {"color": colour, "linewidth": 1.5, "label": series.name, **looks.get(series.style, {})}
    axes.plot(*points, **look)
    inside = series.style == "points" and not beside
    below = {"xytext": (0, -11), "textcoords": "offset points"} if series.style == "points" and beside else {}
    for x, height, text in zip(series.x, y, series.texts, strict=False):
        colour = "white" if inside else "#1b1f24"
        axes.annotate(text, (x, height), ha="center", va="center", fontsize=7, color=colour, **below)


def _surface(axes: Any, x: Iterable[Iterable[float]], y: Iterable[Iterable[float]], z: Iterable[Iterable[float]]) -> None:
    import numpy as np

    axes.plot_surface(
        *(np.array(list(map(list, grid))) for grid in (x, y, z)), cmap="viridis", alpha=0.8, linewidth=0, rcount=40, ccount=40
    )
