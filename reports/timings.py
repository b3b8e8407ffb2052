"""Timings as rows of a table and as the data of a figure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from reports.view import CaseView
from suite.model import Record


@dataclass(frozen=True)
class Timing:
    """The time of one case, forward or gradient, over one workload. Times are in seconds; what was not measured is ``None``."""

    view: CaseView
    record: Record

    @property
    def workload(self) -> str:
        """The workload's name: 1024x1000."""
        return str(self.record.extra.get("workload", ""))

    @property
    def elements(self) -> float | None:
        """How many elements the workload holds."""
        return self.extra("elements")

    @property
    def first(self) -> float | None:
        """The first call: tracing and compiling included."""
        return self.extra("first call (s)")

    @property
    def per_element(self) -> float | None:
        """Nanoseconds an element, in the median."""
        elements, median = self.elements, self.record.value
        computed = median / elements * 1e9 if elements and median is not None else None
        return self.extra("ns per element") or computed

    def extra(self, key: str) -> float | None:
        """A further number of the record, if it is one."""
        value = self.record.extra.get(key)
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return float(value) if good and value is not None else None

    @property
    def weight(self) -> int:
        """About how many characters the row takes on a page."""
        return 620


def timings(cases: Iterable[CaseView]) -> list[Timing]:
    """Every timing, by case, pass and workload size."""
    found = [Timing(v, r) for v in cases for r in v.records if r.family == "benchmark" and r.status == "grade"]
    return sorted(found, key=lambda t: (t.view.case.operation, t.record.check, t.elements or 0, t.workload, t.record.value or 0))


def figure_data(rows: Iterable[Timing]) -> dict[str, Any]:
    """What the figures' script needs: texts once, and rows of indices into them and numbers."""
    texts: dict[str, int] = {}

    def index(name: str) -> int:
        return texts.setdefault(name, len(texts))

    coded = []
    for row in rows:
        case = row.view.case
        mode = case.mode if case.device == "cpu" else f"{case.mode}, {case.device}"
        names = (case.operation, row.view.column, mode, case.implementation, case.dtype, row.workload, row.record.check)
        values = (row.record.value, row.per_element, row.first, row.elements)
        coded.append([*map(index, names), *(_finite(value) for value in values)])
    return {"texts": list(texts), "rows": coded}


def _finite(value: float | None) -> float | None:
    return float(f"{value:.4g}") if value is not None and math.isfinite(value) and value > 0 else None
