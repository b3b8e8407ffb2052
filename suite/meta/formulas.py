"""Sound formulas in the dtype of their arguments: the textbook's stable ones, and their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[..., Any]

BCE, BCE_LOGITS = "binary_cross_entropy", "binary_cross_entropy_with_logits"
WEIGHTED, FOCAL = "weighted_binary_cross_entropy_with_logits", "binary_focal_cross_entropy"
CE, CE_LOGITS = "categorical_cross_entropy", "softmax_cross_entropy_with_logits"
SPARSE, SPARSE_LOGITS = "sparse_categorical_cross_entropy", "sparse_softmax_cross_entropy_with_logits"


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


def softmax(x: Any, where: Any = None) -> Any:
    """Shifted by the maximum."""
    x = masked(x, where)
    e = np.exp(x - top(x))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(x: Any, where: Any = None) -> Any:
    """Shifted by the maximum."""
    shifted = masked(x, where) - top(masked(x, where))
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def log_softmax_gradient(x: Any, c: Any, where: Any = None) -> Any:
    """c − p Σ c, 0 where masked."""
    c = c if where is None else np.where(where, c, 0).astype(c.dtype)
    return c - softmax(x, where) * c.sum(axis=-1, keepdims=True)


def logsumexp(x: Any, where: Any = None, b: Any = None) -> Any:
    """Shifted by the maximum, which is added back."""
    x = masked(x, where)
    e = np.exp(x - top(x)) * (1 if b is None else b)
    return top(x)[..., 0] + np.log(e.sum(axis=-1))


def weighted_softmax(x: Any, where: Any = None, b: Any = None) -> Any:
    """The derivative of log Σ b e^x."""
    x = masked(x, where)
    e = np.exp(x - top(x)) * (1 if b is None else b)
    return e / e.sum(axis=-1, keepdims=True)


def one_hot(k: Any, like: Any) -> Any:
    """Rows of labels for indices."""
    return (np.arange(like.shape[-1]) == k[..., None]).astype(like.dtype)


def with_logits(x: Any, y: Any) -> Any:
    """max(x, 0) − x y + log1p(e^−|x|)."""
    return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))


def from_probabilities(p: Any, y: Any) -> Any:
    """−y log p − (1 − y) log(1 − p), 0 where the label is."""
    return -np.where(y == 0, 0, y * np.log(p)) - np.where(y == 1, 0, (1 - y) * np.log1p(-p))


def weighted(x: Any, y: Any, q: Any) -> Any:
    """(1 − y) x + l (log1p(e^−|x|) + max(−x, 0)), l = 1 + (q − 1) y."""
    return (1 - y) * x + (1 + (q - 1) * y) * (np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0))


def focal(x: Any, y: Any, gamma: float = 2.0, alpha: float = 0.25) -> Any:
    """α_t (1 − p_t)^γ times the cross-entropy."""
    q = np.where(y == 1, sigmoid(-x), sigmoid(x))
    return np.where(y == 1, alpha, 1 - alpha).astype(x.dtype) * q**gamma * with_logits(x, y)


def focal_gradient(x: Any, y: Any, gamma: float = 2.0, alpha: float = 0.25) -> Any:
    """∓α_t q^γ (γ p_t loss + q), q = 1 − p_t."""
    z = np.where(y == 1, x, -x)
    inner = gamma * sigmoid(z) * softplus(-z) + sigmoid(-z)
    return np.where(y == 1, -alpha, 1 - alpha).astype(x.dtype) * sigmoid(-z) ** gamma * inner


def cross_entropy(x: Any, y: Any, where: Any = None) -> Any:
    """−Σ y log softmax(x), 0 where the label is."""
    return -np.where(y == 0, 0, y * log_softmax(x, where)).sum(axis=-1)


def sparse_cross_entropy(x: Any, k: Any, where: Any = None) -> Any:
    """−log softmax(x)_k."""
    return -np.take_along_axis(log_softmax(x, where), k[..., None], axis=-1)[..., 0]


def categorical(p: Any, y: Any) -> Any:
    """−Σ y log(p/Σp)."""
    return -(y * np.log(p / p.sum(axis=-1, keepdims=True))).sum(axis=-1)


def sparse_categorical(p: Any, k: Any) -> Any:
    """−log(p_k/Σp)."""
    return categorical(p, one_hot(k, p))


def smooth(y: Any, amount: float = 0.1) -> Any:
    """y (1 − a) + a/n."""
    return y * (1 - amount) + amount / y.shape[-1]


def masked_mean(v: Any, m: Any) -> Any:
    """Σ m v / Σ m."""
    return np.where(m, v, 0).sum(axis=-1) / m.sum(axis=-1).astype(v.dtype)


SOUND: dict[str, Function] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "tanh": np.tanh,
    "sigmoid": sigmoid, "log_sigmoid": lambda x: -softplus(-x), "softplus": softplus, "relu": lambda x: np.maximum(x, 0),
    "softmax": softmax, "log_softmax": log_softmax, "logsumexp": logsumexp,
    "logaddexp": lambda a, b: np.maximum(a, b) + np.log1p(np.exp(-np.abs(a - b))),
    "logaddexp2": lambda a, b: np.maximum(a, b) + np.log1p(np.exp2(-np.abs(a - b))) / np.log(np.array(2, a.dtype)),
    "xlogy": lambda a, b: a * np.log(b),
    BCE: from_probabilities, BCE_LOGITS: with_logits, WEIGHTED: weighted, FOCAL: focal,
    "sigmoid_squared_error": lambda x, y: (sigmoid(x) - y) ** 2,
    CE: categorical, SPARSE: sparse_categorical, CE_LOGITS: cross_entropy, SPARSE_LOGITS: sparse_cross_entropy,
    "smooth_labels": smooth, "masked_mean": masked_mean,
}  # fmt: skip
"""A formula without a fault for each operation: the checks must let them pass."""

GRADIENTS: dict[str, Function] = {
    "exp": np.exp, "expm1": np.exp, "log": lambda x: 1 / x, "log1p": lambda x: 1 / (1 + x), "tanh": lambda x: 4 * slope(2 * x),
    "sigmoid": slope, "log_sigmoid": lambda x: sigmoid(-x), "softplus": sigmoid, "relu": lambda x: (x > 0).astype(x.dtype),
    "softmax": lambda x, c, where=None: softmax(x, where) * (c - (softmax(x, where) * c).sum(axis=-1, keepdims=True)),
    "log_softmax": log_softmax_gradient,
    "logsumexp": lambda x, where=None, b=None: weighted_softmax(x, where, b),
    "logaddexp": lambda a, b: (sigmoid(a - b), sigmoid(b - a)),
    "logaddexp2": lambda a, b: (sigmoid((a - b) * np.log(np.array(2, a.dtype))), sigmoid((b - a) * np.log(np.array(2, a.dtype)))),
    "xlogy": lambda a, b: (np.log(b), a / b),
    BCE: lambda p, y: np.where(y == 1, 0, (1 - y) / (1 - p)) - y / p,
    BCE_LOGITS: lambda x, y: (1 - y) * sigmoid(x) - y * sigmoid(-x),
    WEIGHTED: lambda x, y, q: (1 - y) * sigmoid(x) - q * y * sigmoid(-x),
    FOCAL: focal_gradient,
    "sigmoid_squared_error": lambda x, y: 2 * np.where(y == 1, -sigmoid(-x), sigmoid(x) - y) * slope(x),
    CE: lambda p, y: y.sum(axis=-1, keepdims=True) / p.sum(axis=-1, keepdims=True) - y / p,
    SPARSE: lambda p, k: 1 / p.sum(axis=-1, keepdims=True) - one_hot(k, p) / p,
    CE_LOGITS: lambda x, y, where=None: softmax(x, where) * y.sum(axis=-1, keepdims=True) - y,
    SPARSE_LOGITS: lambda x, k, where=None: softmax(x, where) - one_hot(k, x),
    "masked_mean": lambda v, m: m / m.sum(axis=-1, keepdims=True).astype(v.dtype),
}  # fmt: skip
"""Their derivatives, as the frameworks and the literature have them."""
