"""The errors of each backend's own exp, expm1, log, log1p and tanh, as sweeps have measured them.

Error bounds of composed functions need them (:mod:`suite.operations.bounds`). The figures stand in ``fixtures/elementary.json`` and are
rewritten only when asked for: ``python -m suite.sweep --operation exp,expm1,log,log1p,tanh --only value --write-elementary``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from suite.floats import FORMATS
from suite.model import Case, Record
from suite.operations.bounds import ELEMENTARY, Rounding

PATH = Path(__file__).resolve().parent.parent / "fixtures" / "elementary.json"


def rounding(case: Case, facts: Mapping[str, str]) -> Rounding:
    """The arithmetic that a case runs in, by the facts of its environment, with what has been measured of its elementary functions."""
    flushes = facts.get(f"flushes {case.mode} {case.dtype}", "nothing") != "nothing"
    return Rounding(FORMATS[case.dtype], flushes, measured().get(_key(case), {}))


@cache
def measured() -> Mapping[str, Mapping[str, float]]:
    """The file: by backend, mode, dtype and device (a CPU goes without saying), then by function, in units in the last place."""
    found: Mapping[str, Mapping[str, float]] = json.loads(PATH.read_text(encoding="utf-8"))["errors"]
    return found


def write(records: Iterable[Record], environment: Mapping[str, Any]) -> int:
    """Puts what a sweep has measured into the file, beside what is there; returns how many figures are new or different."""
    data: dict[str, Any] = {"unit": "ulp", "environment": {}, "errors": {}}
    if PATH.exists():
        data = json.loads(PATH.read_text(encoding="utf-8"))
    found: dict[tuple[str, str], float] = {}
    for record in records:
        case = record.case
        if case.operation not in ELEMENTARY or record.check != "sweep value" or record.status == "error":
            continue
        # Rounded up: it has to hold for what was measured. Of several APIs the worst: who composes them may take any.
        value = math.ceil(100 * record.extra["bound of normal results"]) / 100
        found[_key(case), case.operation] = max(value, found.get((_key(case), case.operation), 0.0))
        data["environment"][case.backend] = dict(environment[record.environment])
    changed = 0
    for (key, operation), value in found.items():
        errors = data["errors"].setdefault(key, {})
        changed += errors.get(operation) != value
        errors[operation] = value
    for errors in data["errors"].values():
        errors.update(sorted(errors.items()))
    PATH.write_text(json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return changed


def _key(case: Case) -> str:
    return " ".join((case.backend, case.mode, case.dtype, *(() if case.device == "cpu" else (case.device,))))
