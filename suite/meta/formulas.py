"""Sound formulas in the dtype of their arguments: the textbook's stable ones, and their derivatives."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[..., Any]

BCE, BCE_LOGITS = "binary_cross_entropy", "binary_cross_entropy_with_logits"
WEIGHTED, FOCAL = "weighted_binary_cross_entropy_with_logits", "binary_focal_cross_entropy"
CE, CE_LOGITS = "categorical_cross_entropy", "softmax_cross_entropy_with_logits"
SPARSE, SPARSE_LOGITS = "sparse_categorical_cross_entropy", "sparse_softmax_cross_entropy_with_logits"
SQUARED = "sigmoid_squared_error"


def along_axis(function: Function) -> Function:
    """A formula for rows, made one for classes along any axis, or along several."""

    def moved(*arrays: Any, axis: int | tuple[int, ...] = -1, **keywords: Any) -> Any:
        first = arrays[0]
        if axis == -1:
            return function(*arrays, **keywords)
        axes = tuple(a % first.ndim for a in (axis if isinstance(axis, tuple) else (axis,)))
        last = tuple(range(-len(axes), 0))
        inner = np.moveaxis(first, axes, last).shape

        def rows(array: Any) -> Any:
            if np.ndim(array) < first.ndim:
                return array
            return np.moveaxis(array, axes, last).reshape(*inner[: -len(axes)], int(np.prod(inner[-len(axes) :])))

        result = function(*map(rows, arrays), **{name: rows(value) for name, value in keywords.items()})
        return result if result.ndim == first.ndim - len(axes) else np.moveaxis(result.reshape(inner), last, axes)

    signature = inspect.signature(function)
    axis = inspect.Parameter("axis", inspect.Parameter.KEYWORD_ONLY, default=-1)
    moved.__signature__ = signature.replace(parameters=[*signature.parameters.values(), axis])  # type: ignore[attr-defined]
    moved.__doc__ = function.__doc__
    return moved


def sigmoid(x: Any) -> Any:
    """1/(1 + e^−x), of e^−|x| alone."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def softplus(x: Any) -> Any:
    """max(x, 0) + log1p(e^−|x|)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def slope(x: Any) -> Any:
    """σ(x) σ(−x)."""
    return sigmoid(x) * sigmoid(-x)


def masked(x: Any, where: Any = None) -> Any:
    """Logits with −inf where the mask says no."""
    return x if where is None else np.where(where, x, -np.inf).astype(x.dtype)


def top(x: Any) -> Any:
    """The rows' maxima."""
    return np.max(x, axis=-1, keepdims=True)


def finite_top(x: Any) -> Any:
    """The rows' maxima; 0 for an infinite one, that no difference is ∞ − ∞."""
    return np.where(np.isinf(top(x)), 0, top(x)).astype(x.dtype)


@along_axis
def softmax(x: Any, where: Any = None) -> Any:
    """Shifted by the maximum; 0 where a mask leaves nothing."""
    if where is None:
        e = np.exp(x - top(x))
        return e / e.sum(axis=-1, keepdims=True)
    e = np.exp(masked(x, where) - finite_top(masked(x, where)))
    return e / np.where(where.any(axis=-1, keepdims=True), e.sum(axis=-1, keepdims=True), 1).astype(x.dtype)


@along_axis
def log_softmax(x: Any, where: Any = None) -> Any:
    """Shifted by the maximum; −∞ where masked."""
    shifted = masked(x, where) - (top(x) if where is None else finite_top(masked(x, where)))
    log_sum = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted - (log_sum if where is None else np.where(where.any(axis=-1, keepdims=True), log_sum, 0).astype(x.dtype))


@along_axis
def softmax_gradient(x: Any, c: Any, where: Any = None) -> Any:
    """p (c − Σ p c)."""
    p = softmax(x, where)
    return p * (c - (p * c).sum(axis=-1, keepdims=True))


@along_axis
def log_softmax_gradient(x: Any, c: Any, where: Any = None) -> Any:
    """c − p Σ c, 0 where masked."""
    c = c if where is None else np.where(where, c, 0).astype(c.dtype)
    return c - softmax(x, where) * c.sum(axis=-1, keepdims=True)


