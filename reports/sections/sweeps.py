"""Every input of a format: the error of each output over all of them, on a page for each operation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reports.operations import path as operation_path
from reports.page import Page, Section, numbered
from reports.sweeps import Group, Sweep, groups, parts, path, sweeps
from reports.view import View, dtype_order, group_by


def pages(view: View) -> Iterator[Page]:
    """What was swept, and a page for each operation, continued on further pages if it is long."""
    rows = sweeps(view.listed)
    swept = [_Swept(operation, parts(found)) for operation, found in group_by(rows, lambda row: row.view.case.operation).items()]
    searched = [(v, r) for v in view.listed for r in v.records if r.family == "search"]
    yield Page("sweeps.html", "sweeps.j2", "Sweeps", {"swept": swept, "lead": _lead(rows), "searched": searched})
    for each in swept:
        for number, (page, part) in enumerate(zip(each.paths, each.parts, strict=True), 1):
            partial = any(row.partial for group in part for row in group.rows)
            context = {"swept": each, "partial": partial, "part": part, "figures": operation_path(each.operation), "number": number}
            yield Page(page, "sweep.j2", f"{each.operation}: sweep", context)


@dataclass(frozen=True)
class _Swept:
    """An operation's outputs, in groups, on pages."""

    operation: str
    parts: list[list[Group]]

    @property
    def paths(self) -> list[str]:
        """Its pages."""
        return numbered(path(self.operation), len(self.parts))

    @property
    def groups(self) -> list[tuple[Group, str]]:
        """Each group with the place where it begins; its further pieces, if it is cut, are put together again."""
        placed = [(path, group) for path, part in zip(self.paths, self.parts, strict=True) for group in part]
        where = {id(row): f"{path}#{group.anchor}" for path, group in placed for row in group.rows}
        return [(group, where[id(group.rows[0])]) for group in groups(row for _, group in placed for row in group.rows)]


def _lead(rows: list[Sweep]) -> dict[str, object]:
    """What the first sentence is made of."""
    compared = [row for row in rows if row.count("inputs")]
    judged = [row for row in compared if not row.partial]
    return {
        "partial": len(compared) - len(judged),
        "outputs": len(judged),
        "cases": len({row.view.case for row in judged}),
        "inputs": sum(row.count("inputs") or 0 for row in judged),
        "dtypes": sorted({row.view.case.dtype for row in judged}, key=dtype_order),
        "lost": len(rows) - len(compared),
    }


SECTION = Section("Sweeps", 15, pages)
