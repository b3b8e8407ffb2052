"""Still pictures of the casebook's figures, as SVG: what a page shows without scripts, and what can be put elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from reports import space
from reports.drawing import COLOURS, SOFT, TEXT, Scale, element, path, sign, words
from suite.model import Axis, Figure, Panel, Series

_WIDE = 3
"""Panels side by side at most."""
_WIDTH, _HEIGHT = 430.0, 300.0
"""A panel's, without its legend."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 14.0, 30.0, 44.0
_HEAD, _LINE = 34.0, 15.0
"""What the caption takes, and a line of a legend."""
_INSIDE = 3
"""Characters that stand inside a node; what is longer stands below it."""


def draw(figure: Figure) -> str:
    """All panels; of what is stepped through, the last step."""
    rows = [figure.panels[at : at + _WIDE] for at in range(0, len(figure.panels), _WIDE)]
    width = _WIDTH * max((len(row) for row in rows), default=1)
    drawn, top, number = [], _HEAD, 0
    for row in rows:
        for column, panel in enumerate(row):
            number += 1
            moved = f"translate({column * _WIDTH:g} {top:g})"
            drawn.append(element("g", "".join(_panel(panel, f"panel-{number}")), transform=moved))
        top += _HEIGHT + _LINE * max(len(_legend(panel)) for panel in row)
    caption = words(width / 2, 21, figure.caption, "middle", 15)
    paper = element("rect", width=width, height=top, fill="white")
    return element(
        "svg", paper, caption, *drawn, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width:g} {top:g}", width=width, height=top,
        font_family="system-ui, 'DejaVu Sans', sans-serif", fill=TEXT, role="img", aria_label=figure.caption,
    )  # fmt: skip


def _panel(panel: Panel, name: str) -> Iterator[str]:
    yield words(_WIDTH / 2, 20, panel.title, "middle", 12)
    if panel.z:
        yield space.draw(panel, (_WIDTH, _HEIGHT), _TOP)
        return
    if panel.x is None or panel.y is None:
        yield from _diagram(panel)
        return
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    x = Scale.fit(panel.x, (v for s in panel.series for v in s.x), _LEFT, right)
    y = Scale.fit(panel.y, (v for s in panel.series for v in shown(s)), bottom, _TOP)
    yield from _axes(panel.x, panel.y, x, y)
    inside = element("rect", x=_LEFT, y=_TOP, width=right - _LEFT, height=bottom - _TOP)
    yield element("clipPath", inside, id=name)
    yield element("g", *(_series(s, number, x, y) for number, s in enumerate(panel.series)), clip_path=f"url(#{name})")
    yield from _legend_lines(panel)


def shown(series: Series) -> Sequence[float]:
    """The heights of the last step."""
    return series.frames[-1] if series.frames else series.y


def _axes(across: Axis, along: Axis, x: Scale, y: Scale) -> Iterator[str]:
    grid = [f"M{at:.1f} {y.start:g}V{y.stop:g}" for at, _ in x.ticks] + [f"M{x.start:g} {at:.1f}H{x.stop:g}" for at, _ in y.ticks]
    yield element("path", d="".join(grid), stroke="#d9dbde", stroke_width=0.6, fill="none")
    yield element("path", d=f"M{x.start:g} {y.stop:g}V{y.start:g}H{x.stop:g}", stroke=SOFT, fill="none")
    yield from (words(at, y.start + 14, label, "middle", 10) for at, label in x.ticks)
    yield from (words(x.start - 5, at + 3.5, label, "end", 10) for at, label in y.ticks)
    yield words((x.start + x.stop) / 2, y.start + 31, across.label, "middle", 11)
    middle = (y.start + y.stop) / 2
    yield words(13, middle, along.label, "middle", 11, transform=f"rotate(-90 13 {middle:g})")


