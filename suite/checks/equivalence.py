"""Identities between functions of one framework: each side may err by its own bound, and no further.

No reference is used: the two sides are computed by the framework, in the same mode and dtype, and combined in float64. The right-hand
side is the backend's canonical implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.batch import Batch
from suite.checks.base import Asked, Check, Subject, Verdict, share, spread_over_rows
from suite.floats import Floats, Format, adds_exactly, is_representable
from suite.model import Operation
from suite.operations import operations

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Identity:
    """``left(inputs) = combine(right(transform(inputs)), inputs)``.

    ``transform`` works on arrays ``(K, B)`` or ``(K, B, n)`` and must give representable numbers; examples where it does not, or
    where ``where`` is false, are not judged. ``combine`` is monotone in the right-hand value. ``left_slope`` and ``right_slope`` name an
    argument whose derivative takes the value's place.
    """

    name: str
    left: str
    right: str
    statement: str
    transform: Callable[[Arrays], dict[str, NDArray[Any]]]
    combine: Callable[[Floats, Arrays], Floats]
    where: Callable[[Arrays], NDArray[np.bool_]] | None = None
    left_slope: str = ""
    right_slope: str = ""


def _pair(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    return np.stack(np.broadcast_arrays(first, second), axis=-1)


def _one_hot(inputs: Arrays, rows: str) -> NDArray[Any]:
    return np.asarray(np.arange(inputs[rows].shape[-1]) == inputs["labels"][..., None], dtype=np.float64)


IDENTITIES = (
    Identity(
        "sigmoid_is_softmax", "sigmoid", "softmax", "σ(x) = softmax([x, 0])₀",
        lambda i: {"x": _pair(i["x"], np.zeros(()))}, lambda r, i: r[:, 0],
    ),
    Identity("sigmoid_reflection", "sigmoid", "sigmoid", "σ(x) = 1 − σ(−x)", lambda i: {"x": -i["x"]}, lambda r, i: 1.0 - r),
    Identity("sigmoid_is_tanh", "tanh", "sigmoid", "tanh(x) = 2σ(2x) − 1", lambda i: {"x": 2.0 * i["x"]}, lambda r, i: 2.0 * r - 1.0),
    Identity("log_sigmoid_is_softplus", "log_sigmoid", "softplus", "log σ(x) = −softplus(−x)", lambda i: {"x": -i["x"]}, lambda r, i: -r),
    Identity(
        "softplus_difference", "softplus", "softplus", "softplus(x) = x + softplus(−x)",
        lambda i: {"x": -i["x"]}, lambda r, i: r + i["x"],
    ),
    Identity(
        "softplus_is_logaddexp", "softplus", "logaddexp", "softplus(x) = logaddexp(x, 0)",
        lambda i: {"a": i["x"], "b": 0.0 * i["x"]}, lambda r, i: r,
    ),
    Identity(
        "softmax_is_exp_log_softmax", "softmax", "log_softmax", "softmax(x) = exp(log_softmax(x))",
        lambda i: {"x": i["x"]}, lambda r, i: np.exp(r),
    ),
    Identity(
        "logaddexp_is_logsumexp", "logaddexp", "logsumexp", "logaddexp(a, b) = logsumexp([a, b])",
        lambda i: {"x": _pair(i["a"], i["b"])}, lambda r, i: r,
    ),
    Identity(
        "binary_is_categorical_with_logits", "binary_cross_entropy_with_logits", "softmax_cross_entropy_with_logits",
        "BCE(x, y) = CE([x, 0], [y, 1 − y])",
        lambda i: {"logits": _pair(i["logits"], np.zeros(())), "labels": _pair(i["labels"], 1.0 - i["labels"])}, lambda r, i: r,
    ),
    Identity(
        "binary_is_categorical", "binary_cross_entropy", "categorical_cross_entropy", "BCE(p, y) = CE([p, 1 − p], [y, 1 − y])",
        lambda i: {
            "probabilities": _pair(i["probabilities"], 1.0 - i["probabilities"]), "labels": _pair(i["labels"], 1.0 - i["labels"])
        },
        lambda r, i: r,
    ),
    Identity(
        "weight_one_is_unweighted", "weighted_binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits",
        "weighted BCE(x, y, 1) = BCE(x, y)",
        lambda i: {"logits": i["logits"], "labels": i["labels"]}, lambda r, i: r, lambda i: i["pos_weight"] == 1.0,
    ),
    Identity(
        "sparse_is_one_hot_with_logits", "sparse_softmax_cross_entropy_with_logits", "softmax_cross_entropy_with_logits",
        "CE(x, k) = CE(x, e_k)", lambda i: {"logits": i["logits"], "labels": _one_hot(i, "logits")}, lambda r, i: r,
    ),
    Identity(
        "sparse_is_one_hot", "sparse_categorical_cross_entropy", "categorical_cross_entropy", "CE(p, k) = CE(p, e_k)",
        lambda i: {"probabilities": i["probabilities"], "labels": _one_hot(i, "probabilities")}, lambda r, i: r,
    ),
    Identity(
        "squared_error_is_of_sigmoid", "sigmoid_squared_error", "sigmoid", "SE(x, y) = (σ(x) − y)²",
        lambda i: {"x": i["logits"]}, lambda r, i: (r - i["labels"]) ** 2,
    ),
    Identity("exp_is_expm1", "exp", "expm1", "exp(x) = expm1(x) + 1", lambda i: {"x": i["x"]}, lambda r, i: r + 1.0),
    Identity(
        "xlogy_is_log", "xlogy", "log", "xlogy(a, b) = a log b",
        lambda i: {"x": i["b"]}, lambda r, i: np.where(i["a"] == 0, 0.0, r * i["a"]),
    ),
)  # fmt: skip


def _judge(identity: Identity, subject: Subject, batch: Batch) -> list[Verdict]:
    other = subject.peer(identity.right)
    if other is None:
        return []
    right, inputs = _right(identity, batch), batch.flat()
    got = subject.gradients(batch)[identity.left_slope] if identity.left_slope else subject.values(batch)
    computed = other.gradients(right)[identity.right_slope] if identity.right_slope else other.values(right)
    reach = other.gradient_limits(right)[identity.right_slope] if identity.right_slope else other.value_limit(right, computed)
    predicted = identity.combine(computed, inputs)
    moved = [np.abs(identity.combine(computed + s * reach, inputs) - predicted) for s in (1.0, -1.0)]
    rounding = 4.0 * 2.0**-53 * (np.abs(predicted) + _like(np.abs(computed), got))
    own = subject.gradient_limits(batch)[identity.left_slope] if identity.left_slope else subject.value_limit(batch, predicted)
    limit = own + np.maximum(*moved) + rounding
    finite = (np.abs(predicted) <= subject.rounding.fmt.max) & np.isfinite(limit) & np.isfinite(_like(reach, got))
    judged = _representable(subject, right.arrays, got) & finite
    if identity.where is not None:
        chosen = identity.where(inputs)
        judged &= chosen if chosen.ndim == judged.ndim else chosen[:, None]
    output = f"d {identity.left_slope}" if identity.left_slope else "value"
    return [Verdict(output, share(np.abs(got - predicted), limit), judged, got, predicted, limit)]


def _right(identity: Identity, batch: Batch) -> Batch:
    """The right-hand side's inputs."""
    with np.errstate(all="ignore"):
        return Batch(batch.label, identity.transform(batch.arrays))


