"""An operation as a reader looks at it: how accurate each case is, what it is known to get wrong, and with what code that is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports import text
from reports.errors import Entry, Series
from reports.findings import Finding
from reports.points import listed
from reports.view import SEVERITY, CaseView
from suite.model import Record

MEASURES = {
    "ulp": ("max error (ulp)", "max ulp"),
    "mean": ("mean error (ulp)", "mean ulp"),
    "rounded": ("correctly rounded (share)", "correctly rounded"),
    "zeros": ("premature zeros (count)", "premature zeros"),
}
"""What is measured beside the verdict: a record's metric, or a key in ``extra`` of the verdict's record."""

ELSEWHERE = ("benchmark", "sweep", "search")
"""Families whose records are shown in tables of their own."""

UNITS = {"float16": "2^−11", "bfloat16": "2^−8", "float32": "2^−24", "float64": "2^−53"}
"""The unit roundoff of each format."""


_CHECKS = {
    "value": ("value_within_bound", "no_premature_zero_in_value"),
    "gradient": ("gradient_within_bound", "no_premature_zero"),
    "second derivative": ("curvature_within_bound", "no_premature_zero_in_curvature"),
}
"""Which checks fail where an output is wrong: of its error, and of its zeros."""


def path(operation: str) -> str:
    """The operation's page, from the report's root."""
    return f"operations/{text.slug(operation)}.html"


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
    records = [r for r in view.records if ("gradient" in r.check) == (side == "gradient") and r.family not in ELSEWHERE]
    bounds = [r for r in records if r.check == f"{side}_within_bound" and r.metric == "share of bound"]
    bound = max(bounds, key=lambda r: (SEVERITY[r.status], r.value or 0.0), default=None)
    measures: dict[str, object] = {}
    for name, (metric, key) in MEASURES.items():
        graded = [r for r in records if r.metric == metric and r.value is not None]
        extra = [r.extra[key] for r in ([bound] if bound else records) if key in r.extra]
        measures[name] = graded[0].value if graded else extra[0] if extra else None
    return Accuracy(bound, measures)


def shown_by(series: Series, entry: Entry, findings: Sequence[Finding]) -> Finding | None:
    """A finding with code that shows such a failure of this output in one of these cases: too large an error, or a zero."""
    zero = entry.got is not None and entry.got.numbers == (0.0,)
    checks = next((names for output, names in _CHECKS.items() if series.output.startswith(output)), ())[: 2 if zero else 1]
    cases = {(view.case, view.environment) for view in series.views}
    for finding in findings:
        shown = any(record.check in checks and (view.case, view.environment) in cases for view, record in finding.shown)
        if shown and finding.worst.reproduction:
            return finding
    return None


def named(finding: Finding) -> list[str]:
    """The known failures that a sweep's finding is made of, which has no reason of its own."""
    return [str(name)[:200] for name in listed(finding.worst.extra.get("limitations"))[:20]]
