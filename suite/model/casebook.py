"""The casebook: what documents claim, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["holds", "holds with limits", "no longer holds", "not reproduced"]
"""``not reproduced``: something that is asserted did not hold in this run, which fails it."""


@dataclass(frozen=True)
class Statement:
    """One assertion about what was measured, in words, with the number measured and what it is held against.

    ``role`` says what it does to the claim if it ``holds``: it bears it out, it is a ``limit`` to it, or shows that it is ``refuted``
    by today's frameworks.
    """

    text: str
    holds: bool
    measured: str = ""
    wanted: str = ""
    role: Literal["claim", "limit", "refuted"] = "claim"


@dataclass(frozen=True)
class Series:
    """Points of a figure, joined or not. In space ``z`` goes with ``x`` and ``y``; for a ``surface`` it has a row for each of ``x``.

    ``frames`` has, for each step of the figure, what stands in place of ``y``; with ``reveal`` a step n shows the first n + 1 points.
    A NaN breaks a line. ``texts`` are labels beside the points.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    z: tuple[Any, ...] = ()
    style: Literal["line", "dashed", "points", "marked", "surface", "wire"] = "line"
    texts: tuple[str, ...] = ()
    frames: tuple[tuple[float, ...], ...] = ()
    reveal: bool = False


@dataclass(frozen=True)
class Axis:
    """A label with its unit, and whether the axis is logarithmic. A ``range`` leaves out what lies beyond."""

    label: str
    log: bool = False
    range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Panel:
    """One drawing; without axes it is a diagram."""

    title: str
    series: tuple[Series, ...]
    x: Axis | None = None
    y: Axis | None = None
    z: Axis | None = None


@dataclass(frozen=True)
class Figure:
    """Panels side by side under one caption. ``steps`` are the labels of what one may step through."""

    caption: str
    panels: tuple[Panel, ...]
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows of texts under a head."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Reproduction:
    """What came of one entry of the casebook on one backend. ``error`` says what went wrong where nothing could be measured."""

    entry: str
    backend: str
    statements: tuple[Statement, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    error: str = ""
    seconds: float = 0.0
    environment: str = ""

    @property
    def verdict(self) -> Verdict:
        """What the statements make of the claim: one that does not hold spoils it, else the gravest role counts."""
        roles = {statement.role for statement in self.statements}
        if self.error or not self.statements or not all(statement.holds for statement in self.statements):
            return "not reproduced"
        return "no longer holds" if "refuted" in roles else "holds with limits" if "limit" in roles else "holds"
