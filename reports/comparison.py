"""A comparison of two releases as a reader looks at it: what differs by function and check, times by cell, page by page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from reports import text
from reports.compared import Comparison
from reports.page import numbered
from reports.view import Kind, case_order, dtype_order, group_by, paginate
from suite.model import Case, Change, Direction, Ratio

PATH, FOLDER = "comparison.html", "comparison"

KINDS = {
    kind.word: kind
    for kind in (
        Kind("fail", "✗", "worse", "fails, or loses digits, where the old release did not"),
        Kind("pass", "✓", "better", "holds, or gains digits, where the old release did not"),
        Kind("grade", "≠", "changed", "other bits, of the same quality"),
        Kind("fail", "►", "slower", "by more than the effect that counts"),
        Kind("pass", "◄", "faster", "by more than the effect that counts"),
        Kind("absent", "●", "same", "differs by less than the effect that counts"),
        Kind("known", "◇", "cannot tell", "the launches that there were do not decide it"),
        Kind("error", "!", "not measured", "was to be timed and was not, for a stated reason"),
    )
}

TITLES = {"worse": "Worse", "better": "Better", "changed": "Other bits, same quality", "speed": "Speed", "absent": "Not compared"}
"""What a comparison's pages hold, in this order."""


@dataclass(frozen=True)
class Group:
    """What one check sees of one function: a change for each mode, dtype and output."""

    changes: tuple[Change, ...]

    @cached_property
    def shown(self) -> Change:
        """The change to show: of those with a reproduction, the one that the largest share of the elements has."""
        return max(self.changes, key=lambda c: (bool(c.reproduction), c.old is not None, c.elements / max(1, c.compared)))

    @property
    def case(self) -> Case:
        """The case that is shown."""
        return self.shown.case

    @property
    def title(self) -> str:
        """Operation, function, backend and check, in words."""
        return f"{self.case.operation}: {self.case.implementation} on {self.case.backend}, {self.shown.check.replace('_', ' ')}"

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return text.slug(f"{self.shown.direction}/{_function(self.shown)}/{self.shown.check}")

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes that show it."""
        return tuple(dict.fromkeys(mode(c.case) for c in self.changes))

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes that show it."""
        return tuple(sorted({c.case.dtype for c in self.changes}, key=dtype_order))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs that show it."""
        return tuple(dict.fromkeys(c.output for c in self.changes if c.output))

    @property
    def numbers(self) -> list[tuple[str, str]]:
        """What the releases return for the input that is shown, and what the check wants."""
        found = [("Old", self.shown.old), ("New", self.shown.new), ("Exact", self.shown.exact)]
        told = [(label, text.exact(value)) for label, value in found if value is not None]
        return told + ([("Allowed error", text.exact(self.shown.limit, bits=False))] if self.shown.limit is not None else [])

    @property
    def weight(self) -> int:
        """About how many characters it takes on a page."""
        return 1500 + 2 * len(text.clip(self.shown.message)) + len(text.clip(self.shown.reproduction)) + 520 * len(self.changes)


def mode(case: Case) -> str:
    """The mode, and the device if it is no CPU."""
    return case.mode if case.device == "cpu" else f"{case.mode}, {case.device}"


def groups(changes: Iterable[Change]) -> list[Group]:
    """Changes of one direction by function and check; what most cases show comes first."""
    ordered = sorted(changes, key=lambda c: (case_order(c.case), c.output))
    found = [Group(tuple(group)) for group in group_by(ordered, lambda c: f"{_function(c)}\0{c.check}").values()]
    return sorted(found, key=lambda g: -len(g.changes))


def _function(change: Change) -> str:
    return f"{change.case.operation}/{change.case.backend}/{change.case.implementation}"


def cells(ratios: Iterable[Ratio]) -> list[tuple[int, Ratio]]:
    """Cells, numbered: those that were not measured, then the others, the slowest first."""
    return list(enumerate(sorted(ratios, key=lambda r: (r.verdict != "not measured", -_finite(r.ratio), case_order(r.case))), 1))


def _finite(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else 0.0


def figure_data(rows: Sequence[tuple[int, Ratio]]) -> dict[str, Any]:
    """What the figure's script needs: each verdict with its mark, and the cells that have a ratio."""
    drawn = [row for row in rows if min(map(_finite, (row[1].ratio, row[1].low, row[1].high))) > 0]
    return {
        "verdicts": [kind.word for kind in KINDS.values() if kind.word in {ratio.verdict for _, ratio in drawn}],
        "operations": sorted({ratio.case.operation for _, ratio in drawn}),
        "rows": [_drawn(number, ratio) for number, ratio in drawn],
    }


def _drawn(number: int, ratio: Ratio) -> dict[str, Any]:
    case = ratio.case
    return {
        "number": number,
        "operation": case.operation,
        "function": case.implementation,
        "cell": f"{case.backend} · {mode(case)} · {case.dtype} · {ratio.what} {ratio.workload}",
        "verdict": ratio.verdict,
        "ends": [float(f"{value:.5g}") for value in (ratio.ratio, ratio.low, ratio.high) if value is not None],
        "times": f"{text.seconds(ratio.old)} → {text.seconds(ratio.new)}, {text.plural(ratio.launches, 'launch', 'launches')}",
    }


_GROUPED: tuple[Direction, ...] = ("worse", "better")
"""Directions that are shown by function and check; other bits have a row for each result."""

Part = dict[str, list[Any]]
"""What a page holds, by the names of :data:`TITLES`."""


def parts(found: Comparison) -> list[Part]:
    """All of a comparison on pages of bounded weight."""
    held: Part = {
        **{direction: list(groups(found.of(direction))) for direction in _GROUPED},
        "changed": sorted(found.of("changed"), key=lambda c: (case_order(c.case), c.check, c.output)),
        "speed": cells(found.ratios),
        "absent": list(found.absent),
    }
    items = [(name, item) for name in TITLES for item in held[name]]
    return [{name: [item for kind, item in page if kind == name] for name in TITLES} for page in paginate(items, _weight)]


def _weight(pair: tuple[str, Any]) -> int:
    item = pair[1]
    return item.weight if isinstance(item, Group) else 700


def paths(comparisons: Sequence[Comparison]) -> list[list[str]]:
    """The pages of each comparison. The first, which is the latest, is the section's own."""
    first = [PATH, *(f"{FOLDER}/{text.slug(found.run)}.html" for found in comparisons[1:])]
    return [numbered(path, len(parts(found))) for path, found in zip(first, comparisons, strict=False)]
