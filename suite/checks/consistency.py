"""One function, asked in several ways: other modes, other APIs, other shapes, forward differentiation, the framework's own mapping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.batch import BLOCK_ROWS, PLAIN, Batch, Form, directions
from suite.checks.accuracy import share_of_bound
from suite.checks.base import Asked, Check, Subject, Verdict, share, unit_score
from suite.floats import Floats, Format
from suite.inputs import ELEMENTS
from suite.model import Operation
from suite.processes import FrameworkError

SIZES = (7, 1, 1023, 8, 9, 64)
ROWS_MAPPED, NUMBERS_MAPPED, MATRIX = Form("mapped", "abn"), Form("mapped numbers", "ab"), Form("matrix", "ab")


def _agreement(subject: Subject, batch: Batch, got: Floats, expected: Floats) -> Verdict:
    """Two results for one example: each within its bound, and both finite or the same.

    Judged where what is expected is within its own bound: elsewhere the difference is the fault of the other.
    """
    exact = subject.exact_values(batch)
    limit = 2.0 * subject.value_limit(batch, exact.high)
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    score = np.where(same, 0.0, share(np.abs(got - expected), limit))
    # One of two roundings of a number beyond the largest is infinite where the bound reaches there.
    beyond = (np.abs(exact.high) + limit > subject.rounding.fmt.max) & (np.isinf(got) | np.isinf(expected))
    judged = ~np.isnan(exact.high) & ~beyond & (share_of_bound(subject.rounding.fmt, expected, exact, 0.5 * limit) <= 1.0)
    return Verdict("value", score, judged, got, expected, limit)


def _modes_agree(subject: Subject, batch: Batch) -> list[Verdict]:
    other = subject.first_mode()
    return [] if other is None else [_agreement(subject, batch, subject.values(batch), other.values(batch))]


def _apis_agree(subject: Subject, batch: Batch) -> list[Verdict]:
    other = subject.peer(subject.operation.name)
    return [] if other is None else [_agreement(subject, batch, subject.values(batch), other.values(batch))]


# Other shapes


def _chosen(batch: Batch, size: int) -> dict[str, NDArray[Any]]:
    """Blocks of so many examples of a batch, from all over it: all of them, or as many as fit into 32 blocks."""
    flat = batch.flat()
    count = len(next(iter(flat.values())))
    blocks = min(BLOCK_ROWS, -(-count // size))
    index = (np.arange(blocks * size) * 37 % count).reshape(blocks, size)
    return {name: a[index] for name, a in flat.items()}


def _in_other_sizes(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    return [Batch(f"batch of {size}", _chosen(plain[0], size)) for size in SIZES]


def _at_home(batch: Batch) -> Batch:
    """The same examples in blocks of the usual size, the last one filled up with its last example."""
    flat = batch.flat()
    size = BLOCK_ROWS if batch.first.ndim > 2 else ELEMENTS
    count = batch.first.shape[0] * batch.first.shape[1]
    index = np.minimum(np.arange(-(-count // size) * size), count - 1)
    return Batch("the same in usual blocks", {name: a[index].reshape(-1, size, *a.shape[1:]) for name, a in flat.items()})


def _size_has_no_influence(subject: Subject, batch: Batch) -> list[Verdict]:
    """Single numbers bit for bit; rows, whose sums a framework may order by the batch, within the bound."""
    got = subject.values(batch)
    expected = subject.values(_at_home(batch))[: len(got)]
    if batch.first.ndim > 2:
        return [_agreement(subject, batch, got, expected)]
    score = unit_score(subject.rounding.fmt, got, expected)
    return [Verdict("value", score, np.ones(got.shape, dtype=bool), got, expected, np.zeros(got.shape))]


def _as_matrix(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    return [plain[0].replaced("as a matrix", {}, MATRIX)]


def _shape_has_no_influence(subject: Subject, batch: Batch) -> list[Verdict]:
    got, expected = subject.values(batch), subject.values(batch.replaced(batch.label, {}, PLAIN))
    score = unit_score(subject.rounding.fmt, got, expected)
    return [Verdict("value", score, np.ones(got.shape, dtype=bool), got, expected, np.zeros(got.shape))]


# Other ways to differentiate and to map


def _with_direction(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    """Unit directions, so that a derivative along one is an entry of the gradient."""
    batch = plain[0]
    if batch.first.ndim < 3:
        return [batch.replaced(batch.label, {"direction": directions(batch)})]
    units = np.where((np.abs(directions(batch)).sum(axis=-1) > 1.0)[..., None], np.eye(batch.first.shape[2])[0], directions(batch))
    return [batch.replaced(batch.label, {"direction": units})]


def _forward_is_backward(subject: Subject, batch: Batch) -> list[Verdict]:
    """⟨c, J d⟩ = ⟨Jᵀ c, d⟩, with unit vectors c and d: an entry of each, and each within the gradient's bound."""
    name = subject.operation.differentiable[0]
    try:
        along = subject.derivative(batch, "tangent")
    except FrameworkError:  # a function with a derivative of its own, written for one direction
        return []
    gradient = subject.gradients(batch)[name]
    limits, exact = 2.0 * subject.gradient_limits(batch)[name], subject.exact_gradients(batch)[name].high
    if gradient.ndim == 2:
        d = batch.flat()["direction"]
        gradient, limits, exact = ((a * d).sum(axis=-1) for a in (np.where(d > 0, gradient, 0.0), np.where(d > 0, limits, 0.0), exact))
        if along.ndim == 2:
            along = np.where(batch.flat()["cotangent"] > 0, along, 0.0).sum(axis=-1)
    same = (along == gradient) | (np.isnan(along) & np.isnan(gradient))
    score = np.where(same, 0.0, share(np.abs(along - gradient), limits))
    judged = ~np.isnan(exact) & np.isfinite(gradient)
    return [Verdict(f"t {name}", score, judged, along, gradient, limits)]


