"""Timings as rows of a table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

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
    def row_length(self) -> float | None:
        """How many elements make a row; 0 where there are no rows."""
        return self.extra("row length")

    @property
    def floor(self) -> float | None:
        """The median as a multiple of the time in which the least bytes that have to be moved could be copied."""
        return self.extra("times the memory floor")

    @property
    def max_ulp(self) -> float | None:
        """Largest error in a sample of the results, in units in the last place."""
        return self.extra("max ulp")

    @property
    def weight(self) -> int:
        """About how many characters the row takes on a page."""
        return 720


def timings(cases: Iterable[CaseView]) -> list[Timing]:
    """Every timing, by case, pass and workload size."""
    found = [Timing(v, r) for v in cases for r in v.records if r.family == "benchmark" and r.status == "grade"]
    return sorted(found, key=lambda t: (t.view.case.operation, t.record.check, t.elements or 0, t.workload, t.record.value or 0))
