"""The error of an operation's implementations along the numbers of a format: what figures are drawn from, and what tables say of it.

It comes from sweeps, of every input, and from the checks of bounds, of samples; ``suite.profiles`` says how both write it. Implementations
with the same errors everywhere are one series.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from reports import text
from reports.points import WIDTHS, Point, listed, pattern, point, whole
from reports.sweeps import ORDERS, Sweep, Vanishing, vanishing
from reports.view import CaseView, dtype_order, group_by
from suite.model import Record

PIECES = 1024
"""Pieces of all inputs, equally large, of which a figure has at most one point each."""

BUDGET = 35_000
"""About how many characters the points of a page may take; where there are more, pieces are put together."""

EVERY, SAMPLED = "every input", "sampled"
LETTERS = {"d": "gradient", "h": "second derivative"}
"""What a derivative's name begins with in a record."""
_WORST = 3
"""Worst inputs shown of each output in each format."""


@dataclass(frozen=True)
class Entry:
    """The result furthest from the correctly rounded one in a piece of the inputs; older results lack the two."""

    steps: float
    at: Point
    got: Point | None
    nearest: Point | None


@dataclass(frozen=True)
class Series:
    """The errors of one output in one format, of all implementations that have the same ones.

    ``arguments`` are what an input's numbers are of, the one along which the error is shown being the ``axis``-th.
    """

    output: str
    inputs: str
    dtype: str
    arguments: tuple[str, ...]
    axis: int
    histogram: tuple[int | None, ...]
    entries: tuple[Entry, ...]
    zeros: tuple[Vanishing, ...]
    views: tuple[CaseView, ...] = field(default=(), compare=False)

    @property
    def names(self) -> list[str]:
        """Implementation, backend and modes of each."""
        return text.folded((v.case.implementation, v.column, v.mode) for v in self.views)

    @property
    def worst(self) -> Entry | None:
        """The largest error."""
        return max(self.entries, key=lambda entry: entry.steps, default=None)

    @property
    def largest(self) -> float | None:
        """The largest error of a finite result, in steps; ``None`` if there is none on record, though not all results are the nearest."""
        return self.worst.steps if self.worst else None if any(self.histogram[1:]) else 0.0

    @property
    def results(self) -> int:
        """How many were compared."""
        return sum(filter(None, self.histogram))

    def shown(self, at: Point) -> list[str]:
        """An input's arguments, bit for bit and to six digits: ``logits = 0x1p+3 (8)``."""
        pairs = zip(self.arguments, at.numbers, strict=False)
        return [f"{name} = {Point((n,)).hexadecimal} ({n:.6g})" for name, n in pairs]


# From records


def series(views: Iterable[CaseView]) -> list[Series]:
    """Every output of every case whose errors are on record, those with the same errors together: value first, then by inputs and dtype."""
    read: dict[str, Series | None] = {}
    groups: dict[Series, list[CaseView]] = {}
    for view in views:
        for record in view.records if view.case.dtype in WIDTHS else ():
            for key, make in _of(view, record):
                # Most implementations share their errors with others: what is written the same is read once.
                one = read[key] if key in read else read.setdefault(key, make())
                if one:
                    groups.setdefault(one, []).append(view)
    return sorted((replace(one, views=tuple(group)) for one, group in groups.items()), key=_order)


def _order(one: Series) -> tuple[Any, ...]:
    place = next((i for i, name in enumerate(ORDERS) if one.output.startswith(name)), len(ORDERS))
    return (place, one.output, one.inputs.startswith(SAMPLED), one.inputs, dtype_order(one.dtype))


def _of(view: CaseView, record: Record) -> Iterator[tuple[str, Callable[[], Series | None]]]:
    """What a record says of errors: a text that tells it from others, and how it is read."""
    dtype = view.case.dtype
    if record.family == "sweep":
        row, extra = Sweep(view, record), record.extra
        said = [extra.get(key) for key in ("histogram", "frontier", "true zero", "profile")]
        yield f"{dtype} {record.check} {said}", lambda: _swept(row)
    elif isinstance(sampled := record.extra.get("sampled"), dict):
        several = sum(str(name).startswith("d ") for name in sampled) > 1
        for name, data in sampled.items():
            yield f"{dtype} {name} {several} {data}", partial(_sampled, dtype, str(name), data, several)


def _swept(row: Sweep) -> Series | None:
    """An output that was swept; its numbers are called x and y, whatever the arguments' names."""
    if row.histogram[0] is None:
        return None
    output, _, rest = row.what.partition(", ")
    entries = _entries(row.record.extra.get("profile"), row.view.case.dtype)
    pairs = any(len(entry.at.numbers) > 1 for entry in entries)
    inputs = ", ".join(filter(None, ("a part of the inputs" if row.partial else EVERY, rest)))
    return Series(output, inputs, row.view.case.dtype, ("x", "y")[: 1 + pairs], 0, tuple(row.histogram), entries, tuple(row.vanishing))


