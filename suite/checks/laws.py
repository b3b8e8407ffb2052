"""Exact laws: no tolerance, no reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suite.checks.base import Check, Subject, Verdict
from suite.floats import Floats
from suite.inputs import Batch
from suite.model import Operation

PLANTED_EVERY = 7


def _law(output: str, holds: NDArray[np.bool_], got: Floats, expected: Floats, inputs: Batch | None = None) -> Verdict:
    score = np.where(holds, 0.0, np.inf)
    return Verdict(output, score, np.ones(got.shape, dtype=bool), got, expected, np.zeros(got.shape), inputs=inputs)


def _stays_in_range(subject: Subject, batch: Batch) -> list[Verdict]:
    """NaN is not judged here: where it is wrong, the bound says so."""
    got, (low, high) = subject.values(batch), subject.operation.range
    return [_law("value", np.isnan(got) | ((got >= low) & (got <= high)), got, np.clip(got, low, high))]


def plant_nan(batch: Batch, operation: Operation) -> tuple[Batch, NDArray[np.bool_]]:
    """NaN in the first argument of every seventh example (in one entry of a row); returns which examples."""
    name = operation.arguments[0].name
    planted = batch.arrays[name].copy()
    examples = np.zeros(planted.shape[:2], dtype=bool)
    examples[:, ::PLANTED_EVERY] = True
    if planted.ndim == 3:
        # A masked-out entry says nothing: plant where every mask is true.
        place = batch.arrays["mask"].argmax(axis=-1) if "mask" in batch.arrays else np.zeros(planted.shape[:2], dtype=int)
        k, b = np.nonzero(examples)
        planted[k, b, place[k, b]] = np.nan
    else:
        planted[examples] = np.nan
    return Batch("planted NaN", {**batch.arrays, name: planted}, batch.form), examples.ravel()


def _nan_propagates(subject: Subject, batch: Batch) -> list[Verdict]:
    poisoned, examples = plant_nan(batch, subject.operation)
    clean, got = subject.values(batch), subject.values(poisoned)
    mine = examples if got.ndim == 1 else np.broadcast_to(examples[:, None], got.shape)
    unchanged = (got == clean) | (np.isnan(got) & np.isnan(clean))
    holds = np.where(mine, np.isnan(got), unchanged)
    return [_law("value", holds, got, np.where(mine, np.nan, clean), poisoned)]


CHECKS = (
    Check(
        "stays_in_range", "stability", "law", "Every value lies in the function's range, to the last bit.",
        lambda operation: bool(np.isfinite(operation.range).any()), _stays_in_range,
    ),
    Check(
        "nan_propagates", "stability", "law",
        "NaN in an example gives NaN in its result, and changes no bit of any other example's.",
        lambda operation: operation.differentiable != (), _nan_propagates, grid_only=True,
        also=lambda operation, batch: [(operation.name, plant_nan(batch, operation)[0])],
    ),
)  # fmt: skip
