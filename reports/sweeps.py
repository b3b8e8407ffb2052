"""Sweeps as rows of tables and as the data of figures: all inputs of a format, each result beside the correctly rounded one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reports import text
from reports.points import EXACT, Point, listed, point, whole
from reports.view import CaseView, dtype_order, group_by, paginate, worst_status
from suite.model import Record

ORDERS = ("value", "gradient", "second derivative")


@dataclass(frozen=True)
class Vanishing:
    """On one side of zero: the input from which results are 0, and the one from which they should be, if there is one."""

    computed: Point
    exact: Point | None


def vanishing(extra: Mapping[str, Any]) -> list[Vanishing]:
    """Where zeros come too soon, on the positive and on the negative side."""
    computed, exact = ([*map(point, listed(extra.get(key))), None, None] for key in ("frontier", "true zero"))
    return [Vanishing(c, e) for c, e in zip(computed[:2], exact[:2], strict=True) if c]


@dataclass(frozen=True)
class Sweep:
    """One output of a case, a value or a derivative, compared at every input. What a record lacks, or has otherwise, is ``None``."""

    view: CaseView
    record: Record

    @property
    def what(self) -> str:
        """``gradient, labels = 0``."""
        return self.record.check.removeprefix("sweep ")

    @property
    def partial(self) -> bool:
        """Whether only a part of the inputs was looked at; the output's name says which."""
        return self.what.endswith(" alone")

    @property
    def mode(self) -> str:
        """The mode, and the device if it is no CPU."""
        return self.view.mode

    @property
    def distance(self) -> int | None:
        """The largest error of a finite result, in steps between neighbouring numbers."""
        value = self.record.value
        return int(value) if value is not None and abs(value) < EXACT else None

    @property
    def worst(self) -> Point | None:
        """Where it is."""
        return point(self.record.worst.get("x"))

    def count(self, key: str) -> int | None:
        """A number of results."""
        return whole(self.record.extra.get(key))

    def measure(self, key: str) -> float | None:
        """A further number of the record."""
        value = self.record.extra.get(key)
        good = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < EXACT
        return float(value) if good and value is not None else None

    def first(self, key: str) -> Point | None:
        """The first of the inputs that are counted so."""
        firsts = self.record.extra.get("firsts")
        return point(firsts.get(key)) if isinstance(firsts, dict) else None

    @property
    def histogram(self) -> list[int | None]:
        """How many results are 0, 1, 2, and more steps off."""
        found = [whole(entry) for entry in listed(self.record.extra.get("histogram"))[:4]]
        return found + [None] * (4 - len(found))

    @property
    def vanishing(self) -> list[Vanishing]:
        """Where zeros come too soon."""
        return vanishing(self.record.extra)

    @property
    def digest(self) -> str:
        """The hash of all results."""
        digest = self.record.extra.get("digest")
        return digest if isinstance(digest, str) and re.fullmatch(r"[0-9a-f]{12,128}", digest) else ""

    @property
    def limitations(self) -> list[str]:
        """Names of the known failures that are among the results."""
        return [str(name)[:200] for name in listed(self.record.extra.get("limitations"))[:20]]

    @property
    def weight(self) -> int:
        """About how many characters it takes on a page."""
        return 2600


@dataclass(frozen=True)
class Group:
    """The outputs that should be the same, bit for bit: one kind of result of one operation in one format."""

    rows: tuple[Sweep, ...]

    @property
    def what(self) -> str:
        """``gradient, labels = 0``."""
        return self.rows[0].what

    @property
    def dtype(self) -> str:
        """The format."""
        return self.rows[0].view.case.dtype

    @property
    def anchor(self) -> str:
        """The group's anchor on its page."""
        return text.slug(f"{self.what} {self.dtype}")

    @property
    def status(self) -> str:
        """The worst status of its outputs."""
        return worst_status(row.record for row in self.rows)

    @property
    def inputs(self) -> int:
        """Results compared."""
        return sum(row.count("inputs") or 0 for row in self.rows)

    @property
    def different(self) -> int:
        """How many different results there are, of outputs whose digest is known."""
        return len({row.digest for row in self.rows} - {""})

    @property
    def worst(self) -> Sweep:
        """The output with the largest error."""
        return max(self.rows, key=lambda row: row.distance if row.distance is not None else -1)

    @property
    def rounded(self) -> float | None:
        """The smallest share of correctly rounded results."""
        return min((share for row in self.rows if (share := row.measure("correctly rounded")) is not None), default=None)

    def having(self, key: str) -> int:
        """How many outputs have results that are counted so."""
        return sum(bool(row.count(key)) for row in self.rows)

    @property
    def weight(self) -> int:
        """About how many characters it takes on a page."""
        return sum(row.weight for row in self.rows)


def sweeps(cases: Iterable[CaseView]) -> list[Sweep]:
    """Every output that was swept, by operation, result, dtype, implementation."""
    return sorted((Sweep(v, r) for v in cases for r in v.records if r.family == "sweep"), key=_order)


def groups(rows: Iterable[Sweep]) -> list[Group]:
    """The outputs of one operation, those together that should be the same."""
    return [Group(tuple(found)) for found in group_by(rows, lambda row: f"{row.what}\n{row.view.case.dtype}").values()]


def parts(rows: Iterable[Sweep]) -> list[list[Group]]:
    """The groups of one operation on pages of bounded weight; one too large for any page is cut."""
    pieces = [Group(tuple(part)) for group in groups(rows) for part in paginate(group.rows, lambda row: row.weight)]
    return list(paginate(pieces, lambda group: group.weight))


def path(operation: str) -> str:
    """The first page of an operation's sweeps, from the report's root."""
    return f"sweeps/{text.slug(operation)}.html"


def _order(row: Sweep) -> tuple[object, ...]:
    case = row.view.case
    order = next((place for place, name in enumerate(ORDERS) if row.what.startswith(name)), len(ORDERS))
    return (case.operation, order, row.what, dtype_order(case.dtype), case.backend, case.implementation, row.mode, row.view.environment)
