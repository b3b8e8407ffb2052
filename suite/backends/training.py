"""Training a network by full batches, as plain data; the loop for frameworks that leave it to their users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = Any
Weights = list[NDArray[Any]]


@dataclass(frozen=True)
class Dense:
    """A fully connected layer: activation(x·W + b)."""

    units: int
    activation: str = "linear"
    bias: bool = True


@dataclass(frozen=True)
class Training:
    """What to train, and how: so many ``steps``, each over all examples at once; the weights are kept after ``every`` so many.

    ``loss(y, prediction)`` returns a number; Keras takes the name of one of its own, or one of its loss objects, as well.
    """

    layers: tuple[Dense, ...]
    loss: Any
    optimiser: str
    rate: float
    steps: int
    every: int
    dtype: str = "float32"


@dataclass(frozen=True)
class Trained:
    """Weights at the end, layer by layer, and on the way: ``path`` is ``(1 + steps // every, parameters)``, flattened, the start first.

    ``reported`` is the loss at the end as the framework states it, ``predicted`` the outputs as it predicts them.
    """

    weights: Weights
    path: NDArray[np.float64]
    reported: float
    predicted: NDArray[np.float64]


EPSILON = 1e-7
"""Adam's ε as Keras has it; the other frameworks are given the same."""

Update = Callable[[list[Tensor], list[Tensor], Any], tuple[list[Tensor], Any]]
"""(weights, gradients, the optimiser's state) → the new weights and state."""


def forward(ops: Any, layers: Sequence[Dense], weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """The network's output, by the framework's functions."""
    rest = iter(weights)
    for layer in layers:
        x = ops.matmul(x, next(rest))
        x = x + next(rest) if layer.bias else x
        x = x if layer.activation == "linear" else getattr(ops, layer.activation)(x)
    return x


def descend(backend: Any, task: Training, start: Weights, x: NDArray[Any], y: NDArray[Any], state: Any, update: Update) -> Trained:
    """Gradient descent step by step, each step compiled as the backend's second mode compiles it."""
    inputs, labels, one = (backend.tensor(np.asarray(a), task.dtype) for a in (x, y, np.ones(())))

    def predict(*weights: Tensor) -> Tensor:
        return forward(backend.ops, task.layers, weights, inputs)

    def loss(*weights: Tensor) -> Tensor:
        return task.loss(labels, predict(*weights))

    gradient = backend.pullback(loss, range(len(start)))

    def step(weights: list[Tensor], state: Any) -> tuple[list[Tensor], Any]:
        return update(weights, gradient(*weights, one)[1], state)

    compiled, report, prediction = (backend.compile(f, backend.modes[1]) for f in (step, loss, predict))
    weights = [backend.tensor(w, task.dtype) for w in start]
    path = [flattened(start)]
    for number in range(1, task.steps + 1):
        weights, state = compiled(weights, state)
        if number % task.every == 0:
            path.append(flattened([backend.array(w) for w in weights]))
    reported, predicted = (np.asarray(backend.array(f(*weights)), dtype=np.float64) for f in (report, prediction))
    return Trained([np.asarray(backend.array(w), dtype=np.float64) for w in weights], np.stack(path), float(reported), predicted)


def glorot(random: np.random.RandomState, inputs: int, outputs: int) -> NDArray[np.float64]:
    """A kernel ``(inputs, outputs)``, uniform in ±√(6/(inputs + outputs)): Glorot & Bengio (AISTATS 2010), equation 16."""
    limit = np.sqrt(6 / (inputs + outputs))
    return random.uniform(-limit, limit, size=(inputs, outputs))


def flattened(weights: Weights) -> NDArray[np.float64]:
    """All weights in one row."""
    return np.concatenate([np.asarray(w, dtype=np.float64).ravel() for w in weights])
