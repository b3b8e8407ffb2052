"""Exact laws of single results: ranges, NaN, special values. No tolerance, no reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from suite.batch import Batch
from suite.checks.base import Asked, Check, Subject, Verdict, law
from suite.floats import Format, round_to
from suite.model import Operation

PLANTED_EVERY = 7


def _stays_in_range(subject: Subject, batch: Batch) -> list[Verdict]:
    """NaN is not judged here: where it is wrong, the bound says so."""
    got, (low, high) = subject.values(batch), subject.operation.range
    return [law("value", np.isnan(got) | ((got >= low) & (got <= high)), got, np.clip(got, low, high))]


def _gradient_stays_in_range(subject: Subject, batch: Batch) -> list[Verdict]:
    """At a kink too: there the derivatives of both sides are the range."""
    low, high = subject.operation.gradient_range
    found = subject.gradients(batch)
    return [law(f"d {n}", np.isnan(g) | ((g >= low) & (g <= high)), g, np.clip(g, low, high)) for n, g in found.items()]


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


def _simplest_planted(operation: Operation, batch: Batch) -> Sequence[int]:
    """Of the examples that get a NaN the one with the smallest numbers beside it: as a rule the same in every dtype."""
    examples = batch.flat()
    first, *others = (examples[a.name] for a in operation.arguments)
    beside = [*others, *([first] if first.ndim > 1 else [])]
    size = sum((np.abs(a.astype(np.float64)).reshape(len(a), -1).sum(axis=1) for a in beside), np.zeros(len(first)))
    planted = np.arange(len(first)) % batch.first.shape[1] % PLANTED_EVERY == 0
    return [int(np.argmin(np.where(planted, np.nan_to_num(size, nan=np.inf), np.inf)))]


def _nan_propagates(subject: Subject, batch: Batch) -> list[Verdict]:
    poisoned, examples = plant_nan(batch, subject.operation)
    clean, got = subject.values(batch), subject.values(poisoned)
    mine = examples if got.ndim == 1 else np.broadcast_to(examples[:, None], got.shape)
    unchanged = (got == clean) | (np.isnan(got) & np.isnan(clean))
    holds = np.where(mine, np.isnan(got), unchanged)
    return [law("value", holds, got, np.where(mine, np.nan, clean), poisoned)]


def grid_alone(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    """The boundary grid without generated blocks."""
    return [plain[0]]


# Special values


def corner_batch(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    """The operation's special inputs, repeated to a block; a short row goes on with its last entry."""
    shape = plain[0].first.shape[1:]
    arrays: dict[str, NDArray[np.float64]] = {}
    for argument in operation.arguments:
        entries = [_entry(corner[0][argument.name], shape if argument.rows else shape[:1]) for corner in operation.corners]
        column = np.array([entries[i % len(entries)] for i in range(shape[0])])
        arrays[argument.name] = column[None] if argument.role == "index" else round_to(fmt, column)[None]
    if operation.shape == "row":
        arrays["cotangent"] = np.ones((1, *shape))
    return [Batch("special values", arrays)]


def _entry(given: float | tuple[float, ...], shape: tuple[int, ...]) -> object:
    if not isinstance(given, tuple):
        return given
    return np.array([given[min(i, len(given) - 1)] for i in range(shape[-1])])


def _special_values(subject: Subject, batch: Batch) -> list[Verdict]:
    """An infinity, zero or NaN exactly; the sign of a zero where the special value has one."""
    got, corners = subject.values(batch), subject.operation.corners
    shape = batch.first.shape[1:]
    expected = np.array([_entry(corners[i % len(corners)][1], shape) for i in range(shape[0])], dtype=np.float64)
    negative = (expected == 0) & np.signbit(expected)
    same = ((got == expected) & (np.signbit(got) | ~negative)) | (np.isnan(got) & np.isnan(expected))
    return [law("value", same, got, expected)]


def _corners(operation: Operation, batch: Batch) -> Sequence[int]:
    """Each of them once."""
    return range(min(len(operation.corners), batch.first.shape[1]))


CHECKS = (
    Check(
        "stays_in_range", "stability", "law", "Every value lies in the function's range, to the last bit.",
        lambda operation: bool(np.isfinite(operation.range).any()), _stays_in_range,
    ),
    Check(
        "gradient_stays_in_range", "vanishing", "law",
        "Every derivative lies between the least and the largest that the function has (σ' ≤ ¼), at kinks between those of both sides.",
        lambda operation: bool(np.isfinite(operation.gradient_range).any()), _gradient_stays_in_range, asks="gradient",
        thorough=True,
    ),
    Check(
        "nan_propagates", "stability", "law",
        "NaN in an example gives NaN in its result, and changes no bit of any other example's.",
        lambda operation: operation.differentiable != (), _nan_propagates, prepare=grid_alone,
        also=lambda operation, fmt, batch: [Asked(plant_nan(batch, operation)[0])], special=_simplest_planted,
    ),
    Check(
        "special_values", "stability", "law",
        "Infinities, zeros of either sign and certain labels give the values that the function has there, or tends to.",
        lambda operation: operation.corners != (), _special_values, prepare=corner_batch, thorough=True,
        special=_corners,
    ),
)  # fmt: skip
