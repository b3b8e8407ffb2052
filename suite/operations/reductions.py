"""What surrounds a loss: label smoothing, and the mean over what a mask leaves."""

from __future__ import annotations

from typing import Any

import numpy as np

from suite.floats import Floats
from suite.model import Argument, Operation
from suite.operations.bounds import Inputs, Rounding
from suite.operations.softmax import Balls


def _smooth(labels: Balls, amount: float = 0.1) -> Balls:
    a = labels[0] * 0 + amount
    return [y * (1 - a) + a / len(labels) for y in labels]


def _masked_mean(values: Balls, mask: list[bool]) -> Any:
    valid = [v for v, keep in zip(values, mask, strict=True) if keep]
    return sum(valid[1:], valid[0]) / len(valid)


def _masked_mean_gradient(values: Balls, mask: list[bool]) -> list[Balls]:
    zero = values[0] * 0
    return [[(zero + 1) / sum(mask) if keep else zero for keep in mask]]


def _smooth_bound(inputs: Inputs, exact: Floats, r: Rounding, amount: float = 0.1) -> Floats:
    """The amount is not representable; 1 − a, the product, the quotient and the sum round."""
    return np.asarray(r.grow(5.0 * r.u) * np.abs(exact))


def _masked_mean_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """Any order of summation, then a quotient; products with a mask of 0 and 1 are exact."""
    mask = inputs["mask"]
    count = mask.sum(axis=-1)
    total = np.where(mask, np.abs(inputs["values"]), 0.0).sum(axis=-1)
    return np.asarray(r.grow(inputs["values"].shape[-1] * r.u) * total / count + r.grow(2.0 * r.u) * np.abs(exact))


def _masked_mean_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding) -> tuple[Floats]:
    """1 over the count, and a product: each rounds once."""
    return (np.asarray(r.grow(2.0 * r.u) * np.abs(exact)),)


OPERATIONS = (
    Operation(
        "smooth_labels", (Argument("labels", "distribution", differentiable=False, rows=True),), "row", _smooth, _smooth_bound,
        "y (1 − a) + a/n", "standard model", options={"amount": 0.1}, optional=("axis",), range=(0.0, 1.0),
    ),
    Operation(
        "masked_mean", (Argument("values", rows=True), Argument("mask", "mask", differentiable=False, rows=True)), "scalar",
        _masked_mean, _masked_mean_bound, "Σ m_i v_i / Σ m_i", "standard model (Higham 2002, section 4.2)",
        gradient=_masked_mean_gradient, gradient_bound=_masked_mean_gradient_bound,
    ),
)  # fmt: skip
