"""What is kept of records while result files are read, so that memory is bounded however many there are.

Every record is kept with its case, its check, its status and its numbers: counts and verdicts are exact. What it says beside them
(message, reproduction, worst input, ``extra``) is kept while there is room, apart for failures, for known failures and for the rest,
so that none of these takes another's place; beyond, it is still kept of a record that shows its defect more than any before.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from suite.model import Record

ROOM = {"red": 24_000_000, "known": 24_000_000, "rest": 48_000_000}
"""Bytes of lines whose records are kept with all that they say."""

IN_THE_FILE = "The result file has what it said: this report keeps only a part of so many records."

_KIND = {"fail": "red", "error": "red", "known": "known"}
_NEEDED = ("workload", "limitation")
"""Keys of ``extra`` that say what a record is of."""

_NOTHING: Mapping[str, Any] = {}


def rank(record: Record) -> tuple[bool, bool, float]:
    """How much a record shows a defect: an error most, then one that can be reproduced, then the largest value."""
    value = -math.inf if record.value is None else math.inf if math.isnan(record.value) else record.value
    return (record.status == "error", bool(record.reproduction), value)


class Keeper:
    """Takes records one by one; ``slim`` counts those that were kept without what they say."""

    def __init__(self) -> None:
        """Each reading of results has its own."""
        self._left = Counter(ROOM)
        self._worst: dict[tuple[str, ...], tuple[bool, bool, float]] = {}
        self.slim: Counter[str] = Counter()

    def keep(self, record: Record, size: int) -> Record:
        """The record, or what is kept of it; ``size`` is its line's."""
        kind = _KIND.get(record.status, "rest")
        telling = kind != "rest" and self._tells_most(record)
        if self._left[kind] >= size or telling:
            self._left[kind] -= size
            return record
        self.slim[kind] += 1
        needed = {key: record.extra[key] for key in _NEEDED if key in record.extra}
        said = IN_THE_FILE if record.message or record.reproduction else ""
        return replace(record, worst=_NOTHING, message=said, reproduction="", extra=needed or _NOTHING)

    def _tells_most(self, record: Record) -> bool:
        """Whether it shows its defect more than every record before."""
        case = record.case
        defect = (case.operation, case.backend, case.implementation, record.check, str(record.extra.get("limitation", "")))
        mine, most = rank(record), self._worst.get(defect)
        if most is not None and mine <= most:
            return False
        self._worst[defect] = mine
        return True
