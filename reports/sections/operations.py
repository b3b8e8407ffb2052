"""A page for each operation: accuracy of every case, its timings, and, on pages of their own, all its records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reports import records
from reports.charts import figure_data, plots
from reports.findings import failures, hrefs, known
from reports.page import Page, Section
from reports.sweeps import path as sweep_path
from reports.text import slug
from reports.timings import timings
from reports.view import SEVERITY, CaseView, View, tally
from suite.model import Record

_MEASURES = {
    "ulp": ("max error (ulp)", "max ulp"),
    "mean": ("mean error (ulp)", "mean ulp"),
    "rounded": ("correctly rounded (share)", "correctly rounded"),
    "zeros": ("premature zeros (count)", "premature zeros"),
    "frontier": ("frontier", "frontier"),
}
"""What is measured beside the verdict: a record's metric, or a key in ``extra`` of the verdict's record."""

_ELSEWHERE = ("benchmark", "sweep", "search")
"""Families whose records are shown in tables of their own."""


@dataclass(frozen=True)
class Accuracy:
    """How accurate a case is, in its value or its gradient."""

    bound: Record | None
    measures: dict[str, object]

    def get(self, name: str) -> object:
        """A measure, or ``None`` where it was not taken."""
        return self.measures.get(name)


def accuracy(view: CaseView, side: str) -> Accuracy:
    """What is known of a case's value or gradient."""
    records = [r for r in view.records if ("gradient" in r.check) == (side == "gradient") and r.family not in _ELSEWHERE]
    bounds = [r for r in records if r.check == f"{side}_within_bound" and r.metric == "share of bound"]
    bound = max(bounds, key=lambda r: (SEVERITY[r.status], r.value or 0.0), default=None)
    measures: dict[str, object] = {}
    for name, (metric, key) in _MEASURES.items():
        graded = [r for r in records if r.metric == metric and r.value is not None]
        extra = [r.extra[key] for r in ([bound] if bound else records) if key in r.extra]
        measures[name] = graded[0].value if graded else extra[0] if extra else None
    return Accuracy(bound, measures)


def pages(view: View) -> Iterator[Page]:
    """The list of operations, a page for each, and pages of records."""
    listed = [(name, f"operations/{slug(name)}.html", tally(cases), cases) for name, cases in view.by_operation.items()]
    yield Page("operations.html", "operations.j2", "Operations", {"operations": listed})
    where = hrefs(view.cases)
    for operation, path, counts, cases in listed:
        shown = [v for v in cases if v.listed]
        checked = [v for v in shown if any(r.family not in _ELSEWHERE for r in v.records)]
        times = timings(shown)
        context = {
            "operation": operation,
            "counts": counts,
            "accuracies": [(v, accuracy(v, "value"), accuracy(v, "gradient"), tally([v])) for v in checked],
            "failures": failures(cases),
            "known": known(cases),
            "hrefs": where,
            "timings": times,
            "figure": figure_data(times),
            "plots": ["bars", *(name for name in plots(times) if name == "accuracy")],
            "swept": sweep_path(operation) if any(r.family == "sweep" for v in shown for r in v.records) else "",
        }
        yield Page(path, "operation.j2", operation, context, figures=bool(times))
        yield from records.pages(operation, path, cases, where)


SECTION = Section("Operations", 10, pages)
