"""What derivatives have to be, whatever the function's value: sums, signs, convexity, decay through a chain of layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from suite.batch import Batch, directions
from suite.checks.base import Asked, Check, Subject, Verdict, share, spread_over_rows, with_directions
from suite.checks.laws import grid_alone
from suite.floats import Floats, Format, adds_exactly, is_representable
from suite.model import Operation

LAYERS = 72
"""Sigmoids in a chain: 4^-72 is below the smallest numbers of float16, bfloat16 and float32."""
STARTS = 16

ROW_SUMS = {
    "softmax": 0.0, "log_softmax": 0.0, "logsumexp": 1.0, "softmax_cross_entropy_with_logits": 0.0,
    "sparse_softmax_cross_entropy_with_logits": 0.0,
}  # fmt: skip
"""What the derivatives with respect to a row add up to, since a shift of the row shifts the result by that much."""

CONVEX = (
    "exp", "softplus", "logsumexp", "binary_cross_entropy_with_logits", "weighted_binary_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits", "sparse_softmax_cross_entropy_with_logits", "logaddexp",
)  # fmt: skip


def _row_sums(subject: Subject, batch: Batch) -> list[Verdict]:
    """The sum may err as far as its terms may; labels that round do not sum to 1, and weigh in by as much."""
    (name,) = subject.operation.differentiable
    gradient, limits = subject.gradients(batch)[name], subject.gradient_limits(batch)[name]
    labels = batch.flat().get("labels")
    excess = np.abs(labels.sum(axis=-1) - 1.0) if labels is not None and labels.ndim == 2 else 0.0
    wanted = np.full(len(gradient), ROW_SUMS[subject.operation.name])
    total = gradient.sum(axis=-1)
    limit = limits.sum(axis=-1) + excess + 4.0 * 2.0**-53 * np.abs(gradient).sum(axis=-1)
    judged = np.isfinite(limit)
    score = share(np.abs(total - wanted), limit)
    return [spread_over_rows(Verdict(f"d {name}", score, judged, total, wanted, limit), gradient.shape[-1])]


# Convexity


def _same_labels(operation: Operation, batch: Batch) -> Batch:
    """Another end for each example: the example 7 further in its block, with the first one's labels and weights.

    The grid has five numbers about each critical point; 7 further is another one, on the other side of something.
    """
    moved = {a.name: np.roll(batch.arrays[a.name], 7, axis=1) for a in operation.arguments if a.differentiable}
    return batch.replaced("other ends", moved)


def _midpoints(operation: Operation, batch: Batch) -> Batch:
    ends = _same_labels(operation, batch)
    middle = {a.name: 0.5 * batch.arrays[a.name] + 0.5 * ends.arrays[a.name] for a in operation.arguments if a.differentiable}
    return batch.replaced("midpoints", middle)


def _rises_above_chord(subject: Subject, batch: Batch) -> Verdict:
    """Values at midpoints against the means of both ends; not judged where a midpoint would round."""
    operation, middle = subject.operation, _midpoints(subject.operation, batch)
    ends = _same_labels(operation, batch)
    exact = np.ones(batch.first.shape[0] * batch.first.shape[1], dtype=bool)
    for name in operation.differentiable:
        here, there, array = (b.flat()[name] for b in (batch, ends, middle))
        fine = is_representable(subject.rounding.fmt, array) & adds_exactly(0.5 * here, 0.5 * there)
        exact &= fine.reshape(len(exact), -1).all(axis=-1)
    first, last, got = subject.values(batch), subject.values(ends), subject.values(middle)
    limits = [subject.value_limit(b, v) for b, v in ((batch, first), (ends, last), (middle, got))]
    mean = 0.5 * first + 0.5 * last
    limit = 0.5 * limits[0] + 0.5 * limits[1] + limits[2] + 2.0**-52 * np.abs(mean)
    above = share(np.maximum(got - mean, 0.0), limit)
    judged = exact & np.isfinite(mean) & np.isfinite(limit)
    return Verdict("value", np.where(judged, above, 0.0), judged, got, mean, limit, inputs=middle)


def _is_convex(subject: Subject, batch: Batch) -> list[Verdict]:
    return [_rises_above_chord(subject, batch)]


def _is_not_convex(subject: Subject, batch: Batch) -> list[Verdict]:
    """One midpoint above its chord, beyond all rounding, is a counter-example to convexity, and that is what is wanted.

    A function that is another one, and convex, may err by more than this one's bound: by some units of its own values.
    """
    all_of_them = _rises_above_chord(subject, batch)
    got, mean = all_of_them.got, all_of_them.expected
    with np.errstate(invalid="ignore"):
        score = np.where(got - mean > 8.0 * subject.rounding.u * (np.abs(got) + np.abs(mean)), all_of_them.score, 0.0)
    found = bool((score > 1.0).any())
    judged = np.arange(len(got)) == int(np.argmax(score))
    return [replace(all_of_them, score=np.full(got.shape, 0.0 if found else np.inf), judged=judged)]


def _chords(operation: Operation, fmt: Format, batch: Batch) -> list[Asked]:
    return [Asked(_same_labels(operation, batch)), Asked(_midpoints(operation, batch))]


def _curvature_is_nonnegative(subject: Subject, batch: Batch) -> list[Verdict]:
    """dᵀ H d ≥ 0, as far as the entries may err."""
    output = f"h {subject.operation.differentiable[0]}"
    got, limit, d = subject.derivative(batch, "curvature"), subject.curvature_limit(batch), directions(batch)
    d = d.reshape(got.shape)
    form, allowed = got * d, limit * np.abs(d)
    if got.ndim == 2:
        form, allowed = form.sum(axis=-1), allowed.sum(axis=-1)
    judged = np.isfinite(form) & np.isfinite(allowed)
    verdict = Verdict(output, share(np.maximum(-form, 0.0), allowed), judged, form, np.maximum(form, 0.0), allowed)
    return [spread_over_rows(verdict, got.shape[1]) if got.ndim == 2 else verdict]


# A chain of layers


def _starts(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    """Sixteen numbers between −2 and 2, repeated to a block."""
    block = plain[0].first.shape[1]
    return [Batch("start of a chain", {"x": np.resize(np.arange(-8, 8) / 4.0 + 0.125, (1, block)).astype(np.float64)})]


def _chain(subject: Subject, batch: Batch) -> list[Verdict]:
    """The gradient through :data:`LAYERS` layers, layer by layer by the framework's own pullback, against the product of the exact slopes.

    Each layer may err by its gradient's bound and by one rounding of the product; what has become subnormal is not judged. At every
    depth: the verdict is the worst of them. All layers have finite values.
    """
    fmt, high = subject.rounding.fmt, subject.operation.gradient_range[1]
    states = [batch]
    for _ in range(LAYERS - 1):
        value = subject.evaluate(states[-1], "value")["value"]
        states.append(batch.replaced(batch.label, {"x": np.asarray(value)}))
    gradient, exact, relative = np.ones(batch.first.shape[1]), np.ones(batch.first.shape[1]), np.zeros(batch.first.shape[1])
    unknown, zero, lost = (np.zeros(gradient.shape, dtype=bool) for _ in range(3))
    worst, dies = np.zeros(gradient.shape), float("nan")
    for depth, state in enumerate(reversed(states), 1):
        slope, limit = _slopes(subject, state)
        gradient = subject.evaluate(state.replaced(state.label, {"cotangent": gradient[None]}), "gradient")["d x"][0]
        unknown, zero = unknown | np.isnan(slope), zero | (slope == 0.0)
        exact = exact * np.nan_to_num(slope)
        relative = relative + np.where(slope > 0, limit / np.maximum(np.nan_to_num(slope), fmt.eta), 0.0) + 2.0 * subject.rounding.u
        judged = zero | (~unknown & (np.abs(exact) >= 8.0 * fmt.tiny))
        error = share(np.abs(gradient - exact), np.expm1(relative) * exact + np.where(exact == 0.0, 0.0, subject.rounding.underflow))
        error = np.where(np.abs(gradient) > high**depth * np.exp(relative), np.inf, error)
        lost = lost | ~np.isfinite(state.first[0])
        worst = np.where(judged | lost, np.maximum(worst, np.where(lost, np.inf, error)), worst)
        if dies != dies and not gradient.any():
            dies = float(depth)
    grades = {"dies at depth": dies} if dies == dies else {}
    allowed = np.expm1(relative) * exact
    return [Verdict("d x", worst, np.arange(len(worst)) < STARTS, gradient, exact, allowed, grades)]


def _slopes(subject: Subject, state: Batch) -> tuple[Floats, Floats]:
    """Exact derivatives and their limits at a layer's inputs, of which there are few different ones; NaN at a kink."""
    x, back = np.unique(state.first[0], return_inverse=True)
    few = Batch("inputs of a layer", {"x": x[None]})
    slope, limit = subject.exact_gradients(few)["x"].high, subject.gradient_limits(few)["x"]
    return slope[back], np.nan_to_num(limit)[back]


