"""What is timed: shapes, and inputs as they occur in training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.floats import FORMATS, round_to
from suite.model import Argument, Case, Operation


@dataclass(frozen=True)
class Workload:
    """A size. ``shape`` is ``(N,)`` for elementwise operations, ``(batch, classes)`` for those on rows.

    A short run times only the ``representative`` ones, and of a few operations those that show ``scaling``: the same rows, or single
    numbers, in other amounts.
    """

    name: str
    shape: tuple[int, ...]
    representative: bool = False
    scaling: bool = False

    @property
    def elements(self) -> int:
        """Numbers in the first argument."""
        return int(np.prod(self.shape))

    def fits(self, operation: Operation) -> bool:
        """Whether the operation takes inputs of this rank."""
        return (len(self.shape) == 2) == operation.has_rows


WORKLOADS = (
    Workload("1e2", (100,), scaling=True),
    Workload("1e3", (1_000,), scaling=True),
    Workload("1e4", (10_000,), scaling=True),
    Workload("1e6", (1_000_000,), representative=True),
    Workload("128x10", (128, 10)),
    Workload("1x1000", (1, 1000), scaling=True),
    Workload("32x1000", (32, 1000), scaling=True),
    Workload("1024x1000", (1024, 1000), representative=True),
    Workload("64x32768", (64, 32768)),
)


def inputs(operation: Operation, workload: Workload, dtype: str) -> dict[str, NDArray[Any]]:
    """Arguments by name, each with a leading axis of one block: logits of standard deviation 3, valid labels and probabilities."""
    rng = np.random.default_rng(0)
    x = rng.normal(0.0, 3.0, workload.shape)
    index = rng.integers(0, workload.shape[-1], workload.shape[0])

    def draw(argument: Argument) -> NDArray[Any]:
        shape = workload.shape if argument.rows or len(workload.shape) == 1 else workload.shape[:1]
        by_role: dict[str, Callable[[], NDArray[Any]]] = {
            "positive": lambda: np.exp(rng.normal(0.0, 1.0, shape)),
            "probability": lambda: _probabilities(x),
            "binary": lambda: rng.integers(0, 2, shape).astype(np.float64),
            "hard": lambda: rng.integers(0, 2, shape).astype(np.float64),
            "weight": lambda: rng.choice([0.5, 1.0, 2.0, 4.0], shape),
            "index": lambda: index,
            "distribution": lambda: _one_hot(index, workload.shape[-1]),
            "mask": lambda: rng.random(shape) < 0.8,
        }
        values = by_role.get(argument.role, lambda: rng.normal(0.0, 3.0, shape))()
        return (round_to(FORMATS[dtype], values) if values.dtype == np.float64 else values)[None]

    return {argument.name: draw(argument) for argument in operation.arguments}


def cotangent(operation: Operation, workload: Workload) -> NDArray[np.float64]:
    """What gradients are contracted with: 1 for every result, but for results that are rows 1 for one class of each and 0 for the others.

    With ones the softmax's gradient would be 0, and with random numbers it would have roots, beside which a digit means nothing.
    """
    if operation.shape != "row":
        return np.ones((1, *(workload.shape[:1] if operation.shape == "scalar" else workload.shape)))
    rows, classes = workload.shape
    return _one_hot(np.random.default_rng(1).integers(0, classes, rows), classes)[None]


def _one_hot(index: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    return np.asarray(np.arange(classes) == index[:, None], dtype=np.float64)


def _probabilities(x: NDArray[np.float64]) -> NDArray[np.float64]:
    if x.ndim == 1:
        return 1.0 / (1.0 + np.exp(-x))
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class Cell:
    """One thing timed: a case, forward or with its gradient, on a workload."""

    case: Case
    what: str
    workload: Workload

    @property
    def id(self) -> str:
        """``forward-1024x1000-softmax-jax.nn.softmax-jit-float32``."""
        return f"{self.what}-{self.workload.name}-{self.case.id}"
