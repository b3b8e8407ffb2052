"""Sweeps as rows of tables and as the data of figures: all inputs of a format, each result beside the correctly rounded one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from reports import text
from reports.view import CaseView, dtype_order, group_by, paginate, worst_status
from suite.model import Record

ORDERS = ("value", "gradient", "second derivative")
BUCKETS = 1024
"""Pieces of all inputs, equally large, of each of which a record's profile has the worst result."""

_FORMATS = {"float16": (16, 11), "bfloat16": (16, 8), "float32": (32, 24)}
"""Width and precision of the formats that a figure can be drawn for."""

_EXACT = 2**53
"""Integers below are the same in JSON, Python and a browser."""


@dataclass(frozen=True)
class Point:
    """An input, or a pair of them."""

    numbers: tuple[float, ...]

    @property
    def hexadecimal(self) -> str:
        """Bit for bit, without the zeros that a float's literal ends in."""
        return self._listed([re.sub(r"\.?0*p", "p", number.hex()) for number in self.numbers])

    @property
    def decimal(self) -> str:
        """To six digits."""
        return self._listed([f"{number:.6g}" for number in self.numbers])

    def _listed(self, parts: Sequence[str]) -> str:
        return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


@dataclass(frozen=True)
class Vanishing:
    """On one side of zero: the input from which results are 0, and the one from which they should be, if there is one."""

    computed: Point
    exact: Point | None


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
        case = self.view.case
        return case.mode if case.device == "cpu" else f"{case.mode}, {case.device}"

    @property
    def distance(self) -> int | None:
        """The largest error of a finite result, in steps between neighbouring numbers."""
        value = self.record.value
        return int(value) if value is not None and abs(value) < _EXACT else None

    @property
    def worst(self) -> Point | None:
        """Where it is."""
        return point(self.record.worst.get("x"))

    def count(self, key: str) -> int | None:
        """A number of results."""
        return _whole(self.record.extra.get(key))

    def measure(self, key: str) -> float | None:
        """A further number of the record."""
        value = self.record.extra.get(key)
        good = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _EXACT
        return float(value) if good and value is not None else None

    def first(self, key: str) -> Point | None:
        """The first of the inputs that are counted so."""
        firsts = self.record.extra.get("firsts")
        return point(firsts.get(key)) if isinstance(firsts, dict) else None

    @property
    def histogram(self) -> list[int | None]:
        """How many results are 0, 1, 2, and more steps off."""
        found = [_whole(entry) for entry in _list(self.record.extra.get("histogram"))[:4]]
        return found + [None] * (4 - len(found))

    @property
    def vanishing(self) -> list[Vanishing]:
        """Where zeros come too soon, on the positive and on the negative side."""
        computed, exact = ([*map(point, _list(self.record.extra.get(key))), None, None] for key in ("frontier", "true zero"))
        return [Vanishing(c, e) for c, e in zip(computed[:2], exact[:2], strict=True) if c]

    @property
    def digest(self) -> str:
        """The hash of all results."""
        digest = self.record.extra.get("digest")
        return digest if isinstance(digest, str) and re.fullmatch(r"[0-9a-f]{12,128}", digest) else ""

    @property
    def limitations(self) -> list[str]:
        """Names of the known failures that are among the results."""
        return [str(name)[:200] for name in _list(self.record.extra.get("limitations"))[:20]]

    @cached_property
    def profile(self) -> str:
        """The largest error in each piece of the inputs that has one: ``step,error,place`` by blanks.

        The step from the piece before is left out if it is 1. The place of the error's input in its piece, in hexadecimal digits, is
        left out if it is unknown.
        """
        entries = _list(self.record.extra.get("profile"))[:BUCKETS] if self.view.case.dtype in _FORMATS else []
        good = [entry for entry in entries if isinstance(entry, list) and len(entry) == 3]
        numbers = [(_whole(bucket), _whole(distance), point(at)) for bucket, distance, at in good]
        known = {b: f"{d},{self._place(b, at)}" for b, d, at in numbers if b is not None and d and b < BUCKETS}
        steps = [new - old for old, new in pairwise([-1, *sorted(known)])]
        return " ".join(f"{'' if step == 1 else step},{known[b]}" for step, b in zip(steps, sorted(known), strict=True))

    @cached_property
    def pairs(self) -> bool:
        """Whether the inputs are pairs."""
        return any(isinstance(last, list) for entry in _list(self.record.extra.get("profile"))[:1] for last in _list(entry)[-1:])

    def _place(self, bucket: int, at: Point | None) -> str:
        bits, _ = _FORMATS[self.view.case.dtype]
        patterns = [pattern(self.view.case.dtype, number) for number in at.numbers] if at else []
        if None in patterns or len(patterns) != 1 + self.pairs or bits * len(patterns) > 32:
            return ""
        number = sum((p or 0) << (bits * place) for place, p in enumerate(reversed(patterns)))
        size = (1 << (bits * len(patterns))) // BUCKETS
        return f"{number - bucket * size:x}" if number // size == bucket else ""

    @property
    def weight(self) -> int:
        """About how many characters it takes on a page, its profile left out."""
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
        """About how many characters it takes on a page. Equal profiles are there once."""
        return sum(row.weight for row in self.rows) + sum(map(len, {row.profile for row in self.rows}))


