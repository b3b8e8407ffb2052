"""Figures out of arrays: short ways to what :mod:`suite.model` spells out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from suite.model import Axis, Figure, Panel, Series

Style = Literal["line", "dashed", "points", "marked", "surface", "wire"]


def numbers(array: ArrayLike) -> tuple[float, ...]:
    """With the six digits that a figure can show."""
    return tuple(float(f"{v:.6g}") for v in np.asarray(array, dtype=np.float64).ravel().tolist())


def line(name: str, x: ArrayLike, y: ArrayLike, style: Style = "line", **more: Any) -> Series:
    """A series of points in the plane."""
    return Series(name, numbers(x), numbers(y), style=style, **more)


def moving(name: str, x: ArrayLike, frames: Sequence[ArrayLike], style: Style = "line") -> Series:
    """A series whose y changes from step to step."""
    made = tuple(numbers(frame) for frame in frames)
    return Series(name, numbers(x), made[0], style=style, frames=made)


def path(name: str, x: ArrayLike, y: ArrayLike, z: ArrayLike = (), style: Style = "marked") -> Series:
    """A way through the plane, or through space, that is gone step by step."""
    return Series(name, numbers(x), numbers(y), numbers(z), style=style, reveal=True)


def surface(name: str, x: ArrayLike, y: ArrayLike, z: ArrayLike) -> Series:
    """A surface over a grid: ``z`` is ``(len(x), len(y))``."""
    return Series(name, numbers(x), numbers(y), tuple(numbers(row) for row in np.asarray(z)), style="surface")


def chart(title: str, x: Axis, y: Axis, *series: Series) -> Panel:
    """A drawing with two axes."""
    return Panel(title, series, x, y)


def network(title: str, layers: Sequence[tuple[str, Sequence[str]]]) -> Panel:
    """A diagram of a network: for each layer its name and its nodes' names, every node joined to all of the next layer.

    A name of three dots stands for the nodes that are left out.
    """
    height = max(len(nodes) for _, nodes in layers)
    place = [[(float(i), (height - len(nodes)) / 2 + j) for j in range(len(nodes))] for i, (_, nodes) in enumerate(layers)]
    xs, ys = [], []
    for left, right in pairwise(place):
        for a in left:
            for b in right:
                xs += [a[0], b[0], np.nan]
                ys += [-a[1], -b[1], np.nan]
    nodes = [spot for column in place for spot in column]
    texts = tuple(name for _, column in layers for name in column)
    edges = Series("weights", numbers(xs), numbers(ys), style="wire")
    dots = Series("nodes", numbers([x for x, _ in nodes]), numbers([-y for _, y in nodes]), style="points", texts=texts)
    heads = Series("layers", numbers(range(len(layers))), numbers([0.8] * len(layers)), style="wire", texts=tuple(n for n, _ in layers))
    return Panel(title, (edges, dots, heads))


def figure(caption: str, *panels: Panel, steps: Sequence[object] = ()) -> Figure:
    """Panels side by side."""
    return Figure(caption, panels, tuple(str(step) for step in steps))
