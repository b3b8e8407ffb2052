"""How accurate the very function is that is timed: a sample of what it returns for the workload, against the exact results."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from suite.batch import Batch
from suite.checks.accuracy import grades
from suite.checks.base import by_oracle
from suite.floats import FORMATS, Floats, round_to
from suite.operations import operations
from suite.processes import Request
from suite.workloads import Cell

_NUMBERS = 1 << 15
"""In a sample of rows, about; at least two rows are whole."""
_SINGLE = 1 << 12
"""In a sample of single numbers."""


def places(cell: Cell) -> NDArray[np.int64]:
    """Which examples are looked at: evenly spread, the first and the last among them, where vectorised loops end in other code."""
    count, *row = cell.workload.shape
    wanted = max(2, _NUMBERS // row[0]) if row else _SINGLE
    return np.unique(np.linspace(0, count - 1, min(wanted, count)).astype(np.int64))


def accuracy(cell: Cell, asked: Request, results: Mapping[str, Floats]) -> dict[str, float]:
    """Largest and mean error in ULP over the results at :func:`places`; infinite where one is not finite that should be.

    Of a function that returns its value and gradients, the gradients are meant. Results whose exact value is 0 or subnormal are left
    out: there the unit in the last place says nothing of relative accuracy.
    """
    operation, fmt, where = operations()[cell.case.operation], FORMATS[cell.case.dtype], places(cell)
    batch = Batch("sample", {name: array[:, where] for name, array in asked.arrays.items()})
    judged = []
    for name, truth in by_oracle(operation, batch, "gradient" if cell.what == "gradient" else "value").items():
        normal = np.isfinite(truth.high) & (np.abs(round_to(fmt, truth.high, truth.low)) >= fmt.tiny)
        if found := grades(fmt, results[name].reshape(truth.high.shape)[normal], truth[normal]):
            judged.append(found)
    if not judged:
        return {}
    total = sum(g["elements"] for g in judged)
    wrong = any(g["non-finite"] for g in judged)
    return {
        "max ulp": np.inf if wrong else max(g["max ulp"] for g in judged),
        "mean ulp": np.inf if wrong else sum(g["mean ulp"] * g["elements"] for g in judged) / total,
        "correctly rounded": sum(g["correctly rounded"] * g["elements"] for g in judged) / total,
        "results compared": total,
    }