def sweeps(cases: Iterable[CaseView]) -> list[Sweep]:
    """Every output that was swept, by operation, result, dtype, implementation."""
    return sorted((Sweep(v, r) for v in cases for r in v.records if r.family == "sweep"), key=_order)


def groups(rows: Iterable[Sweep]) -> list[Group]:
    """The outputs of one operation, those together that should be the same."""
    return [Group(tuple(found)) for found in group_by(rows, lambda row: f"{row.what}\n{row.view.case.dtype}").values()]


def parts(rows: Iterable[Sweep]) -> list[list[Group]]:
    """The groups of one operation on pages of bounded weight; one too large for any page is cut."""
    pieces = [Group(tuple(part)) for group in groups(rows) for part in paginate(group.rows, lambda row: row.weight + len(row.profile))]
    return list(paginate(pieces, lambda group: group.weight))


def path(operation: str) -> str:
    """The first page of an operation's sweeps, from the report's root."""
    return f"sweeps/{text.slug(operation)}.html"


def figure_data(rows: Iterable[Sweep]) -> dict[str, Any]:
    """What the figures' script needs: texts once, and rows of indices into them, whether inputs are pairs, where zeros come too soon."""
    texts: dict[str, int] = {}
    coded = []
    for row in rows:
        case = row.view.case
        if case.dtype in _FORMATS and row.histogram[0] is not None:
            names = (row.what, case.dtype, row.view.column, row.mode, case.implementation, row.profile)
            coded.append([*(texts.setdefault(name, len(texts)) for name in names), int(row.pairs), list(_intervals(row))])
    return {"texts": list(texts), "rows": coded}


def _intervals(row: Sweep) -> Iterator[tuple[float, float]]:
    """From where results are 0 to where they should be, on each side where both are single numbers."""
    for side in row.vanishing:
        ends = (*side.computed.numbers, *(side.exact.numbers if side.exact else ()))
        if len(ends) == 2 and all(map(math.isfinite, ends)):
            yield (ends[0], ends[1])


def point(value: Any) -> Point | None:
    """An input from a record: a hexadecimal float, or a list of two."""
    numbers = [_float(part) for part in (value if isinstance(value, list) else [value])]
    known = tuple(number for number in numbers if number is not None)
    return Point(known) if len(known) == len(numbers) and len(known) in (1, 2) else None


def pattern(dtype: str, number: float) -> int | None:
    """The bit pattern of a number in its format; ``None`` if it is none of the format's numbers."""
    bits, precision = _FORMATS[dtype]
    infinity = ((1 << (bits - precision)) - 1) << (precision - 1)
    emin = 2 - (1 << (bits - precision - 1))
    sign = (1 << (bits - 1)) if math.copysign(1.0, number) < 0 else 0
    if number == 0 or math.isinf(number):
        return sign | (infinity if number else 0)
    if math.isnan(number):
        return None
    exponent = max(math.frexp(number)[1] - 1, emin)
    steps = math.ldexp(abs(number), precision - 1 - exponent)
    magnitude = int(steps) + ((exponent - emin) << (precision - 1))
    return sign | magnitude if steps == int(steps) and magnitude < infinity else None


def _float(value: Any) -> float | None:
    try:
        return float.fromhex(value) if isinstance(value, str) else None
    except (OverflowError, ValueError):
        return None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _EXACT else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _order(row: Sweep) -> tuple[object, ...]:
    case = row.view.case
    order = next((place for place, name in enumerate(ORDERS) if row.what.startswith(name)), len(ORDERS))
    return (case.operation, order, row.what, dtype_order(case.dtype), case.backend, case.implementation, row.mode, row.view.environment)