CHECKS = (
    Check(
        "gradients_of_a_row_add_up", "vanishing", "bound",
        "The derivatives with respect to a row sum to 0 (of logsumexp to 1), as far as each may err.",
        lambda operation: operation.name in ROW_SUMS, _row_sums, asks="gradient", thorough=True,
    ),
    Check(
        "is_convex", "vanishing", "bound", "The value at a midpoint is no larger than the mean of the values at both ends.",
        lambda operation: operation.name in CONVEX, _is_convex, thorough=True, also=_chords, against="chord",
    ),
    Check(
        "is_not_convex", "vanishing", "bound",
        "The squared error of a sigmoid is not convex: some midpoint lies above its chord, beyond all rounding.",
        lambda operation: operation.name == "sigmoid_squared_error", _is_not_convex, prepare=grid_alone, thorough=True, also=_chords,
        against="chord",
    ),
    Check(
        "curvature_is_nonnegative", "vanishing", "bound",
        "The second derivative of a convex function is nowhere negative: the Hessian is positive semi-definite.",
        lambda operation: operation.name in CONVEX, _curvature_is_nonnegative, asks="curvature", prepare=with_directions, thorough=True,
        compiles=2,
    ),
    Check(
        "gradient_through_a_chain", "vanishing", "bound",
        "Through 72 layers the gradient is the product of the slopes while that is a normal number; of sigmoids at most ¼ a layer.",
        lambda operation: operation.name in ("sigmoid", "tanh", "relu"), _chain, asks="gradient", prepare=_starts, thorough=True,
        compiles=1, sequential=True,
    ),
)  # fmt: skip
