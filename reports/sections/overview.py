"""The first page: the verdict, what is missing, and the matrix of operations and implementations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reports.comparison import paths
from reports.findings import failures, hrefs
from reports.held import KINSHIPS, MOST, better
from reports.merge import MACHINE
from reports.page import Page, Section
from reports.read import Absent
from reports.text import slug
from reports.view import SEVERITY, CaseView, View, dtype_order, group_by, tally


@dataclass(frozen=True)
class Block:
    """One implementation in a cell of the matrix: a mark for each mode and dtype, and what has no place among them."""

    name: str
    rows: tuple[tuple[str, tuple[tuple[str, CaseView | Absent | None], ...]], ...]
    missing: tuple[Absent, ...] = ()


@dataclass(frozen=True)
class Column:
    """A backend in the matrix, in one of its environments where these differ."""

    title: str
    backend: str
    dtypes: tuple[str, ...]
    missing: str = ""


@dataclass(frozen=True)
class Row:
    """An operation in the matrix: for each column the implementations' blocks."""

    operation: str
    href: str
    cells: tuple[tuple[Column, tuple[Block, ...]], ...]


def columns(view: View) -> list[Column]:
    """Backends with results that are listed, then those that are absent altogether."""
    found = []
    for title, cases in sorted(group_by(view.listed, lambda v: v.column).items()):
        backend = cases[0].case.backend
        dtypes = {v.case.dtype for v in cases} | {a.dtype for a, _ in view.absent if a.backend == backend and a.dtype}
        found.append(Column(title, backend, tuple(sorted(dtypes, key=dtype_order))))
    measured = {v.case.backend for v in view.cases}
    reasons = {a.backend: a.reason for a, _ in view.absent if not a.implementation and not a.operation}
    gone = sorted({a.backend for a, _ in view.absent} - measured - {MACHINE})
    return found + [Column(backend, backend, (), reasons.get(backend, "")) for backend in gone]


def matrix(view: View) -> list[Row]:
    """The matrix's rows, an operation each, of the cases that are listed."""
    heads = columns(view)
    listed = group_by(view.listed, lambda v: v.case.operation)
    missing = group_by([a for a, elsewhere in view.absent if not elsewhere and a.operation], lambda a: a.operation)
    rows = []
    for operation in sorted({*view.by_operation, *missing}):
        cases = group_by(listed.get(operation, []), lambda v: v.column)
        cells = tuple((head, _blocks(head, cases.get(head.title, []), missing.get(operation, []))) for head in heads)
        href = f"operations/{slug(operation)}.html" if operation in view.by_operation else ""
        rows.append(Row(operation, href, cells))
    return rows


def _blocks(head: Column, cases: list[CaseView], missing: list[Absent]) -> tuple[Block, ...]:
    by_name = group_by(cases, lambda v: v.case.implementation)
    gone = group_by([a for a in missing if a.backend == head.backend], lambda a: a.implementation)
    return tuple(_block(head, name, by_name.get(name, []), gone.get(name, [])) for name in dict.fromkeys([*by_name, *gone]))


def _block(head: Column, name: str, cases: list[CaseView], gone: list[Absent]) -> Block:
    rows = []
    for mode, group in group_by(cases, lambda v: v.mode).items():
        shown: dict[str, CaseView | Absent] = {a.dtype: a for a in gone if a.dtype and a.mode in ("", mode)}
        for view in sorted(group, key=lambda v: SEVERITY[v.status]):
            shown[view.case.dtype] = view
        rows.append((mode, tuple((dtype, shown.get(dtype)) for dtype in head.dtypes)))
    placed = {id(item) for _, marks in rows for _, item in marks}
    return Block(name, tuple(rows), tuple(a for a in gone if id(a) not in placed))


def pages(view: View) -> Iterator[Page]:
    """The overview."""
    families = sorted({record.family for record in view.results.records})
    context = {
        "columns": columns(view),
        "matrix": matrix(view),
        "missing": group_by(view.absent, lambda pair: f"{pair[0].backend}: {pair[0].reason}"),
        "failures": failures(view.cases),
        "hrefs": hrefs(view.cases),
        "kinships": KINSHIPS,
        "better": better(view.cases),
        "most": MOST,
        "compared": [(found, mine[0]) for found, mine in zip(view.results.comparisons, paths(view.results.comparisons), strict=True)],
        "families": [(family, tally(view.cases, family)) for family in families],
        "backends": [(column, tally(cases)) for column, cases in view.by_column.items()],
        "steps": len(view.history.steps) if view.history else None,
    }
    yield Page("index.html", "overview.j2", "Overview", context)


SECTION = Section("Overview", 0, pages)
