"""JAX, with optax for the losses."""

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

jax = lazy("jax")
jnp = lazy("jax.numpy")
jsp = lazy("jax.scipy.special")
optax = lazy("optax")


class JaxBackend:
    """JAX: eager (which jits each function of ``jax.nn`` by itself) and jit of the whole."""

    name = "jax"
    distributions: tuple[str, ...] = ("jax", "jaxlib", "optax", "numpy")
    modes = ("eager", "jit")
    swept: tuple[str, ...] = modes
    dtypes = ALL_DTYPES
    has_gradient = True
    needs_x64 = True
    aliases: Mapping[str, str] = {}
    implementations: tuple[Implementation, ...] = ()
    script = ScriptStyle(
        "import jax",
        "jax.numpy.asarray({0})",
        "np.asarray({0})",
        {"eager": "{0}", "jit": "jax.jit({0})"},
        """def pullback(*tensors):
    partial = lambda t: function(*tensors[:{index}], t, *tensors[{index} + 1 : -1])
    value, pull = jax.vjp(partial, tensors[{index}])
    return pull(tensors[-1].astype(value.dtype))[0]""",
        pushforward="""def pushforward(*tensors):
    partial = lambda t: function(*tensors[:{index}], t, *tensors[{index} + 1 : -1])
    return jax.jvp(partial, (tensors[{index}],), (tensors[-1],))[1]""",
        mapped="jax.vmap({0})",
    )

    def environment(self, device: str, x64: bool) -> dict[str, str]:
        """64-bit is global to a JAX process; the platform is named so that no accelerator is taken unasked."""
        platform = {"JAX_PLATFORMS": "cpu"} if device == "cpu" else {}
        return {"JAX_ENABLE_X64": "1" if x64 else "0", "XLA_PYTHON_CLIENT_PREALLOCATE": "false", **platform}

    def kept(self, directory: str) -> dict[str, str]:
        """JAX's compilation cache, for everything."""
        always = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}
        return {"JAX_COMPILATION_CACHE_DIR": directory, **always}

    def start(self, device: str) -> list[str]:
        """Imports JAX; ``gpu`` has to be its default backend."""
        import jax

        if device != "cpu" and jax.default_backend() != device:
            raise Unavailable(f"JAX sees no {device}: its default backend is {jax.default_backend()}")
        return [str(d) for d in jax.devices()]

    def tensor(self, values: NDArray[Any], dtype: str) -> Tensor:
        """A committed array; never cast by the framework."""
        return jax.device_put(exact_cast(values, dtype))

    def array(self, tensor: Tensor) -> NDArray[Any]:
        """Blocks until ready."""
        return np.asarray(tensor)

    def compile(self, function: Function, mode: str) -> Function:
        """``jax.jit``, or nothing."""
        compiled: Function = jax.jit(function) if mode == "jit" else function
        return compiled

    def pullback(self, function: Function, wrt: Sequence[int]) -> Function:
        """``jax.vjp`` with respect to the chosen arguments."""

        def run(*inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
            *tensors, cotangent = inputs

            def of_chosen(*chosen: Tensor) -> Tensor:
                full = list(tensors)
                for index, tensor in zip(wrt, chosen, strict=True):
                    full[index] = tensor
                return function(*full)

            value, pull = jax.vjp(of_chosen, *(tensors[i] for i in wrt))
            return value, list(pull(cotangent.astype(value.dtype)))

        return run

    def pushforward(self, function: Function, index: int) -> Function:
        """``jax.jvp``."""

        def run(*inputs: Tensor) -> tuple[Tensor, Tensor]:
            *tensors, direction = inputs
            along: tuple[Tensor, Tensor] = jax.jvp(
                lambda moving: function(*tensors[:index], moving, *tensors[index + 1 :]), (tensors[index],), (direction,)
            )
            return along

        return run

    def vectorize(self, function: Function) -> Function:
        """``jax.vmap``."""
        mapped: Function = jax.vmap(function)
        return mapped

    def transpose(self, tensor: Tensor) -> Tensor:
        """``jax.numpy.swapaxes``."""
        return jnp.swapaxes(tensor, -1, -2)

    @property
    def ops(self) -> Any:
        """``jax.numpy`` and ``jax.nn``."""
        return _ops()

    def train(self, task: Training, start: Weights, x: NDArray[Any], y: NDArray[Any]) -> Trained:
        """optax, each step under ``jax.jit``."""
        make = {"sgd": optax.sgd, "adam": partial(optax.adam, eps=EPSILON)}[task.optimiser]
        optimiser = make(task.rate)

        def update(weights: list[Tensor], gradients: list[Tensor], state: Any) -> tuple[list[Tensor], Any]:
            changes, state = optimiser.update(gradients, state, weights)
            return optax.apply_updates(weights, changes), state

        state = optimiser.init([self.tensor(w, task.dtype) for w in start])
        return descend(self, task, start, x, y, state, update)

    def wait(self, result: Any) -> None:
        """``jax.block_until_ready``."""
        jax.block_until_ready(result)

    def facts(self) -> dict[str, str]:
        """64-bit switch, XLA flags, default precision of products."""
        return {
            "jax x64": str(jax.config.jax_enable_x64),
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
            "jax matmul precision": str(jax.config.jax_default_matmul_precision),
        }


@cache
def _ops() -> SimpleNamespace:
    names = ("exp", "log", "log1p", "abs", "square", "maximum", "clip", "sum", "mean", "matmul", "reshape")
    return SimpleNamespace(
        **{name: getattr(jnp, name) for name in names},
        **{name: getattr(jax.nn, name) for name in ("sigmoid", "softmax", "relu")},
    )


def _row(operation: str, name: str, function: Function, *accepts: str) -> Implementation:
    return Implementation(operation, "jax", name, function, accepts)


def _mask(where: Tensor | None) -> dict[str, Any]:
    """Before JAX 0.4.27 a mask needs ``initial`` beside it, the maximum of nothing."""
    needed = where is not None and jax.__version_info__ < (0, 4, 27)
    return {"where": where, "initial": -jnp.inf} if needed else {"where": where}


# A function that stands under several names has one row: jax.nn.logsumexp is jax.scipy.special.logsumexp, jax.nn.tanh is
# jax.numpy.tanh, optax.losses.softmax_cross_entropy is optax.softmax_cross_entropy. Options that came in late (optax 0.2.4, logsumexp's
# where) are passed on only if they are given, so that the plain call runs on earlier releases.
JaxBackend.implementations = (
    _row("exp", "jax.numpy.exp", lambda x: jnp.exp(x)),
    _row("expm1", "jax.numpy.expm1", lambda x: jnp.expm1(x)),
    _row("log", "jax.numpy.log", lambda x: jnp.log(x)),
    _row("log1p", "jax.numpy.log1p", lambda x: jnp.log1p(x)),
    _row("tanh", "jax.numpy.tanh", lambda x: jnp.tanh(x)),
    _row("sigmoid", "jax.nn.sigmoid", lambda x: jax.nn.sigmoid(x)),
    _row("sigmoid", "jax.scipy.special.expit", lambda x: jsp.expit(x)),
    _row("sigmoid", "jax.lax.logistic", lambda x: jax.lax.logistic(x)),
    _row("log_sigmoid", "jax.nn.log_sigmoid", lambda x: jax.nn.log_sigmoid(x)),
    _row("softplus", "jax.nn.softplus", lambda x: jax.nn.softplus(x)),
    _row("relu", "jax.nn.relu", lambda x: jax.nn.relu(x)),
    _row("softmax", "jax.nn.softmax", lambda x, axis=-1, where=None: jax.nn.softmax(x, axis=axis, **_mask(where)), "axis", "axes", "where"),
    _row("softmax", "jax.scipy.special.softmax", lambda x, axis=-1: jsp.softmax(x, axis=axis), "axis", "axes"),
    _row(
        "log_softmax",
        "jax.nn.log_softmax",
        lambda x, axis=-1, where=None: jax.nn.log_softmax(x, axis=axis, **_mask(where)),
        "axis",
        "axes",
        "where",
    ),
    _row("log_softmax", "jax.scipy.special.log_softmax", lambda x, axis=-1: jsp.log_softmax(x, axis=axis), "axis", "axes"),
    _row(
        "logsumexp",
        "jax.scipy.special.logsumexp",
        lambda x, axis=-1, **options: jsp.logsumexp(x, axis=axis, **options),
        "axis",
        "axes",
        "b",
        "where",
    ),
    _row("logaddexp", "jax.numpy.logaddexp", lambda a, b: jnp.logaddexp(a, b)),
    _row("logaddexp2", "jax.numpy.logaddexp2", lambda a, b: jnp.logaddexp2(a, b)),
    _row("xlogy", "jax.scipy.special.xlogy", lambda a, b: jsp.xlogy(a, b)),
    _row(
        "binary_cross_entropy_with_logits",
        "optax.sigmoid_binary_cross_entropy",
        lambda x, y: optax.sigmoid_binary_cross_entropy(x, y),
    ),
    _row(
        "softmax_cross_entropy_with_logits",
        "optax.softmax_cross_entropy",
        lambda x, y, **options: optax.softmax_cross_entropy(x, y, **options),
        "axis",
        "axes",
        "where",
    ),
    _row(
        "softmax_cross_entropy_with_logits",
        "optax.safe_softmax_cross_entropy",
        lambda x, y: optax.safe_softmax_cross_entropy(x, y),
    ),
    _row(
        "softmax_cross_entropy_with_logits",
        "optax.losses.ranking_softmax_loss(reduce_fn=None)",
        lambda x, y, where=None: optax.losses.ranking_softmax_loss(x, y, where=where, reduce_fn=None),
        "where",
    ),
    _row(
        "sparse_softmax_cross_entropy_with_logits",
        "optax.softmax_cross_entropy_with_integer_labels",
        lambda x, y, **options: optax.softmax_cross_entropy_with_integer_labels(x, y, **options),
        "axis",
        "where",
    ),
    _row(
        "binary_focal_cross_entropy",
        "optax.sigmoid_focal_loss",
        lambda x, y, gamma=2.0, alpha=0.25: optax.sigmoid_focal_loss(x, y, alpha=alpha, gamma=gamma),
        "gamma",
        "alpha",
    ),
    _row(
        "smooth_labels",
        "optax.smooth_labels",
        lambda y, amount=0.1, **options: optax.smooth_labels(y, amount, **options),
        "amount",
        "axis",
    ),
    _row(
        "sigmoid_squared_error",
        "optax.squared_error(sigmoid)",
        lambda x, y: optax.squared_error(jax.nn.sigmoid(x), y),
    ),
    _row("masked_mean", "jax.numpy.mean(where=mask)", lambda v, m: jnp.mean(v, axis=-1, where=m)),
    _row("masked_mean", "jax.numpy.average(weights=mask)", lambda v, m: jnp.average(v, axis=-1, weights=m)),
)

BACKENDS = (JaxBackend(),)
