"""Keras 3, on TensorFlow and on JAX: one table, two backends, since Keras fixes its own backend when it is imported."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.backends.base import Function, Tensor, Unavailable, lazy
from suite.backends.jax import JaxBackend
from suite.backends.tensorflow import TensorFlowBackend
from suite.backends.training import Dense, Trained, Training, Weights, flattened
from suite.model import Implementation

keras = lazy("keras")

_Row = tuple[str, str, Function, tuple[str, ...]]


def _row(operation: str, name: str, function: Function, *accepts: str) -> _Row:
    return operation, name, function, accepts


# Losses and layers cast what they are given to a dtype of their own, by default Keras' floatx, float32: they are made for the
# input's dtype, or a float64 case would measure float32. They are kept, because a program makes them once and not at each call.
def _loss(name: str, like: Tensor, **options: Any) -> Any:
    return _made("losses", name, _dtype(like), reduction=None, **options)


def _layer(name: str, like: Tensor, **options: Any) -> Any:
    return _made("layers", name, _dtype(like), **options)


@cache
def _made(module: str, name: str, dtype: str, **options: Any) -> Any:
    # Losses of early releases take no dtype and compute in floatx: there, floatx is what can be measured.
    given = {} if dtype == keras.config.floatx() else {"dtype": dtype}
    return getattr(getattr(keras, module), name)(**given, **options)


def _dtype(tensor: Tensor) -> str:
    name: str = keras.backend.standardize_dtype(tensor.dtype)
    return name


@cache
def _mean_of_valid(dtype: str) -> Any:
    """A loss that returns its second argument: what is left is the reduction that every loss inherits."""
    base: Any = keras.losses.Loss

    class Given(base):  # type: ignore[misc]  # Keras is Any to the type checker, and imported only here
        def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
            return y_pred

    return Given(reduction="mean_with_sample_weight", dtype=dtype)


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    # A loss reduces all that it is given to one number, so it is given one row at a time.
    loss = _mean_of_valid(_dtype(values))
    return keras.ops.vectorized_map(lambda row: loss(row[0], row[0], sample_weight=row[1]), (values, mask))


def _average(values: Tensor, mask: Tensor) -> Tensor:
    return keras.ops.average(values, axis=-1, weights=keras.ops.cast(mask, values.dtype))


# A function that stands under several names (keras.metrics.binary_crossentropy, keras.ops.nn.softmax) has one row. The sparse
# losses have an axis that they refuse to be anything but the last. smooth_labels has no row: Keras smooths labels only on the way
# into a loss, and hands the smoothed ones to nobody.
_ELEMENTWISE: tuple[_Row, ...] = (
    _row("exp", "keras.ops.exp", lambda x: keras.ops.exp(x)),
    _row("exp", "keras.activations.exponential", lambda x: keras.activations.exponential(x)),
    _row("expm1", "keras.ops.expm1", lambda x: keras.ops.expm1(x)),
    _row("log", "keras.ops.log", lambda x: keras.ops.log(x)),
    _row("log1p", "keras.ops.log1p", lambda x: keras.ops.log1p(x)),
    _row("tanh", "keras.ops.tanh", lambda x: keras.ops.tanh(x)),
    _row("tanh", "keras.activations.tanh", lambda x: keras.activations.tanh(x)),
    _row("sigmoid", "keras.ops.sigmoid", lambda x: keras.ops.sigmoid(x)),
    _row("sigmoid", "keras.activations.sigmoid", lambda x: keras.activations.sigmoid(x)),
    _row("log_sigmoid", "keras.ops.log_sigmoid", lambda x: keras.ops.log_sigmoid(x)),
    _row("log_sigmoid", "keras.activations.log_sigmoid", lambda x: keras.activations.log_sigmoid(x)),
    _row("softplus", "keras.ops.softplus", lambda x: keras.ops.softplus(x)),
    _row("softplus", "keras.activations.softplus", lambda x: keras.activations.softplus(x)),
    _row("relu", "keras.ops.relu", lambda x: keras.ops.relu(x)),
    _row("relu", "keras.activations.relu", lambda x: keras.activations.relu(x)),
    _row("relu", "keras.layers.ReLU", lambda x: _layer("ReLU", x)(x)),
    _row("logaddexp", "keras.ops.logaddexp", lambda a, b: keras.ops.logaddexp(a, b)),
    _row("logaddexp2", "keras.ops.logaddexp2", lambda a, b: keras.ops.logaddexp2(a, b)),
)

_ROWS: tuple[_Row, ...] = (
    _row("softmax", "keras.ops.softmax", lambda x, axis=-1: keras.ops.softmax(x, axis=axis), "axis", "axes"),
    _row("softmax", "keras.activations.softmax", lambda x, axis=-1: keras.activations.softmax(x, axis=axis), "axis"),
    _row(
        "softmax",
        "keras.layers.Softmax",
        lambda x, axis=-1, where=None: _layer("Softmax", x, axis=axis)(x, mask=where),
        "axis",
        "axes",
        "where",
    ),
    _row("log_softmax", "keras.ops.log_softmax", lambda x, axis=-1: keras.ops.log_softmax(x, axis=axis), "axis"),
    _row("log_softmax", "keras.activations.log_softmax", lambda x, axis=-1: keras.activations.log_softmax(x, axis=axis), "axis"),
    _row("logsumexp", "keras.ops.logsumexp", lambda x, axis=-1: keras.ops.logsumexp(x, axis=axis), "axis", "axes"),
    _row("masked_mean", "keras.losses.Loss(reduction=mean_with_sample_weight)", _masked_mean),
    _row("masked_mean", "keras.ops.average(weights=mask)", _average),
)

# keras.losses takes the mean of the elementwise losses over the last axis, which is therefore given with length 1.
_BINARY_LOSSES: tuple[_Row, ...] = (
    _row(
        "binary_cross_entropy",
        "keras.losses.binary_crossentropy",
        lambda p, y: keras.losses.binary_crossentropy(y[:, None], p[:, None]),
    ),
    _row(
        "binary_cross_entropy",
        "keras.losses.BinaryCrossentropy",
        lambda p, y: _loss("BinaryCrossentropy", p)(y[:, None], p[:, None]),
    ),
    _row("binary_cross_entropy", "keras.ops.binary_crossentropy", lambda p, y: keras.ops.binary_crossentropy(y, p)),
    _row(
        "binary_cross_entropy_with_logits",
        "keras.losses.binary_crossentropy(from_logits=True)",
        lambda x, y: keras.losses.binary_crossentropy(y[:, None], x[:, None], from_logits=True),
    ),
    _row(
        "binary_cross_entropy_with_logits",
        "keras.losses.BinaryCrossentropy(from_logits=True)",
        lambda x, y: _loss("BinaryCrossentropy", x, from_logits=True)(y[:, None], x[:, None]),
    ),
    _row(
        "binary_cross_entropy_with_logits",
        "keras.ops.binary_crossentropy(from_logits=True)",
        lambda x, y: keras.ops.binary_crossentropy(y, x, from_logits=True),
    ),
    _row(
        "binary_focal_cross_entropy",
        "keras.losses.binary_focal_crossentropy(from_logits=True)",
        lambda x, y, gamma=2.0, alpha=0.25: keras.losses.binary_focal_crossentropy(
            y[:, None], x[:, None], apply_class_balancing=True, alpha=alpha, gamma=gamma, from_logits=True
        ),
        "gamma",
        "alpha",
    ),
    _row(
        "binary_focal_cross_entropy",
        "keras.losses.BinaryFocalCrossentropy(from_logits=True)",
        lambda x, y, gamma=2.0, alpha=0.25: _loss(
            "BinaryFocalCrossentropy", x, apply_class_balancing=True, alpha=alpha, gamma=gamma, from_logits=True
        )(y[:, None], x[:, None]),
        "gamma",
        "alpha",
    ),
    _row(
        "sigmoid_squared_error",
        "keras.losses.mean_squared_error(sigmoid)",
        lambda x, y: keras.losses.mean_squared_error(y[:, None], keras.ops.sigmoid(x)[:, None]),
    ),
    _row(
        "sigmoid_squared_error",
        "keras.losses.MeanSquaredError(sigmoid)",
        lambda x, y: _loss("MeanSquaredError", x)(y[:, None], keras.ops.sigmoid(x)[:, None]),
    ),
)

_CATEGORICAL_LOSSES: tuple[_Row, ...] = (
    _row(
        "categorical_cross_entropy",
        "keras.losses.categorical_crossentropy",
        lambda p, y, axis=-1, label_smoothing=0.0: keras.losses.categorical_crossentropy(y, p, axis=axis, label_smoothing=label_smoothing),
        "axis",
        "label_smoothing",
    ),
    _row(
        "categorical_cross_entropy",
        "keras.losses.CategoricalCrossentropy",
        lambda p, y, axis=-1, label_smoothing=0.0: _loss("CategoricalCrossentropy", p, axis=axis, label_smoothing=label_smoothing)(y, p),
        "axis",
        "label_smoothing",
    ),
    _row(
        "categorical_cross_entropy",
        "keras.ops.categorical_crossentropy",
        lambda p, y, axis=-1: keras.ops.categorical_crossentropy(y, p, axis=axis),
        "axis",
    ),
    _row(
        "sparse_categorical_cross_entropy",
        "keras.losses.sparse_categorical_crossentropy",
        lambda p, y: keras.losses.sparse_categorical_crossentropy(y, p),
    ),
    _row(
        "sparse_categorical_cross_entropy",
        "keras.losses.SparseCategoricalCrossentropy",
        lambda p, y: _loss("SparseCategoricalCrossentropy", p)(y, p),
    ),
    _row(
        "sparse_categorical_cross_entropy",
        "keras.ops.sparse_categorical_crossentropy",
        lambda p, y: keras.ops.sparse_categorical_crossentropy(y, p),
    ),
    _row(
        "softmax_cross_entropy_with_logits",
        "keras.losses.categorical_crossentropy(from_logits=True)",
        lambda x, y, axis=-1, label_smoothing=0.0: keras.losses.categorical_crossentropy(
            y, x, from_logits=True, axis=axis, label_smoothing=label_smoothing
        ),
        "axis",
        "label_smoothing",
    ),
    _row(
        "softmax_cross_entropy_with_logits",
        "keras.losses.CategoricalCrossentropy(from_logits=True)",
        lambda x, y, axis=-1, label_smoothing=0.0: _loss(
            "CategoricalCrossentropy", x, from_logits=True, axis=axis, label_smoothing=label_smoothing
        )(y, x),
        "axis",
        "label_smoothing",
    ),
    _row(
        "softmax_cross_entropy_with_logits",
        "keras.ops.categorical_crossentropy(from_logits=True)",
        lambda x, y, axis=-1: keras.ops.categorical_crossentropy(y, x, from_logits=True, axis=axis),
        "axis",
    ),
    _row(
        "sparse_softmax_cross_entropy_with_logits",
        "keras.losses.sparse_categorical_crossentropy(from_logits=True)",
        lambda x, y: keras.losses.sparse_categorical_crossentropy(y, x, from_logits=True),
    ),
    _row(
        "sparse_softmax_cross_entropy_with_logits",
        "keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
        lambda x, y: _loss("SparseCategoricalCrossentropy", x, from_logits=True)(y, x),
    ),
    _row(
        "sparse_softmax_cross_entropy_with_logits",
        "keras.ops.sparse_categorical_crossentropy(from_logits=True)",
        lambda x, y: keras.ops.sparse_categorical_crossentropy(y, x, from_logits=True),
    ),
)

_TABLE = (*_ELEMENTWISE, *_ROWS, *_BINARY_LOSSES, *_CATEGORICAL_LOSSES)


def _implementations(backend: str) -> tuple[Implementation, ...]:
    return tuple(Implementation(operation, backend, name, function, accepts) for operation, name, function, accepts in _TABLE)


def sequential(layers: Sequence[Dense], inputs: int, weights: Weights, dtype: str = "float32") -> Any:
    """A model of these layers with these weights."""
    made = [keras.layers.Dense(each.units, activation=each.activation, use_bias=each.bias, dtype=dtype) for each in layers]
    model = keras.Sequential([keras.Input((inputs,), dtype=dtype), *made])
    model.set_weights(weights)
    return model


def fit(model: Any, x: Any, y: Any, steps: int, callbacks: Sequence[Any] = ()) -> None:
    """So many steps of ``fit``, each over all examples; as one epoch, since each costs 40 ms on TensorFlow however short it is."""
    model.fit(_same()(x, y, steps), epochs=1, shuffle=False, verbose=0, callbacks=list(callbacks))


@cache
def _same() -> Any:
    base: Any = keras.utils.PyDataset

    class Same(base):  # type: ignore[misc]  # Keras is Any to the type checker, and imported only here
        def __init__(self, x: Any, y: Any, steps: int) -> None:
            super().__init__()
            self.x, self.y, self.steps = x, y, steps

        def __len__(self) -> int:
            return self.steps

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            return self.x, self.y

    return Same


def audited(model: Any, x: Any, y: Any, **options: Any) -> dict[str, NDArray[np.float64]]:
    """What a compiled model ``reported`` as its losses, and what it ``predicted``, ``predicted 1`` and so on being further outputs.

    ``options`` go to ``evaluate``. Both take all examples in one batch.
    """
    count = len(x[0] if isinstance(x, list) else x)
    reported = model.evaluate(x, y, batch_size=count, verbose=0, **options)
    outputs = model.predict(x, batch_size=count, verbose=0)
    predicted = {f"predicted {i}" if i else "predicted": o for i, o in enumerate(outputs if isinstance(outputs, list) else [outputs])}
    return {name: np.asarray(a, dtype=np.float64) for name, a in {"reported": np.atleast_1d(reported), **predicted}.items()}


class _Trains:
    """Training as Keras has it: ``compile``, ``fit``, ``evaluate``, ``predict``."""

    @property
    def ops(self) -> Any:
        """``keras.ops``."""
        return keras.ops

    def train(self, task: Training, start: Weights, x: NDArray[Any], y: NDArray[Any]) -> Trained:
        """``compile`` and ``fit``, as often as weights are wanted."""
        x, y = (np.asarray(a, dtype=task.dtype) for a in (x, y))
        model = sequential(task.layers, x.shape[-1], start, task.dtype)
        optimiser = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}[task.optimiser](task.rate)
        model.compile(optimizer=optimiser, loss=task.loss)
        path = [flattened(start)]
        for _ in range(task.steps // task.every):
            fit(model, x, y, task.every)
            path.append(flattened(model.get_weights()))
        found = audited(model, x, y)
        weights = [np.asarray(w, dtype=np.float64) for w in model.get_weights()]
        return Trained(weights, np.stack(path), float(found["reported"][0]), found["predicted"])


class KerasTensorFlow(_Trains, TensorFlowBackend):
    """Keras' functions on TensorFlow tensors."""

    name = "keras-tensorflow"
    swept = ("graph",)  # what fit() runs on a CPU
    distributions = ("keras", "tensorflow", "numpy")
    implementations = _implementations("keras-tensorflow")

    def environment(self, device: str, x64: bool) -> dict[str, str]:
        """As TensorFlow's, with Keras' choice of backend."""
        return {**super().environment(device, x64), "KERAS_BACKEND": "tensorflow"}

    def start(self, device: str) -> list[str]:
        """Imports both."""
        devices = super().start(device)
        _require_keras()
        return devices


class KerasJax(_Trains, JaxBackend):
    """Keras' functions on JAX arrays."""

    name = "keras-jax"
    swept = ("jit",)  # what fit() runs
    distributions = ("keras", "jax", "jaxlib", "numpy")
    implementations = _implementations("keras-jax")

    def environment(self, device: str, x64: bool) -> dict[str, str]:
        """As JAX's, with Keras' choice of backend."""
        return {**super().environment(device, x64), "KERAS_BACKEND": "jax"}

    def start(self, device: str) -> list[str]:
        """Imports both."""
        devices = super().start(device)
        _require_keras()
        return devices


def _require_keras() -> None:
    import keras

    if keras.__version__.startswith("2."):
        raise Unavailable(f"the table is that of Keras 3, and this is Keras {keras.__version__}")


BACKENDS = (KerasTensorFlow(), KerasJax())