@along_axis
def logsumexp(x: Any, where: Any = None, b: Any = None) -> Any:
    """Shifted by the maximum, which is added back."""
    x = masked(x, where)
    e = np.exp(x - finite_top(x)) * (1 if b is None else b)
    return finite_top(x)[..., 0] + np.log(e.sum(axis=-1))


@along_axis
def weighted_softmax(x: Any, where: Any = None, b: Any = None) -> Any:
    """The derivative of log Σ b e^x."""
    if b is None:
        return softmax(x, where)
    e = np.exp(masked(x, where) - finite_top(masked(x, where))) * b
    return e / e.sum(axis=-1, keepdims=True)


@along_axis
def hessian_product(x: Any, d: Any) -> Any:
    """(diag(p) − p pᵀ) d."""
    return softmax_gradient(x, d)


def one_hot(k: Any, like: Any) -> Any:
    """Rows of labels for indices."""
    return (np.arange(like.shape[-1]) == k[..., None]).astype(like.dtype)


def with_logits(x: Any, y: Any) -> Any:
    """(1 − y) softplus(x) + y softplus(−x), 0 where the factor is."""
    y = y.astype(x.dtype)
    return np.where(y == 1, 0, (1 - y) * softplus(x)) + np.where(y == 0, 0, y * softplus(-x))


def from_probabilities(p: Any, y: Any) -> Any:
    """−y log p − (1 − y) log(1 − p), 0 where the label is."""
    y = y.astype(p.dtype)
    return -np.where(y == 0, 0, y * np.log(p)) - np.where(y == 1, 0, (1 - y) * np.log1p(-p))


def weighted(x: Any, y: Any, q: Any) -> Any:
    """(1 − y) softplus(x) + q y softplus(−x), 0 where the factor is."""
    y = y.astype(x.dtype)
    return np.where(y == 1, 0, (1 - y) * softplus(x)) + np.where(y == 0, 0, q * y * softplus(-x))


def residual(x: Any, y: Any) -> Any:
    """σ(x) − y; for label 1 it is −σ(−x)."""
    return np.where(y == 1, -sigmoid(-x), sigmoid(x) - y.astype(x.dtype))


def focal(x: Any, y: Any, gamma: float = 2.0, alpha: float = 0.25) -> Any:
    """α_t (1 − p_t)^γ times the cross-entropy."""
    q = np.where(y == 1, sigmoid(-x), sigmoid(x))
    return np.where(y == 1, alpha, 1 - alpha).astype(x.dtype) * q**gamma * with_logits(x, y)


def focal_gradient(x: Any, y: Any, gamma: float = 2.0, alpha: float = 0.25) -> Any:
    """∓α_t q^γ (γ p_t loss + q), q = 1 − p_t."""
    z = np.where(y == 1, x, -x)
    inner = gamma * sigmoid(z) * softplus(-z) + sigmoid(-z)
    return np.where(y == 1, -alpha, 1 - alpha).astype(x.dtype) * sigmoid(-z) ** gamma * inner


@along_axis
def smooth(y: Any, amount: float = 0.1) -> Any:
    """y (1 − a) + a/n."""
    return y * (1 - amount) + amount / y.shape[-1] if amount else y


@along_axis
def cross_entropy(x: Any, y: Any, where: Any = None, label_smoothing: float = 0.0) -> Any:
    """−Σ y log softmax(x), 0 where the label is."""
    y = smooth(y.astype(x.dtype), label_smoothing)
    return -np.where(y == 0, 0, y * log_softmax(x, where)).sum(axis=-1)


@along_axis
def sparse_cross_entropy(x: Any, k: Any, where: Any = None) -> Any:
    """−log softmax(x)_k; NaN where there is no such class."""
    k, inside = k.astype(np.int64), (k >= 0) & (k < x.shape[-1])
    loss = -np.take_along_axis(log_softmax(x, where), np.where(inside, k, 0)[..., None], axis=-1)[..., 0]
    return np.where(inside, loss, np.nan).astype(x.dtype)


