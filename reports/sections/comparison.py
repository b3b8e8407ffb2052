"""Two releases beside each other: what is worse, better, or different in bits alone, and what is slower or faster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.compared import Comparison
from reports.comparison import KINDS, PATH, TITLES, Part, figure_data, mode, parts, paths
from reports.page import Page, Section
from reports.view import View


def pages(view: View) -> Iterator[Page]:
    """Each comparison, the latest first, continued on further pages if it is long."""
    comparisons = view.results.comparisons
    where = paths(comparisons)
    others = [(found, path[0]) for found, path in zip(comparisons, where, strict=True)]
    if not comparisons:
        yield Page(PATH, "comparison.j2", "Comparison", {"comparison": None})
    for found, mine in zip(comparisons, where, strict=True):
        yield from _pages(found, mine, others)


def _pages(found: Comparison, mine: Sequence[str], others: Sequence[tuple[Comparison, str]]) -> Iterator[Page]:
    split = parts(found)
    contents = list(_contents(split, mine))
    shared = {"comparison": found, "others": others, "paths": mine, "verdicts": KINDS, "titles": TITLES, "mode": mode, "contents": contents}
    timed = next((part for part in split if part["speed"]), None)
    for number, (path, part) in enumerate(zip(mine, split, strict=True), 1):
        figure = figure_data([cell for each in split for cell in each["speed"]]) if part is timed else None
        context = {**shared, "number": number, "part": part, "figure": figure}
        yield Page(path, "comparison.j2", "Comparison", context, figures=bool(figure and figure["rows"]), scripts=("ratios.js",))


def _contents(split: Sequence[Part], mine: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    """What there is, how much of it, and where it begins; nowhere if there is none."""
    for name, title in TITLES.items():
        begins = next((f"{path}#{name}" for path, part in zip(mine, split, strict=True) if part[name]), "")
        yield title, sum(len(part[name]) for part in split), begins


SECTION = Section("Comparison", 22, pages)
