"""How time grows with size: a time that every call takes, and a time for each element, fitted to the sizes that were measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.text import number
from reports.timings import Timing
from reports.view import group_by

FEWEST = 3
"""Sizes below which nothing is fitted: two parameters fit two of them anyhow."""


@dataclass(frozen=True)
class Fit:
    """t = ``call`` + ``element``·n, in seconds, for n elements: what ``timings`` of one case and pass, with rows of one length, say.

    ``off`` is the largest relative distance of a measured time, ``exponent`` the slope of log t over log n.
    """

    timings: Sequence[Timing]
    call: float
    element: float
    off: float
    exponent: float

    @property
    def check(self) -> str:
        """Forward, or with the gradient."""
        return self.timings[0].record.check

    @property
    def row_length(self) -> float | None:
        """How many elements make a row; 0 where there are no rows."""
        return self.timings[0].row_length

    @property
    def dispatch(self) -> str:
        """The size from which the elements take longer than the call, as far as the sizes that were measured can tell."""
        least, most = self.timings[0].elements or 0.0, self.timings[-1].elements or 0.0
        if self.turn < least:
            return f"below {number(least)}"
        return f"above {number(most)}" if self.turn > most else number(float(f"{self.turn:.2g}"))

    @property
    def turn(self) -> float:
        """The size from which the elements take longer than the call; infinite where none does."""
        return self.call / self.element if self.element else math.inf

    @property
    def weight(self) -> int:
        """About how many characters the row takes on a page."""
        return 560


def fits(rows: Iterable[Timing]) -> list[Fit]:
    """A fit for each case and pass, and each row length, that was timed at enough sizes. Results without a row length have none."""
    usable = [t for t in rows if t.row_length is not None and t.elements and t.record.value and math.isfinite(t.record.value)]
    groups = group_by(usable, lambda t: f"{t.view.anchor} {t.record.check} {t.row_length}")
    return [fit(found) for found in groups.values() if len({t.elements for t in found}) >= FEWEST]


def fit(found: Iterable[Timing]) -> Fit:
    """The line of least squares of the relative errors, whose parameters are not negative: Σ((a + b n)/t − 1)² is least."""
    ordered = sorted(found, key=lambda t: t.elements or 0.0)
    sizes, times = [t.elements or 0.0 for t in ordered], [t.record.value or 0.0 for t in ordered]
    u, v = [1 / t for t in times], [n / t for n, t in zip(sizes, times, strict=True)]
    uu, uv, vv = _dot(u, u), _dot(u, v), _dot(v, v)
    call = (vv * sum(u) - uv * sum(v)) / (uu * vv - uv * uv)
    element = (uu * sum(v) - uv * sum(u)) / (uu * vv - uv * uv)
    if call < 0:
        call, element = 0.0, sum(v) / vv
    elif element < 0:
        call, element = sum(u) / uu, 0.0
    off = max(abs((call + element * n) / t - 1) for n, t in zip(sizes, times, strict=True))
    return Fit(ordered, call, element, off, _slope([math.log(n) for n in sizes], [math.log(t) for t in times]))


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def _slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Of the line of least squares."""
    middle, centre = math.fsum(x) / len(x), math.fsum(y) / len(y)
    moved = [value - middle for value in x]
    return _dot(moved, [value - centre for value in y]) / _dot(moved, moved)