@along_axis
def categorical(p: Any, y: Any, label_smoothing: float = 0.0) -> Any:
    """−Σ y log(p/Σp), 0 where the label is."""
    y = smooth(y.astype(p.dtype), label_smoothing)
    return -np.where(y == 0, 0, y * np.log(p / p.sum(axis=-1, keepdims=True))).sum(axis=-1)


@along_axis
def sparse_categorical(p: Any, k: Any) -> Any:
    """−log(p_k/Σp); NaN where there is no such class."""
    return np.where((k >= 0) & (k < p.shape[-1]), categorical(p, one_hot(k, p)), np.nan).astype(p.dtype)


@along_axis
def categorical_gradient(p: Any, y: Any, label_smoothing: float = 0.0) -> Any:
    """Σ y / Σ p − y / p."""
    y = smooth(y, label_smoothing)
    return y.sum(axis=-1, keepdims=True) / p.sum(axis=-1, keepdims=True) - y / p


@along_axis
def cross_entropy_gradient(x: Any, y: Any, where: Any = None, label_smoothing: float = 0.0) -> Any:
    """p Σ y − y, without the labels of what is masked."""
    y = smooth(y, label_smoothing)
    y = y if where is None else np.where(where, y, 0).astype(y.dtype)
    return softmax(x, where) * y.sum(axis=-1, keepdims=True) - y


@along_axis
def sparse_cross_entropy_gradient(x: Any, k: Any, where: Any = None) -> Any:
    """p − e_k; 0 where a mask leaves nothing."""
    return cross_entropy_gradient(x, one_hot(k, x), where)


def logaddexp(a: Any, b: Any) -> Any:
    """max + log1p(e^−|a − b|); an infinite maximum is the result."""
    m = np.maximum(a, b)
    return np.where(np.isinf(m), m, m + np.log1p(np.exp(-np.abs(a - b))))


def logaddexp2(a: Any, b: Any) -> Any:
    """The same to base 2."""
    m = np.maximum(a, b)
    return np.where(np.isinf(m), m, m + np.log1p(np.exp2(-np.abs(a - b))) / np.log(np.array(2, a.dtype)))


def masked_mean(v: Any, m: Any) -> Any:
    """Σ m v / Σ m, added up in float32 at least, as NumPy's own mean is; 0 where a mask leaves nothing."""
    wide = np.result_type(v.dtype, np.float32)
    return (np.where(m, v, 0).sum(axis=-1, dtype=wide) / np.maximum(m.sum(axis=-1), 1).astype(wide)).astype(v.dtype)


SOUND: dict[str, Function] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "tanh": np.tanh,
    "sigmoid": sigmoid, "log_sigmoid": lambda x: -softplus(-x), "softplus": softplus, "relu": lambda x: np.maximum(x, 0),
    "softmax": softmax, "log_softmax": log_softmax, "logsumexp": logsumexp, "logaddexp": logaddexp, "logaddexp2": logaddexp2,
    "xlogy": lambda a, b: np.where((a == 0) & ~np.isnan(b), 0, a * np.log(b)),
    BCE: from_probabilities, BCE_LOGITS: with_logits, WEIGHTED: weighted, FOCAL: focal,
    SQUARED: lambda x, y: residual(x, y) ** 2,
    CE: categorical, SPARSE: sparse_categorical, CE_LOGITS: cross_entropy, SPARSE_LOGITS: sparse_cross_entropy,
    "smooth_labels": smooth, "masked_mean": masked_mean,
}  # fmt: skip
"""A formula without a fault for each operation: the checks must let them pass."""

