"""C23: why squared error is slow on logistic regression: its gradient vanishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.base import ALL_DTYPES
from suite.casebook.base import Arrays, Entry
from suite.casebook.data import arrays
from suite.casebook.drawing import chart, figure, line
from suite.casebook.logistic import CANONICAL, EVERY, LOSSES, RUNS, STEPS, design
from suite.floats import FORMATS, Floats, Format, from_ordinal, round_to, to_ordinal
from suite.lab import Lab
from suite.model import Axis

if TYPE_CHECKING:
    from suite.casebook.account import Account

COUNT = 4096
"""So many logits at a time, always: another number of them would be compiled anew."""
THIN = 3
"""Every third of the places recorded on each way."""
TAILS = tuple(product((0.0, 1.0), (1.0, -1.0)))
"""Label, and the sign of the logits."""
WRONG = TAILS[0], TAILS[3]
"""The tails where the prediction is certain and wrong."""


def limit(fmt: Format) -> float:
    """A logit beyond which every exact gradient that tends to 0 is below the format's smallest subnormal number."""
    return float(round_to(fmt, 2 - np.log(fmt.eta)))


def axis(fmt: Format) -> Floats:
    """Logits of either sign, evenly spaced, as the format has them."""
    return round_to(fmt, np.linspace(-limit(fmt), limit(fmt), COUNT))


def logits(fmt: Format, ways: Floats) -> Floats:
    """Those of all examples at the places taken of the ways, rounded to the format: a row for each example."""
    return round_to(fmt, design(arrays("logistic")["x"]) @ ways[:, ::THIN].reshape(-1, 2).T)


def _measured(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    matrix, y = design(data["logistic.x"]), data["logistic.y"]
    for dtype, loss in product(ALL_DTYPES, LOSSES):
        fmt, gradient = FORMATS[dtype], _gradient(lab, loss, dtype)
        for label in (0.0, 1.0):
            found[f"axis {dtype} {loss} {label:.0f}"] = gradient(axis(fmt), np.full(COUNT, label))
        found[f"zero {dtype} {loss}"] = [_first_zero(lambda x, label=label: gradient(x, np.full(COUNT, label)), fmt, sign) for label, sign in TAILS]
        x = round_to(fmt, matrix @ data[f"descents.{loss}"][:, ::THIN].reshape(-1, 2).T)
        each = gradient(x.ravel(), np.broadcast_to(y, x.shape).ravel()).reshape(x.shape)
        found[f"way {dtype} {loss}"] = matrix.T @ each / len(y)
        found[f"zeros on the ways {dtype} {loss}"] = np.sum(each == 0)
    return found


def _gradient(lab: Lab, loss: str, dtype: str) -> Callable[[Floats, Floats], Floats]:
    """The framework's gradient of its own loss from logits, at any logits."""
    backend = lab.backend
    compiled = backend.compile(backend.pullback(lab.function(CANONICAL[loss]), [0]), lab.mode)

    def gradient(x: Floats, labels: Floats) -> Floats:
        tensors = [backend.tensor(np.ascontiguousarray(a), dtype) for a in (x, labels, np.ones_like(x))]
        return np.asarray(backend.array(compiled(*tensors)[1][0]), dtype=np.float64)

    return gradient


def _first_zero(gradient: Callable[[Floats], Floats], fmt: Format, sign: float) -> float:
    """The smallest magnitude, of those looked at, from which the gradient is exactly 0; infinite if it is not 0 at the end.

    They are looked at ever more closely where the last one lies at which it is not 0, until they are neighbours.
    """
    low, high = int(to_ordinal(fmt, 0.5)), int(to_ordinal(fmt, limit(fmt)))
    while True:
        ordinals = np.unique(np.linspace(low, high, COUNT).astype(np.int64))
        x = from_ordinal(fmt, ordinals)
        got = gradient(sign * np.pad(x, (0, COUNT - len(x)), mode="edge"))[: len(x)]
        if np.isnan(got).any():
            return float("nan")
        last = int(np.max(np.flatnonzero(got), initial=-1))
        if last == len(x) - 1:
            return float("inf")
        if last < 0 or ordinals[last + 1] == ordinals[last] + 1:
            return float(x[last + 1])
        low, high = int(ordinals[last]), int(ordinals[last + 1])
