"""TensorFlow: eager, ``tf.function``, and ``tf.function`` compiled by XLA."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.backends.base import ALL_DTYPES, Function, ScriptStyle, Tensor, Unavailable, exact_cast, lazy
from suite.backends.training import EPSILON, Trained, Training, Weights, descend
from suite.model import Implementation

tf = lazy("tensorflow")

_TF_NUMPY_DTYPES = ("float16", "float32", "float64")
"""``tf.experimental.numpy`` knows NumPy's own dtypes, and bfloat16 is not one: its functions raise ``AttributeError`` on it."""


class TensorFlowBackend:
    """TensorFlow's own functions; Keras has a backend of its own."""

    name = "tensorflow"
    distributions: tuple[str, ...] = ("tensorflow", "numpy")
    modes = ("eager", "graph", "xla")
    swept: tuple[str, ...] = modes
    dtypes = ALL_DTYPES
    has_gradient = True
    needs_x64 = False
    aliases: Mapping[str, str] = {"tf": "tensorflow"}
    implementations: tuple[Implementation, ...] = ()
    script = ScriptStyle(
        "import tensorflow as tf",
        "tf.constant({0})",
        "{0}.numpy()",
        {"eager": "{0}", "graph": "tf.function({0}, autograph=False)", "xla": "tf.function({0}, jit_compile=True, autograph=False)"},
        """def pullback(*tensors):
    with tf.GradientTape() as tape:
        tape.watch(tensors[{index}])
        value = function(*tensors[:-1])
    return tape.gradient(value, tensors[{index}], tf.cast(tensors[-1], value.dtype), unconnected_gradients="zero")""",
        "tf.linalg.matrix_transpose({0})",
        pushforward="""def pushforward(*tensors):
    with tf.autodiff.ForwardAccumulator(tensors[{index}], tensors[-1]) as forward:
        value = function(*tensors[:-1])
    return forward.jvp(value, unconnected_gradients=tf.UnconnectedGradients.ZERO)""",
        mapped="lambda *tensors: tf.vectorized_map(lambda example: {0}(*example), tensors)",
    )

    def environment(self, device: str, x64: bool) -> dict[str, str]:
        """Quiet logs; no accelerator taken unasked."""
        hidden = {"CUDA_VISIBLE_DEVICES": "-1"} if device == "cpu" else {}
        return {"TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"), **hidden}

    def kept(self, directory: str) -> dict[str, str]:
        """It cannot."""
        return {}

    def start(self, device: str) -> list[str]:
        """Imports TensorFlow and looks for the device."""
        import tensorflow as tf

        if tuple(int(part) for part in tf.__version__.split(".")[:2]) < (2, 14):
            raise Unavailable(f"TensorFlow shares its bfloat16 with NumPy from 2.14 on, and this is {tf.__version__}")
        devices = tf.config.list_physical_devices(device.upper())
        if not devices:
            raise Unavailable(f"TensorFlow sees no {device.upper()}")
        if device != "cpu":
            for found in devices:
                tf.config.experimental.set_memory_growth(found, True)
        return [d.name for d in devices]

    def tensor(self, values: NDArray[Any], dtype: str) -> Tensor:
        """A constant; never cast by the framework."""
        return tf.constant(exact_cast(values, dtype))

    def array(self, tensor: Tensor) -> NDArray[Any]:
        """``numpy()`` waits."""
        return np.asarray(tensor.numpy())

    def compile(self, function: Function, mode: str) -> Function:
        """``tf.function``; XLA for ``xla``."""
        if mode == "eager":
            return function
        compiled: Function = tf.function(function, jit_compile=mode == "xla", autograph=False)
        return compiled

    def pullback(self, function: Function, wrt: Sequence[int]) -> Function:
        """A gradient tape; a gradient that the framework says does not exist counts as zero, as in ``tf.gradients``' option."""

        def run(*inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
            *tensors, cotangent = inputs
            chosen = [tensors[i] for i in wrt]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(chosen)
                value = function(*tensors)
            zero = tf.UnconnectedGradients.ZERO
            return value, tape.gradient(value, chosen, tf.cast(cotangent, value.dtype), unconnected_gradients=zero)

        return run

    def pushforward(self, function: Function, index: int) -> Function:
        """``tf.autodiff.ForwardAccumulator``."""

        def run(*inputs: Tensor) -> tuple[Tensor, Tensor]:
            *tensors, direction = inputs
            with tf.autodiff.ForwardAccumulator(tensors[index], direction) as forward:
                value = function(*tensors)
            return value, forward.jvp(value, unconnected_gradients=tf.UnconnectedGradients.ZERO)

        return run

    def vectorize(self, function: Function) -> Function:
        """``tf.vectorized_map``; eager code would only be looped over without a function around it."""

        def run(*tensors: Tensor) -> Tensor:
            return tf.vectorized_map(lambda example: function(*example), tensors)

        return run

    def transpose(self, tensor: Tensor) -> Tensor:
        """``tf.linalg.matrix_transpose``."""
        return tf.linalg.matrix_transpose(tensor)

    @property
    def ops(self) -> Any:
        """TensorFlow's own names for them differ."""
        return _ops()

    def train(self, task: Training, start: Weights, x: NDArray[Any], y: NDArray[Any]) -> Trained:
        """A tape and the optimiser's formula, each step a ``tf.function``: TensorFlow's own optimisers are Keras'."""
        update = {"sgd": _sgd, "adam": _adam}[task.optimiser]
        zeros = [self.tensor(np.zeros_like(w), task.dtype) for w in start]
        state = (self.tensor(np.zeros(()), task.dtype), zeros, zeros)
        return descend(self, task, start, x, y, state, partial(update, task.rate))

    def wait(self, result: Any) -> None:
        """CPU kernels are done when a call returns; elsewhere a device is synchronised."""
        for leaf in tf.nest.flatten(result):
            if "GPU" in leaf.device:
                tf.test.experimental.sync_devices()
                return

    def facts(self) -> dict[str, str]:
        """oneDNN, XLA flags, thread pools."""
        return {
            "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "(default)"),
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
            "TF_XLA_FLAGS": os.environ.get("TF_XLA_FLAGS", ""),
            "tf intra-op threads": str(tf.config.threading.get_intra_op_parallelism_threads()),
            "tf inter-op threads": str(tf.config.threading.get_inter_op_parallelism_threads()),
        }


@cache
def _ops() -> SimpleNamespace:
    return SimpleNamespace(
        exp=tf.exp, log=tf.math.log, log1p=tf.math.log1p, abs=tf.abs, square=tf.square, maximum=tf.maximum, clip=tf.clip_by_value,
        sum=tf.reduce_sum, mean=tf.reduce_mean, matmul=tf.matmul, reshape=tf.reshape,
        sigmoid=tf.sigmoid, softmax=tf.nn.softmax, relu=tf.nn.relu,
    )  # fmt: skip


def _sgd(rate: float, weights: list[Tensor], gradients: list[Tensor], state: Any) -> tuple[list[Tensor], Any]:
    return [w - rate * g for w, g in zip(weights, gradients, strict=True)], state


def _adam(rate: float, weights: list[Tensor], gradients: list[Tensor], state: Any) -> tuple[list[Tensor], Any]:
    """Kingma & Ba (ICLR 2015), section 2, in the order of operations that its last paragraph gives."""
    time, first, second = state
    time = time + 1
    first = [0.9 * m + 0.1 * g for m, g in zip(first, gradients, strict=True)]
    second = [0.999 * v + 0.001 * tf.square(g) for v, g in zip(second, gradients, strict=True)]
    scale = rate * tf.sqrt(1 - 0.999**time) / (1 - 0.9**time)
    moved = [w - scale * m / (tf.sqrt(v) + EPSILON) for w, m, v in zip(weights, first, second, strict=True)]
    return moved, (time, first, second)


def _row(operation: str, name: str, function: Function, *accepts: str, dtypes: tuple[str, ...] = ALL_DTYPES) -> Implementation:
    return Implementation(operation, "tensorflow", name, function, accepts, dtypes)


def _mean_of_valid(values: Tensor, mask: Tensor) -> Tensor:
    """The mean as TensorFlow's losses take it: zero weights, and a quotient that is 0 where there is nothing to divide by."""
    weights = tf.cast(mask, values.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(values * weights, axis=-1), tf.reduce_sum(weights, axis=-1))


def _weighted_mean(values: Tensor, mask: Tensor) -> Tensor:
    mean, _ = tf.nn.weighted_moments(values, axes=[-1], frequency_weights=tf.cast(mask, values.dtype))
    return mean


# A function that stands under several names (tf.nn.sigmoid, tf.math.sigmoid, tf.sigmoid) has one row. tf.compat.v1 has none:
# its losses pass through float32 whatever they are given. tf.keras is Keras, whose backend is another module.
TensorFlowBackend.implementations = (
    _row("exp", "tf.math.exp", lambda x: tf.math.exp(x)),
    _row("expm1", "tf.math.expm1", lambda x: tf.math.expm1(x)),
    _row("log", "tf.math.log", lambda x: tf.math.log(x)),
    _row("log1p", "tf.math.log1p", lambda x: tf.math.log1p(x)),
    _row("tanh", "tf.math.tanh", lambda x: tf.math.tanh(x)),
    _row("sigmoid", "tf.math.sigmoid", lambda x: tf.math.sigmoid(x)),
    _row("log_sigmoid", "tf.math.log_sigmoid", lambda x: tf.math.log_sigmoid(x)),
    _row("softplus", "tf.math.softplus", lambda x: tf.math.softplus(x)),
    _row("relu", "tf.nn.relu", lambda x: tf.nn.relu(x)),
    _row("softmax", "tf.nn.softmax", lambda x, axis=-1: tf.nn.softmax(x, axis=axis), "axis"),
    _row("log_softmax", "tf.nn.log_softmax", lambda x, axis=-1: tf.nn.log_softmax(x, axis=axis), "axis"),
    _row("logsumexp", "tf.reduce_logsumexp", lambda x, axis=-1: tf.reduce_logsumexp(x, axis=axis), "axis", "axes"),
    _row(
        "logaddexp",
        "tf.experimental.numpy.logaddexp",
        lambda a, b: tf.experimental.numpy.logaddexp(a, b),
        dtypes=_TF_NUMPY_DTYPES,
    ),
    _row(
        "logaddexp2",
        "tf.experimental.numpy.logaddexp2",
        lambda a, b: tf.experimental.numpy.logaddexp2(a, b),
        dtypes=_TF_NUMPY_DTYPES,
    ),
    _row("xlogy", "tf.math.xlogy", lambda a, b: tf.math.xlogy(a, b)),
    _row(
        "binary_cross_entropy_with_logits",
        "tf.nn.sigmoid_cross_entropy_with_logits",
        lambda x, y: tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x),
    ),
    _row(
        "weighted_binary_cross_entropy_with_logits",
        "tf.nn.weighted_cross_entropy_with_logits",
        lambda x, y, w: tf.nn.weighted_cross_entropy_with_logits(labels=y, logits=x, pos_weight=w),
    ),
    _row(
        "softmax_cross_entropy_with_logits",
        "tf.nn.softmax_cross_entropy_with_logits",
        lambda x, y, axis=-1: tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=x, axis=axis),
        "axis",
    ),
    _row(
        "sparse_softmax_cross_entropy_with_logits",
        "tf.nn.sparse_softmax_cross_entropy_with_logits",
        lambda x, y: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=x),
    ),
    _row(
        "sigmoid_squared_error",
        "tf.math.squared_difference(sigmoid)",
        lambda x, y: tf.math.squared_difference(tf.math.sigmoid(x), y),
    ),
    _row("masked_mean", "tf.math.divide_no_nan(sum(values * mask), sum(mask))", _mean_of_valid),
    _row("masked_mean", "tf.nn.weighted_moments(frequency_weights=mask)", _weighted_mean),
)

BACKENDS = (TensorFlowBackend(),)
