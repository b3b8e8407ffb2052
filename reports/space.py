"""Still pictures in space: surfaces and curves over a floor, looked at from above and from the side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from reports.drawing import COLOURS, SOFT, Scale, element, path, sign, words
from suite.model import Axis, Panel, Series

_AZIMUTH, _ELEVATION = math.radians(65), math.radians(22)
_VIRIDIS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
_PIECES = 9
"""Into which a surface is cut along each side, at least, if it has as many."""
_UNIT = (-0.5, 0.5)

Point = tuple[float, float, float]


def draw(panel: Panel, size: tuple[float, float], top: float) -> str:
    """A panel's surfaces, from the back to the front, its curves and its axes in a box."""
    assert panel.x
    assert panel.y
    assert panel.z
    heights = [v for s in panel.series for row in s.z for v in (row if isinstance(row, (list, tuple)) else (row,))]
    axes: tuple[Axis, Axis, Axis] = (panel.x, panel.y, panel.z)
    values = ([v for s in panel.series for v in s.x], [v for s in panel.series for v in s.y], heights)
    x, y, z = (Scale.fit(axis, found, *_UNIT) for axis, found in zip(axes, values, strict=True))
    view = _View(size[0] / 2, (top + size[1]) / 2 - 4, 0.56 * (size[1] - top))
    drawn = [_floor(view), *_labels(view, axes, (x, y, z))]
    for number, series in enumerate(panel.series):
        if series.style == "surface":
            quads = _surface(view, series, x, y, z)
            drawn.append(element("g", *quads, fill="currentColor", stroke="currentColor", stroke_width=0.4, fill_opacity=0.85))
        else:
            points = [view((x(a), y(b), z(c))) for a, b, c in zip(series.x, series.y, series.z, strict=False)]
            drawn.append(element("path", d=path(points), stroke=COLOURS[number % len(COLOURS)], stroke_width=1.8, fill="none"))
            dots = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in points if sign(a, b)) if series.style != "line" else ""
            drawn.append(element("path", d=dots, stroke=COLOURS[number % len(COLOURS)], stroke_width=4, stroke_linecap="round"))
    return "".join(drawn)


class _View:
    """A parallel projection of the unit box onto the page."""

    def __init__(self, x: float, y: float, size: float) -> None:
        self._x, self._y, self._size = x, y, size

    def __call__(self, point: Point) -> tuple[float, float]:
        x, y, z = point
        across = y * math.cos(_AZIMUTH) - x * math.sin(_AZIMUTH)
        up = z * math.cos(_ELEVATION) - self._near(point) * math.sin(_ELEVATION)
        return self._x + self._size * across, self._y - self._size * up

    @staticmethod
    def _near(point: Point) -> float:
        return point[0] * math.cos(_AZIMUTH) + point[1] * math.sin(_AZIMUTH)

    def depth(self, point: Point) -> float:
        """How near a point is to who looks."""
        return self._near(point) * math.cos(_ELEVATION) + point[2] * math.sin(_ELEVATION)


def _surface(view: _View, series: Series, x: Scale, y: Scale, z: Scale) -> Iterator[str]:
    """Its quadrilaterals, the farthest first; of many places every second, third … is enough for a still picture."""
    rows, columns = (slice(None, None, max(1, len(along) // _PIECES)) for along in (series.x, series.y))
    grid = [
        [(x(a), y(b), z(c)) for b, c in zip(series.y[columns], row[columns], strict=False)]
        for a, row in zip(series.x[rows], series.z[rows], strict=False)
    ]
    quads = [
        (grid[i][j], grid[i + 1][j], grid[i + 1][j + 1], grid[i][j + 1])
        for i in range(len(grid) - 1)
        for j in range(min(len(grid[i]), len(grid[i + 1])) - 1)
    ]
    drawn = [quad for quad in quads if all(map(math.isfinite, (v for corner in quad for v in corner)))]
    for quad in sorted(drawn, key=lambda corners: sum(map(view.depth, corners))):
        yield element("path", d=f"{path(map(view, quad))}Z", color=_colour(sum(corner[2] for corner in quad) / 4 + 0.5))


def _colour(share: float) -> str:
    place = min(max(share, 0.0), 1.0) * (len(_VIRIDIS) - 1)
    at = min(int(place), len(_VIRIDIS) - 2)
    mixed = (round(a + (place - at) * (b - a)) for a, b in zip(_VIRIDIS[at], _VIRIDIS[at + 1], strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _floor(view: _View) -> str:
    """The floor, and the edges at the back."""
    low, high = _UNIT
    floor = path(map(view, [(low, low, low), (high, low, low), (high, high, low), (low, high, low)])) + "Z"
    back = path(map(view, [(low, high, low), (low, high, high), (low, low, high), (high, low, high), (high, low, low)]))
    up = path(map(view, [(low, low, low), (low, low, high)]))
    return element("path", d=floor + back + up, stroke="#c4c8cc", stroke_width=0.8, fill="none")


def _labels(view: _View, axes: tuple[Axis, Axis, Axis], scales: tuple[Scale, Scale, Scale]) -> Iterator[str]:
    """Each axis' name and its round numbers along an edge of the box."""
    out = 0.58
    edges: tuple[tuple[Callable[[float], Point], str, float], ...] = (
        (lambda t: (t, out, -0.5), "middle", 30), (lambda t: (out, t, -0.5), "end", 30), (lambda t: (0.5, -0.52, t), "end", -82)
    )  # fmt: skip
    for axis, scale, (edge, anchor, below) in zip(axes, scales, edges, strict=True):
        ticks = scale.ticks
        for place, label in ticks[:: max(1, len(ticks) // 3)]:
            x, y = view(edge(place))
            yield words(x, y + (3 if below < 0 else 10), label, anchor, 9, fill=SOFT)
        x, y = view(edge(0.0))
        yield words(x - (22 if anchor == "end" and below > 0 else 0), y + below, axis.label, "middle", 10)
