"""The casebook as a reader looks at it: a verdict for each claim and backend, what was stated, what to draw."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from reports.entries import Entry
from reports.text import slug
from reports.view import View, group_by
from suite.model import Figure, Reproduction, Series, Statement, Table

PATH, FOLDER = "casebook.html", "casebook"


@dataclass(frozen=True)
class Kind:
    """A verdict as it is shown: a mark and a word, so that colour is never alone; ``status`` is what it looks like."""

    mark: str
    status: str
    meaning: str


KINDS = {
    "holds": Kind("✓", "pass", "every statement that bears the claim out holds"),
    "holds with limits": Kind("≈", "known", "it holds, within limits that are stated and hold as well"),
    "no longer holds": Kind("≠", "grade", "today's frameworks do otherwise; how and why is stated, and holds"),
    "not reproduced": Kind("✗", "fail", "something that is stated does not hold in these results"),
}
_GRAVITY = list(KINDS)


@dataclass(frozen=True)
class Line:
    """A statement with what came of it on each backend that makes it."""

    text: str
    role: str
    wanted: str
    cells: tuple[tuple[str, Statement | None], ...]


@dataclass(frozen=True)
class Chapter:
    """An entry with what came of it on each backend that ``tried`` it, apart where environments differ."""

    entry: Entry
    tried: tuple[tuple[str, Reproduction], ...]

    @property
    def verdict(self) -> str:
        """The gravest of its backends' verdicts."""
        return max((r.verdict for _, r in self.tried), key=_GRAVITY.index, default="")

    @property
    def anchor(self) -> str:
        """Its place on the page, and its files' name."""
        return slug(self.entry.id)

    @property
    def lines(self) -> list[Line]:
        """The statements, those of several backends that read the same in one line."""
        groups = group_by(((name, s) for name, r in self.tried for s in r.statements), lambda pair: f"{pair[1].role}\0{pair[1].text}")
        return [_line(pairs, [name for name, _ in self.tried]) for pairs in groups.values()]

    @property
    def figures(self) -> list[tuple[str, tuple[Figure, ...]]]:
        """The figures of each backend."""
        return [(name, r.figures) for name, r in self.tried if r.figures]

    @property
    def tables(self) -> list[tuple[str, Table]]:
        """The tables; those that are the same on all backends once, under no name."""
        found = group_by(((name, table) for name, r in self.tried for table in r.tables), lambda pair: repr(pair[1]))
        return [("" if len(pairs) == len(self.tried) > 1 else ", ".join(n for n, _ in pairs), pairs[0][1]) for pairs in found.values()]


def _line(pairs: list[tuple[str, Statement]], columns: list[str]) -> Line:
    by_name = dict(pairs)
    wanted = {s.wanted for _, s in pairs}
    first = pairs[0][1]
    shared = first.wanted if len(wanted) == 1 else ""
    return Line(first.text, first.role, shared, tuple((name, by_name.get(name)) for name in columns))


def chapters(view: View) -> list[Chapter]:
    """Every entry that the results speak of, by its number."""
    by_entry = group_by(view.results.reproductions, lambda r: r.entry)
    entries = dict(view.results.entries)
    for name in by_entry:
        entries.setdefault(name, Entry(name, "", "", "", "", {}, ()))
    return [Chapter(entries[name], _tried(view, by_entry.get(name, []))) for name in sorted(entries, key=_order)]


def _order(name: str) -> tuple[int, str]:
    digits = re.search(r"\d+", name)
    return (int(digits.group()) if digits else 0, name)


def _tried(view: View, found: list[Reproduction]) -> tuple[tuple[str, Reproduction], ...]:
    return tuple(sorted(((view.column_of(r.backend, r.environment), r) for r in found), key=lambda pair: pair[0]))


def columns(found: Iterable[Chapter]) -> list[str]:
    """The backends that tried any entry, or were said to be unable to."""
    names = {name: None for chapter in found for name in (*(n for n, _ in chapter.tried), *chapter.entry.cannot)}
    return sorted(names)


def script(chapter: Chapter) -> str:
    """The figures' data as a script that hands them to the page: read from disk, a page can load nothing else.

    Lists of numbers stand behind the figures, each once, and are named there by their places: backends have most of them in common.
    """
    numbers = _Numbers()
    data = [{"backend": name, "figures": [_plain(figure, numbers) for figure in figures]} for name, figures in chapter.figures]
    given = (json.dumps(each, ensure_ascii=False, allow_nan=False, separators=(",", ":")) for each in (chapter.anchor, data, numbers.lists))
    return f"Casebook.draw({', '.join(given)});\n"


class _Numbers:
    """Lists of numbers, each once, with what JSON lacks left out, and no more digits than can be seen or pointed at."""

    def __init__(self) -> None:
        self._places: dict[tuple[float | int | None, ...], int] = {}

    @property
    def lists(self) -> list[tuple[float | int | None, ...]]:
        """All of them, by their places."""
        return list(self._places)

    def place(self, values: Iterable[float]) -> int:
        """Where a list stands."""
        return self._places.setdefault(tuple(_short(v) if math.isfinite(v) else None for v in values), len(self._places))


def _short(value: float) -> float | int:
    rounded = float(f"{value:.4g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e6 else rounded


def _plain(figure: Figure, numbers: _Numbers) -> dict[str, Any]:
    panels = [
        {
            "title": panel.title,
            "axes": {name: _axis(axis) for name, axis in (("x", panel.x), ("y", panel.y), ("z", panel.z)) if axis},
            "series": [_series(series, numbers) for series in panel.series],
        }
        for panel in figure.panels
    ]
    return {"caption": figure.caption, "panels": panels, "steps": list(figure.steps)}


def _axis(axis: Any) -> dict[str, Any]:
    return {"label": axis.label, "log": axis.log, "range": list(axis.range) if axis.range else None}


def _series(series: Series, numbers: _Numbers) -> dict[str, Any]:
    place = numbers.place
    made: dict[str, Any] = {"name": series.name, "style": series.style, "x": place(series.x), "y": place(series.y)}
    if series.z:
        made["z"] = [place(row) for row in series.z] if series.style == "surface" else place(series.z)
    if series.texts:
        made["texts"] = list(series.texts)
    if series.frames:
        made["frames"] = [place(frame) for frame in series.frames]
    return made | ({"reveal": True} if series.reveal else {})
