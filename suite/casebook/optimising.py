"""The document's descents on the surfaces of logistic regression, by each framework's own means. It runs in the frameworks' processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.backends.base import lazy
from suite.backends.keras import audited, fit, sequential
from suite.backends.training import EPSILON, Dense
from suite.casebook.base import Arrays
from suite.casebook.logistic import EVERY, LOSSES, RATE, RUNS, STEPS, Run, design, precision
from suite.floats import Floats
from suite.lab import Lab

keras = lazy("keras")
optax = lazy("optax")
tf = lazy("tensorflow")

SINGLE = (RUNS[1], RUNS[3])
"""Runs that are made in float32, the document's dtype, as well: those from far away."""
PRECISIONS: Sequence[tuple[str, tuple[Run, ...]]] = (("float64", RUNS), ("float32", SINGLE))

Update = Callable[[Any, Any, Any], tuple[Any, Any]]
"""(weights, gradient, the optimiser's state) → the new weights and state."""


def by_keras(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    """``compile`` and ``fit``, with a callback that keeps the weights. What each model reports after its last run is kept as well."""
    found: dict[str, Any] = {}
    for dtype, runs in PRECISIONS:
        x, y = design(data["logistic.x"]).astype(dtype), data["logistic.y"].astype(dtype)
        for name in LOSSES:
            with precision(lab, dtype):
                for optimiser in ("sgd", "adam"):
                    model = _compiled(lab, optimiser, name, dtype)
                    fresh = [np.array(variable) for variable in model.optimizer.variables]
                    for run in (run for run in runs if run.optimiser == optimiser):
                        for variable, value in zip(model.optimizer.variables, fresh, strict=True):
                            variable.assign(value)
                        found[f"{dtype} {name} {run.name}"] = _fitted(model, run, name, x, y)
                    last = audited(model, x, y)
                    found |= {f"{dtype} {name} {optimiser} {key}": value.ravel() for key, value in last.items()}
    return found


def _compiled(lab: Lab, optimiser: str, loss: str, dtype: str) -> Any:
    made = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}[optimiser](RATE)
    model = sequential((Dense(1, "sigmoid", bias=False),), 2, [np.zeros((2, 1))], dtype)
    model.compile(optimizer=made, loss=LOSSES[loss](lab.ops), steps_per_execution=EVERY)
    made.build(model.trainable_variables)
    return model


def _fitted(model: Any, run: Run, loss: str, x: NDArray[Any], y: NDArray[Any]) -> Floats:
    """A run's weights, at the start and every fifteen epochs."""
    if run.before is not None:
        model.set_weights([_column(run.before[loss], x.dtype)])
        fit(model, x, y, 1)
    model.set_weights([_column(run.start, x.dtype)])
    recorder = _recorder()()
    fit(model, x, y, STEPS, [recorder])
    return np.stack([np.array(run.start), *recorder.path])


@cache
def _recorder() -> Any:
    base: Any = keras.callbacks.Callback

    class Recorder(base):  # type: ignore[misc]  # Keras is Any to the type checker, and imported only here
        def __init__(self) -> None:
            super().__init__()
            self.path: list[Floats] = []

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
            self.path.append(np.ravel(self.model.get_weights()[0]))

    return Recorder


def by_tensorflow(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    """A tape, and the optimisers' formulas: TensorFlow's own optimisers are Keras'."""

    def sgd(weights: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
        return weights - RATE * gradient, state

    def adam(weights: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
        time, first, second = state[0] + 1, 0.9 * state[1] + 0.1 * gradient, 0.999 * state[2] + 0.001 * tf.square(gradient)
        powers = [tf.pow(tf.constant(beta, weights.dtype), time) for beta in (0.9, 0.999)]
        rate = RATE * tf.sqrt(1 - powers[1]) / (1 - powers[0])
        return weights - rate * first / (tf.sqrt(second) + EPSILON), (time, first, second)

    def none(weights: Any) -> Any:
        return tf.zeros((), weights.dtype), tf.zeros_like(weights), tf.zeros_like(weights)

    return _by_steps(lab, data, {"sgd": (none, sgd), "adam": (none, adam)})


def by_jax(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    """optax."""

    def made(optimiser: Any) -> tuple[Callable[[Any], Any], Update]:
        def update(weights: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
            change, state = optimiser.update(gradient, state, weights)
            return optax.apply_updates(weights, change), state

        return optimiser.init, update

    return _by_steps(lab, data, {"sgd": made(optax.sgd(RATE)), "adam": made(optax.adam(RATE, eps=EPSILON))})


def _by_steps(lab: Lab, data: Arrays, optimisers: Mapping[str, tuple[Callable[[Any], Any], Update]]) -> Mapping[str, Any]:
    """Step by step, each compiled as the backend's programs usually are."""
    found: dict[str, Any] = {}
    for dtype, runs in PRECISIONS:
        for name in LOSSES:
            gradient = _gradient(lab, name, data, dtype)
            for run in runs:
                begin, update = optimisers[run.optimiser]
                step = lab.backend.compile(lambda w, s, g=gradient, u=update: u(w, g(w), s), lab.mode)
                weights = lab.backend.tensor(_column(_before(run, name), dtype), dtype)
                state = begin(weights)
                if run.before is not None:
                    _, state = step(weights, state)
                    weights = lab.backend.tensor(_column(run.start, dtype), dtype)
                way = [np.array(run.start)]
                for number in range(1, STEPS + 1):
                    weights, state = step(weights, state)
                    if number % EVERY == 0:
                        way.append(np.ravel(lab.backend.array(weights)))
                found[f"{dtype} {name} {run.name}"] = np.stack(way)
    return found


def _gradient(lab: Lab, loss: str, data: Arrays, dtype: str) -> Callable[[Any], Any]:
    x, y, one = (lab.backend.tensor(np.asarray(a, dtype), dtype) for a in (design(data["logistic.x"]), data["logistic.y"], np.ones(())))
    value, ops = LOSSES[loss](lab.ops), lab.ops
    pulled = lab.backend.pullback(lambda w: value(y, ops.sigmoid(ops.matmul(x, w))), [0])
    return lambda w: pulled(w, one)[1][0]


def _before(run: Run, loss: str) -> tuple[float, float]:
    """Where a run's optimiser takes its first step."""
    return run.start if run.before is None else run.before[loss]


def _column(weights: tuple[float, float], dtype: Any) -> NDArray[Any]:
    return np.array(weights, dtype=dtype)[:, None]
