"""The operations once more, from their textbook formulas in mpmath at thousands of bits; gradients as difference quotients.

At this precision overflow, cancellation and 1 + e^−x are harmless: nothing is rearranged, nothing shared with the oracle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from mpmath import mp, mpf
from numpy.typing import NDArray

from suite.oracle import Exact

BITS = 1500
"""What lies below 2^−1200 rounds to zero in every format: the 1 of 1 + e^−x may swallow nothing that is larger."""
STEP = mpf(2) ** -1300
GRADIENT_BITS = 4000
"""A difference quotient's relative error is about STEP² over the scale of the argument squared; 1300 of the bits cancel in it."""
ACCURACY = mpf(2) ** -100
SMALLEST = mpf(2) ** -1074
LARGEST = mpf(2) ** 1024 - mpf(2) ** 970

Numbers = Sequence[Any]


def sigmoid(x: Any) -> Any:
    """1/(1 + e^−x)."""
    return 1 / (1 + mp.exp(-x))


def softplus(x: Any) -> Any:
    """log(1 + e^x)."""
    return mp.log(1 + mp.exp(x))


def tanh(x: Any) -> Any:
    """(e^x − e^−x)/(e^x + e^−x)."""
    return (mp.exp(x) - mp.exp(-x)) / (mp.exp(x) + mp.exp(-x))


def softmax(x: Numbers) -> list[Any]:
    """e^x_i / Σ e^x_j."""
    weights = [mp.exp(v) for v in x]
    return [w / sum(weights) for w in weights]


def logsumexp(x: Numbers, b: Numbers | None = None) -> Any:
    """log Σ b_j e^x_j."""
    return mp.log(sum(w * mp.exp(v) for w, v in zip(b or [1] * len(x), x, strict=True)))


def cross_entropy(p: Numbers, y: Numbers) -> Any:
    """−Σ y_i log p_i, where 0 · log is 0."""
    return -sum(label * mp.log(q) for q, label in zip(p, y, strict=True) if label != 0)


def binary(p: Any, y: Any, weight: Any = 1) -> Any:
    """−w y log p − (1 − y) log(1 − p)."""
    return cross_entropy([p, 1 - p], [weight * y, 1 - y])


def normalised(p: Numbers) -> list[Any]:
    """p_i / Σ p_j."""
    return [q / sum(p) for q in p]


def focal(x: Any, y: Any, gamma: float, alpha: float) -> Any:
    """α_t (1 − p_t)^γ (−log p_t)."""
    p_t = sigmoid(x) if y == 1 else sigmoid(-x)
    return (mpf(alpha) if y == 1 else 1 - mpf(alpha)) * (1 - p_t) ** mpf(gamma) * -mp.log(p_t)


def smooth_labels(y: Numbers, amount: float) -> list[Any]:
    """y (1 − a) + a/n."""
    return [label * (1 - mpf(amount)) + mpf(amount) / len(y) for label in y]


def masked_mean(values: Numbers, mask: Numbers) -> Any:
    """The mean of what the mask leaves."""
    return sum(v for v, keep in zip(values, mask, strict=True) if keep) / sum(mask)


FORMULAS: Mapping[str, Callable[..., Any]] = {
    "exp": mp.exp,
    "expm1": lambda x: mp.exp(x) - 1,
    "log": mp.log,
    "log1p": lambda x: mp.log(1 + x),
    "tanh": tanh,
    "sigmoid": sigmoid,
    "log_sigmoid": lambda x: mp.log(sigmoid(x)),
    "softplus": softplus,
    "relu": lambda x: max(x, mpf(0)),
    "softmax": softmax,
    "log_softmax": lambda x: [mp.log(p) for p in softmax(x)],
    "logsumexp": logsumexp,
    "logaddexp": lambda a, b: mp.log(mp.exp(a) + mp.exp(b)),
    "logaddexp2": lambda a, b: mp.log(mpf(2) ** a + mpf(2) ** b) / mp.log(2),
    "xlogy": lambda a, b: a * mp.log(b),
    "binary_cross_entropy": binary,
    "binary_cross_entropy_with_logits": lambda x, y: -y * mp.log(sigmoid(x)) - (1 - y) * mp.log(sigmoid(-x)),
    "weighted_binary_cross_entropy_with_logits": lambda x, y, q: -q * y * mp.log(sigmoid(x)) - (1 - y) * mp.log(sigmoid(-x)),
    "binary_focal_cross_entropy": focal,
    "sigmoid_squared_error": lambda x, y: (sigmoid(x) - y) ** 2,
    "categorical_cross_entropy": lambda p, y: cross_entropy(normalised(p), y),
    "sparse_categorical_cross_entropy": lambda p, k: -mp.log(normalised(p)[k]),
    "softmax_cross_entropy_with_logits": lambda x, y: cross_entropy(softmax(x), y),
    "sparse_softmax_cross_entropy_with_logits": lambda x, k: -mp.log(softmax(x)[k]),
    "smooth_labels": smooth_labels,
    "masked_mean": masked_mean,
}


def numbers(value: Any) -> Any:
    """Floats as mpf, in lists too; indices and masks as they are."""
    if isinstance(value, list):
        return [numbers(v) for v in value]
    return mpf(value) if isinstance(value, float) else value


def difference(function: Callable[..., Any], row: Numbers, index: int, cotangent: Numbers | None) -> Any:
    """Central difference quotients of ``function`` with respect to argument ``index``, contracted with the cotangent."""

    def along(move: Callable[[Any], Any]) -> Any:
        results = [function(*row[:index], move(sign * STEP), *row[index + 1 :]) for sign in (1, -1)]
        up, down = results if cotangent is None else [sum(c * v for c, v in zip(cotangent, r, strict=True)) for r in results]
        return (up - down) / (2 * STEP)

    argument = row[index]
    if not isinstance(argument, list):
        return along(lambda step: argument + step)

    def entry(j: int) -> Any:
        return along(lambda step: [*argument[:j], argument[j] + step, *argument[j + 1 :]])

    return [entry(j) for j in range(len(argument))]


def agrees(exact: Exact, index: tuple[int, ...], truth: Any) -> bool:
    """Whether ``high`` is the float64 nearest to the truth and ``high + low`` is the truth to 2^−100, underflow apart."""
    high, low = float(exact.high[index]), float(exact.low[index])
    if abs(truth) > LARGEST:
        return high == float(mp.sign(truth)) * float("inf")
    if not (np.isfinite(high) and np.isfinite(low)):
        return False
    nearest = abs(truth - mpf(high)) <= mpf(float(np.spacing(abs(high)))) / 2 * (1 + ACCURACY)
    return bool(nearest and abs(truth - mpf(high) - mpf(low)) <= ACCURACY * abs(truth) + SMALLEST)


def truths(function: Callable[..., Any], arrays: Mapping[str, NDArray[Any]], bits: int = BITS) -> list[Any]:
    """The function on every example of ``arrays``, whose order is that of its arguments."""
    columns = [array.tolist() for array in arrays.values()]
    with mp.workprec(bits):
        return [function(*(numbers(column[i]) for column in columns)) for i in range(len(columns[0]))]
