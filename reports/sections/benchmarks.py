"""Times of every operation: figures to compare by, the table that they are drawn from, and how time grows with size."""

from __future__ import annotations

from collections.abc import Iterator

from reports.charts import figure_data, plots
from reports.page import Page, Section, numbered
from reports.scaling import Fit, fits
from reports.timings import timings
from reports.view import View, paginate


def pages(view: View) -> Iterator[Page]:
    """Figures and the first part of the table, which is continued on further pages if it is long; then the fits, on pages of their own."""
    rows = timings(view.listed)
    found = fits(rows)
    parts = list(paginate(rows, lambda row: row.weight))
    paths = numbered("benchmarks.html", len(parts))
    for number, (path, part) in enumerate(zip(paths, parts, strict=True), 1):
        figure = figure_data(rows, found) if number == 1 and rows else None
        context = {
            "timings": part, "total": len(rows), "figure": figure, "plots": ["median", "first", *plots(rows), "scaling"],
            "fits": len(found), "number": number, "paths": paths,
        }  # fmt: skip
        yield Page(path, "benchmarks.j2", "Benchmarks", context, figures=figure is not None)
    if found:
        yield from _scaling_pages(found)


def _scaling_pages(found: list[Fit]) -> Iterator[Page]:
    parts = list(paginate(found, lambda fit: fit.weight))
    paths = numbered("scaling.html", len(parts))
    for number, (path, part) in enumerate(zip(paths, parts, strict=True), 1):
        yield Page(path, "scaling.j2", "Scaling with size", {"fits": part, "number": number, "paths": paths})


SECTION = Section("Benchmarks", 30, pages)
