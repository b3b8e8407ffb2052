"""What is kept of records while result files are read, so that the memory for what they say is bounded however many there are.

Every record is kept with its case, its check, its status and its value: counts and verdicts are exact, and memory for these, 1 to 2 kB
a record with names of a usual length, grows with their number. What it says beside them (message, reproduction, worst input, ``extra``)
is kept while there is room, apart for failures, for known failures and for the rest, so that none of these takes another's place.
Beyond, as much room again is for the failures that show their defects most: a worse one takes the place of the one before. What is left
out is counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from suite.model import Record

ROOM = {"red": 24_000_000, "known": 24_000_000, "rest": 48_000_000}
"""Bytes of lines whose records are kept with all that they say; as many again for the worst of each defect."""

IN_THE_FILE = "The result file has what it said: this report keeps only a part of so many records."

_KIND = {"fail": "red", "error": "red", "known": "known"}
_NEEDED = ("workload", "limitation")
"""Keys of ``extra`` that say what a record is of."""
_SWEPT = ("inputs", "correctly rounded", "premature zeros", "descents", "outside", "non-finite", "NaN lost", "digest")
"""Keys of a sweep's ``extra`` that are put together with those of other sweeps: what is said of them all would be wrong without these."""

_NOTHING: Mapping[str, Any] = {}
_Rank = tuple[bool, bool, float]


def rank(record: Record) -> _Rank:
    """How much a record shows a defect: an error most, then one that can be reproduced, then the largest value."""
    value = -math.inf if record.value is None else math.inf if math.isnan(record.value) else record.value
    return (record.status == "error", bool(record.reproduction), value)


@dataclass(frozen=True)
class _Worst:
    """The record that shows a defect most: its rank, the list and the place that it is in, what it takes of the second room."""

    rank: _Rank
    into: list[Record]
    place: int
    size: int = 0


class Keeper:
    """Takes records one by one; ``slim`` counts those that were kept without what they say, by what they are."""

    def __init__(self) -> None:
        """Each reading of results has its own."""
        self._left = Counter(ROOM)
        self._left_for_worst = Counter(ROOM)
        self._worst: dict[tuple[str, ...], _Worst] = {}
        self.slim: Counter[str] = Counter()

    def keep(self, record: Record, size: int, into: list[Record]) -> None:
        """Puts the record, or what is kept of it, at the end of a list; ``size`` is its line's."""
        kind = _KIND.get(record.status, "rest")
        fits = self._left[kind] >= size
        if fits:
            self._left[kind] -= size
        worst = kind != "rest" and self._takes_place(kind, record, 0 if fits else size, into)
        into.append(record if fits or worst else self._slim(record))

    def _takes_place(self, kind: str, record: Record, size: int, into: list[Record]) -> bool:
        """Whether it shows its defect more than every record before, and has room; the one before gives up its own."""
        case = record.case
        defect = (kind, case.operation, case.backend, case.implementation, record.check, str(record.extra.get("limitation", "")))
        before, mine = self._worst.get(defect), rank(record)
        freed = before.size if before else 0
        if (before and mine <= before.rank) or size > self._left_for_worst[kind] + freed:
            return False
        self._left_for_worst[kind] += freed - size
        if before and freed:
            before.into[before.place] = self._slim(before.into[before.place])
        self._worst[defect] = _Worst(mine, into, len(into), size)
        return True

    def _slim(self, record: Record) -> Record:
        """What is kept where there is no room."""
        extra = {key: record.extra[key] for key in _NEEDED if key in record.extra}
        if record.family == "sweep":
            extra |= {key: _short(record.extra[key]) for key in _SWEPT if key in record.extra}
        said = IN_THE_FILE if record.message or record.reproduction else ""
        kept = replace(record, worst=_NOTHING, message=said, reproduction="", extra=extra or _NOTHING)
        self.slim[_KIND.get(record.status, "rest")] += kept != record
        return kept


def _short(value: Any) -> Any:
    """A number, or a text no longer than a digest; ``None`` if it is neither."""
    return value[:128] if isinstance(value, str) else value if isinstance(value, int | float) else None