def _to_be_mapped(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    return [plain[0].replaced("mapped", {}, ROWS_MAPPED if plain[0].first.ndim > 2 else NUMBERS_MAPPED)]


def _mapped_is_looped(subject: Subject, batch: Batch) -> list[Verdict]:
    plain = batch.replaced(batch.label, {}, PLAIN)
    return [_agreement(subject, plain, subject.values(batch, "mapped"), subject.values(plain))]


def _differentiable(operation: Operation) -> bool:
    return operation.gradient is not None


CHECKS = (
    Check(
        "modes_agree", "stability", "bound",
        "A compiled function differs from the first mode by no more than the bounds of both, and makes nothing infinite or NaN.",
        lambda operation: True, _modes_agree, among="other modes", thorough=True,
        also=lambda operation, fmt, batch: [Asked(batch, first_mode=True)], against="1st mode",
    ),
    Check(
        "apis_agree", "equivalence", "bound", "All functions of a framework that claim to compute the same agree, each within its bound.",
        lambda operation: True, _apis_agree, among="other implementations", thorough=True,
        also=lambda operation, fmt, batch: [Asked(batch, operation=operation.name)], against="other API",
    ),
    Check(
        "batch_size_has_no_influence", "stability", "bound",
        "In batches of 1, 7, 8, 9, 64 and 1,023 an example has the result that it has among others: numbers to the bit, rows in the bound.",
        lambda operation: True, _size_has_no_influence, prepare=_in_other_sizes, thorough=True, compiles=1,
        also=lambda operation, fmt, batch: [Asked(_at_home(batch))], against="as usual",
    ),
    Check(
        "shape_has_no_influence", "stability", "law", "Numbers in a matrix give bit for bit what they give in a vector.",
        lambda operation: not operation.has_rows and not operation.name.startswith(("binary", "sigmoid_squared")),
        _shape_has_no_influence, prepare=_as_matrix, thorough=True, compiles=1,
        also=lambda operation, fmt, batch: [Asked(batch.replaced(batch.label, {}, PLAIN))], against="as usual",
    ),
    Check(
        "forward_is_backward", "vanishing", "bound",
        "Differentiation forward through the function gives what differentiation backward gives, each within the gradient's bound.",
        _differentiable, _forward_is_backward, asks="tangent", prepare=_with_direction, thorough=True, compiles=1,
        also=lambda operation, fmt, batch: [Asked(batch, "gradient")], against="backward",
    ),
    Check(
        "mapped_is_looped", "stability", "bound", "The function as the framework itself maps it over examples agrees with that of all.",
        _differentiable, _mapped_is_looped, asks="mapped", prepare=_to_be_mapped, thorough=True, compiles=1,
        also=lambda operation, fmt, batch: [Asked(batch.replaced(batch.label, {}, PLAIN))], against="singly",
    ),
)  # fmt: skip
