"""Runs over time: which accuracies and times have changed their level, and a page of figures for each operation."""

from __future__ import annotations

from collections.abc import Iterator

from reports.history import History, Series
from reports.page import Page, Section, numbered
from reports.text import slug
from reports.trends import figure_data, rows
from reports.view import View, paginate

WEIGHT = 700
"""About how many characters a row of a table takes, and its line in the figure."""


def pages(view: View) -> Iterator[Page]:
    """The steps, continued on further pages if they are many, and a page for each operation."""
    history = view.history
    if history is None:
        yield Page("history.html", "history.j2", "History", {"history": None})
        return
    split = {operation: list(paginate(series, _weight)) for operation, series in history.by_operation.items()}
    paths = {operation: numbered(f"history/{slug(operation)}.html", len(parts)) for operation, parts in split.items()}
    steps = list(paginate(history.steps, lambda _: WEIGHT))
    where = numbered("history.html", len(steps))
    for number, (path, part) in enumerate(zip(where, steps, strict=True), 1):
        context = {"history": history, "steps": part, "number": number, "paths": where, "operations": _operations(history, paths)}
        context |= {"where": {operation: pages[0] for operation, pages in paths.items()}}
        yield Page(path, "history.j2", "History", {**context, "total": len(history.steps)})
    for operation, parts in split.items():
        for number, (path, series) in enumerate(zip(paths[operation], parts, strict=True), 1):
            context = {"history": history, "operation": operation, "number": number, "paths": paths[operation]}
            tables = {"accuracy": rows(series, speed=False), "speed": rows(series, speed=True)}
            figure = figure_data(history.runs, series)
            title = f"{operation}: history"
            yield Page(path, "trends.j2", title, {**context, **tables, "figure": figure}, figures=True, scripts=("history.js",))


def _weight(series: Series) -> int:
    return WEIGHT // 2 + 14 * len(series.values) // (1 if series.steps else 2)


def _operations(history: History, paths: dict[str, list[str]]) -> list[tuple[str, str, int, int]]:
    """Each operation with its page, the number of its series, and of the steps among them."""
    found = history.by_operation
    return [(operation, paths[operation][0], len(series), sum(len(s.steps) for s in series)) for operation, series in found.items()]


SECTION = Section("History", 35, pages)