def _sampled(dtype: str, name: str, data: Any, several: bool) -> Series | None:
    if not isinstance(data, dict):
        return None
    arguments = tuple(str(a)[:100] for a in listed(data.get("arguments"))[:8])
    histogram = tuple(whole(n) for n in listed(data.get("histogram"))[:4])
    if data.get("axis") not in arguments or len(histogram) < 4 or None in histogram:
        return None
    letter, _, argument = name.partition(" ")
    output = f"{LETTERS[letter]} by {argument}" if several and letter == "d" else LETTERS.get(letter, name)
    entries = tuple(e for e in _entries(data.get("profile"), dtype) if len(e.at.numbers) == len(arguments))
    return Series(output, SAMPLED, dtype, arguments, arguments.index(data["axis"]), histogram, entries, tuple(vanishing(data)))


def _entries(profile: Any, dtype: str) -> tuple[Entry, ...]:
    made = []
    for row in listed(profile)[:PIECES]:
        if not isinstance(row, list) or len(row) not in (3, 5):
            continue
        steps, at = row[1], point(row[2], 8)
        good = isinstance(steps, int | float) and not isinstance(steps, bool) and 0 < steps < 1e20
        if good and at and None not in [pattern(dtype, number) for number in at.numbers]:
            got, nearest = (_result(literal, dtype) for literal in (*row[3:], None, None)[:2])
            made.append(Entry(float(steps), at, got, nearest))
    return tuple(made)


def _result(literal: Any, dtype: str) -> Point | None:
    """A number of the format."""
    found = point(literal, 1)
    return found if found and pattern(dtype, found.numbers[0]) is not None else None


# For figures


def figure_data(found: Sequence[Series]) -> dict[str, Any]:
    """What the figures' script needs: texts once, and for each series indices into them, counts, and where zeros come too soon.

    Points are ``input,got,nearest`` in hexadecimal patterns, with the other arguments' patterns behind them; ``input,,steps`` where the
    results are not on record. ``pieces`` says how many pieces of all inputs have a point at most.
    """
    size = 1
    points = [_points(one, one.entries) for one in found]
    while sum(map(len, set(points))) > BUDGET and size < PIECES:
        size *= 2
        points = [_points(one, _thinned(one, size)) for one in found]
    texts: dict[str, int] = {}

    def number(name: str) -> int:
        return texts.setdefault(name, len(texts))

    rows = [
        {
            "output": number(one.output), "inputs": number(one.inputs), "dtype": number(one.dtype), "names": [*map(number, one.names)],
            "arguments": [number(one.arguments[one.axis]), *(number(a) for i, a in enumerate(one.arguments) if i != one.axis)],
            "points": number(drawn), "histogram": one.histogram, "zeros": list(_intervals(one)),
        }
        for one, drawn in zip(found, points, strict=True)
    ]  # fmt: skip
    return {"texts": list(texts), "rows": rows, "pieces": PIECES // size}


def _thinned(one: Series, size: int) -> list[Entry]:
    """The worst entry of so many neighbouring pieces."""
    shift = WIDTHS[one.dtype][0] - PIECES.bit_length() + size.bit_length()
    groups = group_by(one.entries, lambda entry: str((pattern(one.dtype, entry.at.numbers[one.axis]) or 0) >> shift))
    return [max(group, key=lambda entry: entry.steps) for group in groups.values()]


def _points(one: Series, entries: Iterable[Entry]) -> str:
    return " ".join(_coded(one, entry) for entry in entries)


def _coded(one: Series, entry: Entry) -> str:
    at, *others = [one.axis, *(i for i in range(len(entry.at.numbers)) if i != one.axis)]
    codes = [f"{pattern(one.dtype, number) or 0:x}" for number in (entry.at.numbers[at], *(entry.at.numbers[i] for i in others))]
    if entry.got is None or entry.nearest is None:
        results = ["", f"{entry.steps:.17g}"]
    else:
        results = [f"{pattern(one.dtype, result.numbers[0]) or 0:x}" for result in (entry.got, entry.nearest)]
    return ",".join([codes[0], *results, *codes[1:]])


def _intervals(one: Series) -> Iterator[tuple[float, float]]:
    """From where results are 0 to where they should be, on each side where both are single numbers."""
    for side in one.zeros:
        ends = (*side.computed.numbers, *(side.exact.numbers if side.exact else ()))
        if len(ends) == 2 and all(map(math.isfinite, ends)):
            yield (ends[0], ends[1])


# For tables


def worst_cases(found: Sequence[Series]) -> list[tuple[Series, Entry]]:
    """For each output and dtype the inputs furthest off, over all implementations, the same input once; being off by one step is usual."""
    chosen: list[tuple[Series, Entry]] = []
    for group in group_by(found, lambda one: f"{one.output}\n{one.dtype}").values():
        seen: dict[Point, tuple[Series, Entry]] = {}
        for pair in sorted(((one, e) for one in group for e in one.entries if e.steps > 1), key=lambda pair: -pair[1].steps):
            if len(seen) < _WORST:
                seen.setdefault(pair[1].at, pair)
        chosen += seen.values()
    return chosen