GRADIENTS: dict[str, Function] = {
    "exp": np.exp, "expm1": np.exp, "log": lambda x: 1 / x, "log1p": lambda x: 1 / (1 + x), "tanh": lambda x: 4 * slope(2 * x),
    "sigmoid": slope, "log_sigmoid": lambda x: sigmoid(-x), "softplus": sigmoid, "relu": lambda x: (x > 0).astype(x.dtype),
    "softmax": softmax_gradient, "log_softmax": log_softmax_gradient, "logsumexp": weighted_softmax,
    "logaddexp": lambda a, b: (sigmoid(a - b), sigmoid(b - a)),
    "logaddexp2": lambda a, b: (sigmoid((a - b) * np.log(np.array(2, a.dtype))), sigmoid((b - a) * np.log(np.array(2, a.dtype)))),
    "xlogy": lambda a, b: (np.log(b), a / b),
    BCE: lambda p, y: np.where(y == 1, 0, (1 - y) / (1 - p)) - y / p,
    BCE_LOGITS: lambda x, y: (1 - y) * sigmoid(x) - y * sigmoid(-x),
    WEIGHTED: lambda x, y, q: (1 - y) * sigmoid(x) - q * y * sigmoid(-x),
    FOCAL: focal_gradient,
    SQUARED: lambda x, y: 2 * residual(x, y) * slope(x),
    CE: categorical_gradient, SPARSE: along_axis(lambda p, k: categorical_gradient(p, one_hot(k, p))),
    CE_LOGITS: cross_entropy_gradient, SPARSE_LOGITS: sparse_cross_entropy_gradient,
    "masked_mean": lambda v, m: m / np.maximum(m.sum(axis=-1, keepdims=True), 1).astype(v.dtype),
}  # fmt: skip
"""Their derivatives, as the frameworks and the literature have them."""

CURVATURES: dict[str, Function] = {
    "exp": np.exp, "expm1": np.exp, "log": lambda x: -1 / (x * x), "log1p": lambda x: -1 / ((1 + x) * (1 + x)),
    "tanh": lambda x: -8 * np.tanh(x) * slope(2 * x),
    "sigmoid": lambda x: -slope(x) * np.tanh(x / 2), "log_sigmoid": lambda x: -slope(x), "softplus": slope, "relu": lambda x: 0 * x,
    "logsumexp": hessian_product, "logaddexp": lambda a, b: slope(a - b),
    BCE: lambda p, y: np.where(y == 0, 0, y / (p * p)) + np.where(y == 1, 0, (1 - y) / ((1 - p) * (1 - p))),
    BCE_LOGITS: lambda x, y: slope(x) + 0 * y,
    WEIGHTED: lambda x, y, q: (1 + (q - 1) * y) * slope(x),
    CE_LOGITS: lambda x, y, d: y.sum(axis=-1, keepdims=True) * hessian_product(x, d),
    SPARSE_LOGITS: lambda x, k, d: hessian_product(x, d) + 0 * k[..., None].astype(x.dtype),
}  # fmt: skip
"""Second derivatives, of rows along a direction."""

TANGENTS: dict[str, Function] = {
    "softmax": softmax_gradient,
    "log_softmax": lambda x, d: d - (softmax(x) * d).sum(axis=-1, keepdims=True),
    "logsumexp": lambda x, d: (softmax(x) * d).sum(axis=-1),
    CE_LOGITS: lambda x, y, d: (cross_entropy_gradient(x, y) * d).sum(axis=-1),
}  # fmt: skip
"""Derivatives forward along a direction, where that is another formula than the gradient's."""

_OF_LOGITS = ("softmax_cross_entropy_with_logits", "sparse_softmax_cross_entropy_with_logits")
_FROM_PROBABILITIES = ("categorical_cross_entropy", "sparse_categorical_cross_entropy")
_BY_EXP = ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "log_sigmoid", "softplus", "logsumexp", *_OF_LOGITS)

SOUND_FAILS: dict[str, tuple[str, ...]] = {
    # p - y, p - p^2 and 1/sum - y/p cancel for a dominant class: what frameworks do, and their known failure.
    "no_premature_zero": ("softmax", "log_softmax", *_OF_LOGITS, *_FROM_PROBABILITIES),
    # p d - p (p, d) likewise.
    "no_premature_zero_in_curvature": ("logsumexp", *_OF_LOGITS),
    # The sum of 1 and what is small is 1, and its logarithm 0: likewise.
    "no_premature_zero_in_value": ("log_softmax", "logsumexp", *_OF_LOGITS, *_FROM_PROBABILITIES),
    # As monotone as this CPU's exp, log and tanh are: within a unit in the last place nothing promises that.
    "is_monotone": _BY_EXP,
}
"""Laws that the textbook's formulas break, by check: the operations. No bound is among them."""
