"""Computed against exact: values and gradients within their bounds, zeros that come too soon."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from suite.batch import PLAIN, Batch
from suite.checks.base import Check, Subject, Verdict, with_directions
from suite.floats import Floats, Format, round_to, ulp
from suite.model import Operation
from suite.oracle import Exact


def errors(fmt: Format, got: Floats, exact: Exact) -> Floats:
    """|got − exact|; infinite where one of them is NaN or infinite and the other is not that same thing.

    An infinity stands for any exact value that rounds to it.
    """
    with np.errstate(all="ignore"):
        error = np.abs((got - exact.high) - exact.low)
    nearest = round_to(fmt, exact.high, exact.low)
    same = (got == nearest) | (np.isnan(got) & np.isnan(exact.high))
    error = np.where(np.isfinite(got) & np.isfinite(exact.high), error, np.inf)
    return np.where(same & ~np.isfinite(error), 0.0, error)


def share_of_bound(fmt: Format, got: Floats, exact: Exact, limit: Floats) -> Floats:
    """Error over limit. An infinity is no error where the bound reaches beyond what rounds to the largest finite number."""
    error = errors(fmt, got, exact)
    with np.errstate(all="ignore"):
        beyond = (np.abs(exact.high) - fmt.max) + limit > 0.5 * float(ulp(fmt, np.array(fmt.max)))
        overflow = np.isinf(got) & (np.sign(got) == np.sign(exact.high)) & beyond
        error = np.where(overflow, 0.0, error)
        share = np.where(error == 0.0, 0.0, error / limit)
    return np.where(np.isnan(share), np.inf, share)


def grades(fmt: Format, got: Floats, exact: Exact) -> dict[str, float]:
    """What is characterised, not judged, over the elements whose exact value is a finite number of the format."""
    finite = np.isfinite(exact.high) & (np.abs(exact.high) <= fmt.max)
    if not finite.any():
        return {}
    g, e = got[finite], exact[finite]
    with np.errstate(all="ignore"):
        in_ulps = errors(fmt, g, e) / ulp(fmt, e.high)
    nearest = round_to(fmt, e.high, e.low)
    numbers = np.isfinite(g)
    subnormal = (nearest != 0) & (np.abs(nearest) < fmt.tiny)
    return {
        "max ulp": float(np.max(in_ulps[numbers], initial=0.0)),
        "mean ulp": float(np.mean(in_ulps[numbers])) if numbers.any() else 0.0,
        "correctly rounded": float(np.mean(g == nearest)),
        "premature zeros": float(np.sum((g == 0) & (np.abs(nearest) >= fmt.tiny))),
        "flushed": float(np.sum((g == 0) & subnormal)),
        "non-finite": float(np.sum(~numbers)),
        "elements": float(finite.sum()),
    }


def value_within_bound(subject: Subject, batch: Batch) -> list[Verdict]:
    """Values against their bound, whatever the batch is made to show."""
    got, exact, fmt = subject.values(batch), subject.exact_values(batch), subject.rounding.fmt
    limit = subject.value_limit(batch, exact.high)
    score = share_of_bound(fmt, got, exact, limit)
    judged = np.ones(got.shape, dtype=bool)
    nearest = round_to(fmt, exact.high, exact.low)
    return [Verdict("value", score, judged, got, exact.high, limit, grades(fmt, got, exact), nearest=nearest)]


def gradient_within_bound(subject: Subject, batch: Batch) -> list[Verdict]:
    """Gradients against theirs; what has none is not judged."""
    got, exact, fmt = subject.gradients(batch), subject.exact_gradients(batch), subject.rounding.fmt
    limits = subject.gradient_limits(batch)
    verdicts = []
    for name in got:
        score = share_of_bound(fmt, got[name], exact[name], limits[name])
        judged = ~np.isnan(exact[name].high)
        graded, nearest = grades(fmt, got[name], exact[name]), round_to(fmt, exact[name].high, exact[name].low)
        verdicts.append(Verdict(f"d {name}", score, judged, got[name], exact[name].high, limits[name], graded, nearest=nearest))
    return verdicts


def _no_premature_zero(subject: Subject, batch: Batch) -> list[Verdict]:
    """A factor of four above the smallest normal number leaves room for a factor that is flushed on the way.

    Soft labels are not judged: there the gradient has a root inside, where p = y, and next to it a rounded p may be y.
    """
    got, exact, fmt = subject.gradients(batch), subject.exact_gradients(batch), subject.rounding.fmt
    hard = hard_labels(batch)
    verdicts = []
    for name in got:
        normal = (np.abs(exact[name].high) >= 4.0 * fmt.tiny) & np.isfinite(exact[name].high)
        normal &= hard if normal.ndim == 1 else hard[:, None]
        score = np.where((got[name] == 0) & normal, np.inf, 0.0)
        verdicts.append(Verdict(f"d {name}", score, normal, got[name], exact[name].high, np.zeros(score.shape)))
    return verdicts


def _no_premature_zero_in_value(subject: Subject, batch: Batch) -> list[Verdict]:
    """Where a sum cancels, 0 may be as near as any result: sums are judged where the largest term is 0, and nothing can cancel."""
    got, exact, fmt = subject.values(batch), subject.exact_values(batch), subject.rounding.fmt
    judged = (np.abs(exact.high) >= 4.0 * fmt.tiny) & np.isfinite(exact.high)
    judged &= hard_labels(batch) if got.ndim == 1 else hard_labels(batch)[:, None]
    examples = batch.flat()
    if subject.operation.name == "logsumexp":
        judged &= examples["x"].max(axis=-1) == 0.0
    if subject.operation.name.startswith("logaddexp"):
        judged &= np.maximum(examples["a"], examples["b"]) == 0.0
    score = np.where((got == 0) & judged, np.inf, 0.0)
    return [Verdict("value", score, judged, got, exact.high, np.zeros(score.shape))]


def _curvature_within_bound(subject: Subject, batch: Batch) -> list[Verdict]:
    fmt, name = subject.rounding.fmt, f"h {subject.operation.differentiable[0]}"
    got, exact, limit = subject.derivative(batch, "curvature"), subject.exact_curvature(batch), subject.curvature_limit(batch)
    score = share_of_bound(fmt, got, exact, limit)
    nearest = round_to(fmt, exact.high, exact.low)
    return [Verdict(name, score, ~np.isnan(exact.high), got, exact.high, limit, grades(fmt, got, exact), nearest=nearest)]


def _no_premature_zero_in_curvature(subject: Subject, batch: Batch) -> list[Verdict]:
    """Products of two probabilities may underflow on the way: what is judged is well above that, and away from a root at 0."""
    fmt, name = subject.rounding.fmt, f"h {subject.operation.differentiable[0]}"
    got, exact = subject.derivative(batch, "curvature"), subject.exact_curvature(batch)
    normal = (np.abs(exact.high) >= 64.0 * fmt.tiny) & np.isfinite(exact.high)
    if subject.operation.name in ("sigmoid", "tanh"):
        normal &= np.abs(batch.flat()["x"]) >= 1.0
    score = np.where((got == 0) & normal, np.inf, 0.0)
    return [Verdict(name, score, normal, got, exact.high, np.zeros(score.shape))]


def hard_labels(batch: Batch) -> NDArray[np.bool_]:
    """Examples whose labels, if there are any, are all 0 or 1 or an index."""
    examples = batch.flat()
    labels = examples.get("labels")
    if labels is None:
        return np.ones(len(next(iter(examples.values()))), dtype=bool)
    hard = (labels == 0.0) | (labels == 1.0) if labels.dtype.kind == "f" else np.ones(labels.shape, dtype=bool)
    return np.asarray(hard if hard.ndim == 1 else hard.all(axis=-1))


def ends(operation: Operation, batch: Batch) -> Sequence[int]:
    """Zeros and infinities, of a function of one number."""
    x = batch.flat()[operation.arguments[0].name]
    if batch.form != PLAIN or operation.has_rows or len(operation.arguments) > 1:
        return ()
    return [int(i) for i in np.flatnonzero((x == 0) | np.isinf(x))]


def _always(operation: object) -> bool:
    return True


CHECKS = (
    Check(
        "value_within_bound", "stability", "bound",
        "The value differs from the exact one by no more than the operation's rounding-error bound, and is finite wherever that is.",
        _always, value_within_bound, forms=True, special=ends,
    ),
    Check(
        "gradient_within_bound", "vanishing", "bound",
        "The gradient by the framework's autodiff differs from the exact one by no more than its bound.",
        _always, gradient_within_bound, asks="gradient", forms=True, special=ends,
    ),
    Check(
        "no_premature_zero", "vanishing", "law",
        "No gradient is exactly 0 where the true one is a normal number of the dtype (hard labels).",
        _always, _no_premature_zero, asks="gradient",
    ),
    Check(
        "no_premature_zero_in_value", "stability", "law",
        "No value is exactly 0 where the true one is a normal number of the dtype (hard labels; of sums those without cancellation).",
        lambda operation: operation.name not in ("masked_mean", "smooth_labels"), _no_premature_zero_in_value, thorough=True,
    ),
    Check(
        "curvature_within_bound", "vanishing", "bound",
        "The second derivative by the framework's autodiff differs from the exact one by no more than its bound.",
        _always, _curvature_within_bound, asks="curvature", prepare=with_directions, thorough=True, compiles=2, special=ends,
    ),
    Check(
        "no_premature_zero_in_curvature", "vanishing", "law",
        "No second derivative is exactly 0 where the true one is a normal number of the dtype.",
        lambda operation: operation.name != "relu", _no_premature_zero_in_curvature, asks="curvature", prepare=with_directions,
        thorough=True, compiles=2,
    ),
)  # fmt: skip
