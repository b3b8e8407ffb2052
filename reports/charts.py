"""Timings and their fits as the data of figures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from reports.scaling import Fit
from reports.timings import Timing
from reports.view import group_by


def plots(rows: Iterable[Timing]) -> list[str]:
    """The figures that not every result file has something for."""
    found = list(rows)
    floor = ["floor"] if any(row.floor for row in found) else []
    return [*floor, *(["accuracy"] if any(row.max_ulp is not None for row in found) else [])]


def figure_data(rows: Iterable[Timing], fits: Iterable[Fit] = ()) -> dict[str, Any]:
    """What the figures' script needs: texts once; the workloads' sizes; for each case, indices of texts, its timings and its fits.

    A timing is the indices of its workload and its pass, the median in µs, the first call in ms, multiples of the memory floor, and the
    largest and the mean error in ULP. A fit is the index of its pass, the length of its rows, the call in µs and an element in ns.
    """
    texts: dict[str, int] = {}
    sizes: dict[int, list[float | None]] = {}
    fitted = group_by(fits, lambda fit: fit.timings[0].view.anchor)

    def index(name: str) -> int:
        return texts.setdefault(name, len(texts))

    def size(row: Timing) -> int:
        place = index(row.workload)
        sizes[place] = [row.elements, row.row_length]
        return place

    coded = []
    for anchor, found in group_by(rows, lambda row: row.view.anchor).items():
        view = found[0].view
        mode = view.case.mode if view.case.device == "cpu" else f"{view.case.mode}, {view.case.device}"
        names = (view.case.operation, view.column, mode, view.case.implementation, view.case.dtype)
        timed = [[size(row), index(row.record.check), *_numbers(row)] for row in found]
        lines = [[index(f.check), f.row_length, _rounded(f.call * 1e6), _rounded(f.element * 1e9)] for f in fitted.get(anchor, [])]
        coded.append([*map(index, names), timed, lines])
    return {"texts": list(texts), "sizes": sizes, "cases": coded}


def _numbers(row: Timing) -> list[float | None]:
    """What the figures show of a timing."""
    times = [_positive(row.record.value, 1e6), _positive(row.first, 1e3), _positive(row.floor)]
    return [*times, _rounded(row.max_ulp), _rounded(row.extra("mean ulp"))]


def _positive(value: float | None, factor: float = 1.0) -> float | None:
    return _rounded(value * factor) if value is not None and math.isfinite(value) and value > 0 else None


def _rounded(value: float | None) -> float | None:
    """Four digits, and no decimal point where none is needed: there are many of these numbers."""
    if value is None:
        return None
    short = float(f"{value:.4g}")
    return int(short) if short.is_integer() else short
