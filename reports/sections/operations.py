"""A page for each operation: what it is, its errors, special values, limits, accuracy, times; and, on pages of their own, all records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reports import charts, errors, records, specials
from reports.findings import Finding, failures, hrefs, known
from reports.operations import ELSEWHERE, UNITS, accuracy, named, path, shown_by
from reports.page import Page, Section
from reports.sweeps import path as sweep_path
from reports.timings import timings
from reports.view import CaseView, View, tally

_FINDINGS = 40
"""Findings that are shown, failures first; the others are counted, and are where all findings are."""
_SNIPPETS = 3
"""Of these, those that are shown with their code."""


def pages(view: View) -> Iterator[Page]:
    """The list of operations, a page for each, and pages of records."""
    listed = [(name, path(name), tally(cases), cases) for name, cases in view.by_operation.items()]
    defined = view.results.operations
    yield Page("operations.html", "operations.j2", "Operations", {"operations": listed, "defined": defined})
    where = hrefs(view.cases)
    for operation, page, counts, cases in listed:
        shown = [v for v in cases if v.listed]
        checked = [v for v in shown if any(r.family not in ELSEWHERE for r in v.records)]
        findings, times = [*failures(cases), *known(cases)], timings(shown)
        found = findings[:_FINDINGS]
        context = {
            "operation": operation,
            "counts": counts,
            "defined": defined.get(operation),
            "units": UNITS,
            **_errors(shown, found),
            "specials": specials.tables(shown),
            "statements": {name: check.statement for name, check in view.results.checks.items()},
            "findings": found,
            "more": len(findings) - len(found),
            "snippets": _SNIPPETS,
            "named": named,
            "anchors": {f.limitation: f.anchor for f in found if f.limitation},
            "hrefs": where,
            "accuracies": [(v, accuracy(v, "value"), accuracy(v, "gradient"), tally([v])) for v in checked],
            "timings": times,
            "figure": charts.figure_data(times),
            "plots": ["bars", *(name for name in charts.plots(times) if name == "accuracy")],
            "swept": sweep_path(operation) if any(r.family == "sweep" for v in shown for r in v.records) else "",
        }
        drawn = bool(times or context["series"])
        yield Page(page, "operation.j2", operation, context, figures=drawn, scripts=("errors.js", "charts.js"))
        yield from records.pages(operation, page, cases, where)


def _errors(cases: Sequence[CaseView], findings: Sequence[Finding]) -> dict[str, Any]:
    """The series of errors, their figures' data, the worst inputs, each with a finding that has code for it."""
    found = errors.series(cases)
    worst = [(one, entry, shown_by(one, entry, findings)) for one, entry in errors.worst_cases(found)]
    return {"series": found, "errors": errors.figure_data(found), "worst": worst}


SECTION = Section("Operations", 10, pages)
