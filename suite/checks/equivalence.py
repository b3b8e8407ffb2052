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

from suite.checks.base import Check, Subject, Verdict
from suite.floats import Floats, is_representable
from suite.inputs import Batch
from suite.operations import operations

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Identity:
    """``left(inputs) = combine(right(transform(inputs)), inputs)``.

    ``transform`` works on arrays ``(K, B)`` or ``(K, B, n)`` and must give representable numbers; examples where it does not, or
    where ``where`` is false, are not judged. ``combine`` is monotone in the right-hand value.
    """

    name: str
    left: str
    right: str
    statement: str
    transform: Callable[[Arrays], dict[str, NDArray[Any]]]
    combine: Callable[[Floats, Arrays], Floats]
    where: Callable[[Arrays], NDArray[np.bool_]] | None = None


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
    with np.errstate(all="ignore"):
        right = _right(identity, batch)
        inputs = batch.flat()
        got, computed = subject.values(batch), other.values(right)
        reach = other.value_limit(right, computed)
        predicted = identity.combine(computed, inputs)
        moved = [np.abs(identity.combine(computed + s * reach, inputs) - predicted) for s in (1.0, -1.0)]
        rounding = 4.0 * 2.0**-53 * (np.abs(predicted) + _like(np.abs(computed), got))
        limit = subject.value_limit(batch, predicted) + np.maximum(*moved) + rounding
        error = np.abs(got - predicted)
        score = np.where(error == 0, 0.0, error / limit)
    finite = (np.abs(predicted) <= subject.rounding.fmt.max) & np.isfinite(limit) & np.isfinite(_like(reach, got))
    judged = _representable(subject, right.arrays, got) & finite
    if identity.where is not None:
        judged &= identity.where(inputs)
    score = np.where(np.isnan(score), np.inf, score)
    return [Verdict("value", score, judged, got, predicted, limit)]


def _right(identity: Identity, batch: Batch) -> Batch:
    """The right-hand side's inputs."""
    with np.errstate(all="ignore"):
        return Batch(batch.label, identity.transform(batch.arrays))


def _like(right: Floats, got: Floats) -> Floats:
    """The right-hand side's numbers in the left-hand side's shape: the largest of a row where that has one number."""
    return np.asarray(right if right.shape == got.shape else right.max(axis=-1))


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
        other_operation=identity.right,
        also=lambda operation, batch: [(identity.right, _right(identity, batch))],
    )  # fmt: skip


assert all({i.left, i.right} <= set(operations()) for i in IDENTITIES)

CHECKS = tuple(_check(identity) for identity in IDENTITIES)
