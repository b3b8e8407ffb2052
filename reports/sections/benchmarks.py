"""Times of every operation: figures to compare by, and the table that they are drawn from."""

from __future__ import annotations

from collections.abc import Iterator

from reports.page import Page, Section, numbered
from reports.timings import figure_data, timings
from reports.view import View, paginate


def pages(view: View) -> Iterator[Page]:
    """Figures and the first part of the table, which is continued on further pages if it is long."""
    rows = timings(view.cases)
    parts = list(paginate(rows, lambda row: row.weight))
    paths = numbered("benchmarks.html", len(parts))
    for number, (path, part) in enumerate(zip(paths, parts, strict=True), 1):
        figure = figure_data(rows) if number == 1 and rows else None
        context = {"timings": part, "total": len(rows), "figure": figure, "number": number, "paths": paths}
        yield Page(path, "benchmarks.j2", "Benchmarks", context, figures=figure is not None)


SECTION = Section("Benchmarks", 30, pages)
