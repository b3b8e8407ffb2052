"""Which results have moved against their baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reports.fields import real
from reports.view import CaseView
from suite.model import Kinship, Record

WORSE, BETTER = "baseline", "better than baseline"
"""Keys in a record's ``extra``: grades that are worse, each with what it was; grades that are better, each as it was and as it is."""

MOST = 12
"""Moved results that the first page lists; it counts the rest."""

KINSHIPS: Mapping[Kinship, str] = {
    "same": "same platform, same versions",
    "other versions": "same platform, other versions",
    "other CPU": "other CPU or settings: finiteness alone",
    "none": "none of this backend",
}


@dataclass(frozen=True)
class Moved:
    """A result that is better than its baseline: the grades that are, each as it was and as it is."""

    view: CaseView
    record: Record
    grades: tuple[tuple[str, float, float], ...]


def better(cases: Iterable[CaseView]) -> list[Moved]:
    """Every result that is better; those that are worse are among the failures."""
    return [Moved(v, r, grades) for v in cases for r in v.records if (grades := _grades(r.extra.get(BETTER)))]


def _grades(data: object) -> tuple[tuple[str, float, float], ...]:
    if not isinstance(data, Mapping):
        return ()
    pairs = ((str(name), _number(pair[0]), _number(pair[1])) for name, pair in data.items() if isinstance(pair, list) and len(pair) == 2)
    return tuple((name, before, now) for name, before, now in pairs if before is not None and now is not None)


def _number(value: object) -> float | None:
    try:
        return real({"value": value}, "value")
    except TypeError:
        return None