def _like(right: Floats, got: Floats) -> Floats:
    """The right-hand side's numbers in the left-hand side's shape: the largest of a row where that has one number."""
    if right.shape == got.shape:
        return right
    return np.asarray(right.max(axis=-1) if right.ndim > got.ndim else right[:, None])


def _representable(subject: Subject, arrays: Arrays, got: Floats) -> NDArray[np.bool_]:
    """Examples whose transformed inputs are finite numbers of the dtype."""
    fine = np.ones(got.shape[:1], dtype=bool)
    for array in arrays.values():
        if array.dtype == np.float64:
            ok = is_representable(subject.rounding.fmt, array) & np.isfinite(array)
            fine &= ok.reshape(len(fine), -1).all(axis=-1)
    return fine if got.ndim == 1 else np.broadcast_to(fine[:, None], got.shape).copy()


def _check(identity: Identity) -> Check:
    return Check(
        identity.name, "equivalence", "bound", f"{identity.statement}, each side within its own bound.",
        lambda operation: operation.name == identity.left,
        lambda subject, batch: _judge(identity, subject, batch),
        asks="gradient" if identity.left_slope else "value", others=lambda operation: (identity.right,), against="other",
        also=lambda operation, fmt, batch: [
            Asked(_right(identity, batch), "gradient" if identity.right_slope else "value", identity.right)
        ],
    )  # fmt: skip