def _series(series: Series, number: int, x: Scale, y: Scale) -> str:
    points = [(x(a), y(b)) for a, b in zip(series.x, shown(series), strict=False)]
    colour = COLOURS[number % len(COLOURS)]
    parts = []
    if series.style != "points":
        dashes = {"stroke_dasharray": "6 4"} if series.style == "dashed" else {}
        grey = series.style == "wire"
        parts.append(
            element("path", d=path(points), stroke=SOFT if grey else colour, stroke_width=1 if grey else 1.6, fill="none", **dashes)
        )
    if series.style in ("points", "marked"):
        parts.append(_dots(points, colour, 2.2 if series.style == "marked" else 1.8))
    parts += [words(a, b - 4, text, "middle", 10) for (a, b), text in zip(points, series.texts, strict=False) if sign(a, b)]
    return "".join(parts)


def _dots(points: Iterable[tuple[float, float]], colour: str, radius: float) -> str:
    """Round ends of lines without a length: the shortest way to write many."""
    dots = dict.fromkeys(f"M{a:.1f} {b:.1f}h0" for a, b in points if sign(a, b))
    return element("path", d="".join(dots), stroke=colour, stroke_width=2 * radius, stroke_linecap="round", fill="none")


def _diagram(panel: Panel) -> Iterator[str]:
    """Nodes and what joins them, without axes."""
    xs, ys = ([v for s in panel.series for v in values(s) if math.isfinite(v)] or [0.0] for values in (lambda s: s.x, shown))
    x = Scale(min(xs) - 0.45, max(xs) + 0.45, 8, _WIDTH - 8)
    y = Scale(min(*ys, -1) - 0.8, max(ys) + 0.4, _HEIGHT - 8, _TOP)
    for number, series in enumerate(panel.series):
        places = [(x(a), y(b)) for a, b in zip(series.x, shown(series), strict=False)]
        if series.style != "points":
            yield "" if series.texts else element("path", d=path(places), stroke="#8a949e", stroke_width=0.7, fill="none")
            yield from (words(a, b + 3, text, "middle", 9) for (a, b), text in zip(places, series.texts, strict=False) if sign(a, b))
            continue
        below = any(len(text) > _INSIDE for text in series.texts)
        yield _dots(places, COLOURS[number % len(COLOURS)], 7 if below else 11)
        for (a, b), text in zip(places, series.texts, strict=False):
            if sign(a, b):
                yield words(a, b + (18 if below else 3), text, "middle", 9, fill=TEXT if below else "white")


def _legend(panel: Panel) -> list[list[tuple[int, Series]]]:
    """The named series in lines that are as long as the panel is wide."""
    if panel.x is None or panel.z:
        return []
    named = [(number, s) for number, s in enumerate(panel.series) if s.style != "wire" and not s.texts]
    ends: list[tuple[int, float]] = []
    reached = 0.0
    for _, series in named:
        width = 34 + 5.8 * len(series.name)
        line = ends[-1][0] if ends else 0
        line, reached = (line + 1, width) if ends and reached + width > _WIDTH - 20 else (line, reached + width)
        ends.append((line, reached - width))
    lines = groupby(zip(ends, named, strict=True), key=lambda pair: pair[0][0])
    return [[entry for _, entry in group] for _, group in lines]


def _legend_lines(panel: Panel) -> Iterator[str]:
    for row, line in enumerate(_legend(panel)):
        at, height = 14.0, _HEIGHT + _LINE * row + 3
        for number, series in line:
            yield _swatch(series, COLOURS[number % len(COLOURS)], at, height - 3.5) + words(at + 22, height, series.name, "start", 10)
            at += 34 + 5.8 * len(series.name)


def _swatch(series: Series, colour: str, x: float, y: float) -> str:
    if series.style == "points":
        return _dots([(x + 8, y)], colour, 2.5)
    dashes = {"stroke_dasharray": "6 4"} if series.style == "dashed" else {}
    return element("path", d=f"M{x:g} {y:g}h17", stroke=colour, stroke_width=1.6, fill="none", **dashes)