SLOPES = (
    Identity(
        "sigmoid_slope_is_of_softmax", "sigmoid", "softmax", "σ'(x) = ∂ softmax([x, 0])₀/∂x",
        lambda i: {"x": _pair(i["x"], np.zeros(())), "cotangent": _pair(np.ones_like(i["x"]), np.zeros(()))},
        lambda r, i: r[:, 0], left_slope="x", right_slope="x",
    ),
    Identity(
        "sigmoid_slope_is_even", "sigmoid", "sigmoid", "σ'(x) = σ'(−x)",
        lambda i: {"x": -i["x"]}, lambda r, i: r, left_slope="x", right_slope="x",
    ),
    Identity(
        "tanh_slope_is_of_sigmoid", "tanh", "sigmoid", "tanh'(x) = 4σ'(2x)",
        lambda i: {"x": 2.0 * i["x"]}, lambda r, i: 4.0 * r, left_slope="x", right_slope="x",
    ),
    Identity(
        "softplus_slope_is_sigmoid", "softplus", "sigmoid", "softplus'(x) = σ(x)", lambda i: {"x": i["x"]}, lambda r, i: r, left_slope="x",
    ),
    Identity(
        "log_sigmoid_slope_is_sigmoid", "log_sigmoid", "sigmoid", "(log σ)'(x) = σ(−x)",
        lambda i: {"x": -i["x"]}, lambda r, i: r, left_slope="x",
    ),
    Identity(
        "logaddexp_slope_is_sigmoid", "logaddexp", "sigmoid", "∂ logaddexp(a, b)/∂a = σ(a − b)",
        lambda i: {"x": i["a"] - i["b"]}, lambda r, i: r,
        lambda i: adds_exactly(i["a"], -i["b"]), left_slope="a",
    ),
    Identity(
        "logsumexp_slope_is_softmax", "logsumexp", "softmax", "∂ logsumexp(x)/∂x = softmax(x)",
        lambda i: {"x": i["x"]}, lambda r, i: r, left_slope="x",
    ),
    Identity(
        "cross_entropy_slope_is_p_minus_y", "softmax_cross_entropy_with_logits", "softmax", "∂ CE(x, y)/∂x = softmax(x) − y",
        lambda i: {"x": i["logits"]}, lambda r, i: r - i["labels"],
        lambda i: np.abs(i["labels"].sum(axis=-1) - 1.0) == 0.0, left_slope="logits",
    ),
    Identity(
        "binary_slope_is_categorical_with_logits", "binary_cross_entropy_with_logits", "softmax_cross_entropy_with_logits",
        "∂ BCE(x, y)/∂x = ∂ CE([x, 0], [y, 1 − y])/∂x",
        lambda i: {"logits": _pair(i["logits"], np.zeros(())), "labels": _pair(i["labels"], 1.0 - i["labels"])},
        lambda r, i: r[:, 0], left_slope="logits", right_slope="logits",
    ),
    Identity(
        "sparse_slope_is_one_hot_with_logits", "sparse_softmax_cross_entropy_with_logits", "softmax_cross_entropy_with_logits",
        "∂ CE(x, k)/∂x = ∂ CE(x, e_k)/∂x", lambda i: {"logits": i["logits"], "labels": _one_hot(i, "logits")},
        lambda r, i: r, left_slope="logits", right_slope="logits",
    ),
)  # fmt: skip
"""The same of derivatives."""


def _rows_sum_to_one(subject: Subject, batch: Batch) -> list[Verdict]:
    """Σ softmax(x) = 1 and Σ exp(log_softmax(x)) = 1, as far as each entry may err."""
    got = subject.values(batch)
    limit = subject.value_limit(batch, subject.exact_values(batch).high)
    p, allowed = (got, limit) if subject.operation.name == "softmax" else (np.exp(got), np.exp(got) * np.expm1(limit))
    total, reach = p.sum(axis=-1), allowed.sum(axis=-1) + 2.0**-52
    verdict = Verdict("value", share(np.abs(total - 1.0), reach), np.isfinite(reach), total, np.ones(total.shape), reach)
    return [spread_over_rows(verdict, got.shape[1])]


def _apart(operation: Operation, fmt: Format, batch: Batch) -> list[Asked]:
    """σ(x + c) with softmax([x + c, c])₀: a head of two units and one of the difference of their weights."""
    return [Asked(_two_heads(fmt, batch), operation="softmax")]


def _two_heads(fmt: Format, batch: Batch) -> Batch:
    x = batch.arrays["x"]
    c = np.where(np.abs(x) < 1.0, 0.25, np.exp2(np.floor(np.log2(np.maximum(np.abs(x), 1.0)))))
    moved = x + c
    exact = is_representable(fmt, moved) & adds_exactly(x, c) & np.isfinite(moved)
    return Batch("two heads", {"x": np.stack([np.where(exact, moved, x), np.where(exact, c, 0.0)], axis=-1)})


def _heads_agree(subject: Subject, batch: Batch) -> list[Verdict]:
    other = subject.peer("softmax")
    if other is None:
        return []
    pairs = _two_heads(subject.rounding.fmt, batch)
    got, two = subject.values(batch), other.values(pairs)
    limit = subject.value_limit(batch, two[:, 0]) + other.value_limit(pairs, two)[:, 0]
    judged = np.isfinite(limit) & np.isfinite(pairs.flat()["x"]).all(axis=-1)
    return [Verdict("value", share(np.abs(got - two[:, 0]), limit), judged, got, two[:, 0], limit)]


@dataclass(frozen=True)
class _Way:
    """From logits to a loss by way of probabilities."""

    squash: str
    loss: str


_WAYS = {
    "binary_cross_entropy_with_logits": _Way("sigmoid", "binary_cross_entropy"),
    "softmax_cross_entropy_with_logits": _Way("softmax", "categorical_cross_entropy"),
    "sparse_softmax_cross_entropy_with_logits": _Way("softmax", "sparse_categorical_cross_entropy"),
}


def _by_probabilities(subject: Subject, batch: Batch) -> list[Verdict]:
    """Both losses, each within its bound, once the reference says how far the rounded probabilities have moved the true loss.

    Judged where probabilities are further than √u from 0 and 1. The grade is the frontier: the least |logit| at which the loss from
    probabilities is off by more than a hundredth.
    """
    way, u = _WAYS[subject.operation.name], subject.rounding.u
    squash, loss = subject.peer(way.squash), subject.peer(way.loss)
    if squash is None or loss is None:
        return []
    p = squash.evaluate(Batch(batch.label, {"x": batch.first}), "value")["value"]
    inside = np.asarray((p > np.sqrt(u)) & (p < 1.0 - np.sqrt(u)))
    there = Batch("by probabilities", {"probabilities": np.where(np.isfinite(p), p, 0.5), "labels": batch.arrays["labels"]})
    got, other, exact = subject.values(batch), loss.values(there), subject.exact_values(batch).high
    safe = Batch(there.label, {**there.arrays, "probabilities": np.where(inside, p, 0.5)})
    moved = np.abs(loss.exact_values(safe).high - exact)
    limit = subject.value_limit(batch, exact) + loss.value_limit(safe, loss.exact_values(safe).high) + moved
    judged = inside.reshape(len(got), -1).all(axis=-1) & np.isfinite(exact) & ~np.isnan(other)
    off = ~(np.abs(other - exact) <= 0.01 * np.abs(exact)) & np.isfinite(exact)
    size = np.abs(batch.flat()["logits"]).reshape(len(got), -1).max(axis=-1)
    frontier = {"frontier of probabilities": float(np.min(size[off]))} if off.any() else {}
    return [Verdict("value", share(np.abs(got - other), limit), judged, got, other, limit, frontier)]


assert all({i.left, i.right} <= set(operations()) for i in (*IDENTITIES, *SLOPES))

CHECKS = (
    *(_check(identity) for identity in (*IDENTITIES, *SLOPES)),
    Check(
        "rows_sum_to_one", "equivalence", "bound", "Probabilities of a row sum to 1, as far as each may err.",
        lambda operation: operation.name in ("softmax", "log_softmax"), _rows_sum_to_one, thorough=True,
    ),
    Check(
        "two_heads_are_one", "equivalence", "bound", "σ(a − b) = softmax([a, b])₀: a head of two units and one of their difference agree.",
        lambda operation: operation.name == "sigmoid", _heads_agree, others=lambda operation: ("softmax",), thorough=True, also=_apart,
        against="other",
    ),
    Check(
        "logits_and_probabilities_agree", "equivalence", "bound",
        "The loss from logits is that from their probabilities, where those are further than √u from 0 and 1.",
        lambda operation: operation.name in _WAYS, _by_probabilities, thorough=True, sequential=True, against="other",
        others=lambda operation: (_WAYS[operation.name].squash, _WAYS[operation.name].loss),
    ),
)  # fmt: skip
