"""The baseline: NumPy and SciPy. No autodiff, so values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.backends.base import Function, ScriptStyle, Tensor, lazy
from suite.backends.training import Trained, Training, Weights
from suite.model import Implementation

special = lazy("scipy.special")


class NumpyBackend:
    """NumPy's ufuncs and ``scipy.special``."""

    name = "numpy"
    distributions = ("numpy", "scipy")
    modes = ("eager",)
    swept: tuple[str, ...] = modes
    dtypes = ("float16", "float32", "float64")
    has_gradient = False
    needs_x64 = False
    aliases: Mapping[str, str] = {}
    implementations: tuple[Implementation, ...] = ()
    script = ScriptStyle("import numpy as np", "np.asarray({0})", "np.asarray({0})", {"eager": "{0}"})

    def environment(self, device: str, x64: bool) -> dict[str, str]:
        """Nothing is needed."""
        return {}

    def kept(self, directory: str) -> dict[str, str]:
        """It compiles nothing."""
        return {}

    def start(self, device: str) -> list[str]:
        """There is the CPU alone."""
        from suite.backends.base import Unavailable

        if device != "cpu":
            raise Unavailable(f"NumPy has no {device}")
        np.seterr(all="ignore")
        return ["cpu"]

    def tensor(self, values: NDArray[Any], dtype: str) -> Tensor:
        """An array of that dtype."""
        return values.astype(dtype)

    def array(self, tensor: Tensor) -> NDArray[Any]:
        """The array itself."""
        return np.asarray(tensor)

    def compile(self, function: Function, mode: str) -> Function:
        """There is one mode."""
        return function

    def pullback(self, function: Function, wrt: Sequence[int]) -> Function:
        """There is none."""
        raise TypeError("NumPy has no autodiff")

    def pushforward(self, function: Function, index: int) -> Function:
        """There is none."""
        raise TypeError("NumPy has no autodiff")

    def vectorize(self, function: Function) -> Function:
        """There is none."""
        raise TypeError("NumPy does not vectorise functions of arrays")

    def transpose(self, tensor: Tensor) -> Tensor:
        """A view of the same memory."""
        return np.swapaxes(tensor, -1, -2)

    @property
    def ops(self) -> Any:
        """There are none: no network is trained."""
        raise TypeError("NumPy has no autodiff")

    def train(self, task: Training, start: Weights, x: NDArray[Any], y: NDArray[Any]) -> Trained:
        """There is no way."""
        raise TypeError("NumPy has no autodiff")

    def wait(self, result: Any) -> None:
        """Results are there when a call returns."""

    def facts(self) -> dict[str, str]:
        """The vector extensions that NumPy dispatches to."""
        from numpy._core._multiarray_umath import __cpu_features__ as features

        return {"numpy cpu features": " ".join(sorted(name for name, on in features.items() if on))}


def _row(operation: str, name: str, function: Function, *accepts: str, dtypes: tuple[str, ...] = NumpyBackend.dtypes) -> Implementation:
    return Implementation(operation, "numpy", name, function, accepts, dtypes)


_WITHOUT_HALF = ("float32", "float64")
"""For the ufuncs of ``scipy.special`` that have no float16 loop: they answer float16 in float32, by the float32 row's code."""

# scipy.special.log1p and expm1 are not NumPy's: they have code of their own.
NumpyBackend.implementations = (
    _row("exp", "numpy.exp", lambda x: np.exp(x)),
    _row("expm1", "numpy.expm1", lambda x: np.expm1(x)),
    _row("expm1", "scipy.special.expm1", lambda x: special.expm1(x), dtypes=_WITHOUT_HALF),
    _row("log", "numpy.log", lambda x: np.log(x)),
    _row("log1p", "numpy.log1p", lambda x: np.log1p(x)),
    _row("log1p", "scipy.special.log1p", lambda x: special.log1p(x), dtypes=_WITHOUT_HALF),
    _row("tanh", "numpy.tanh", lambda x: np.tanh(x)),
    _row("sigmoid", "scipy.special.expit", lambda x: special.expit(x), dtypes=_WITHOUT_HALF),
    _row("log_sigmoid", "scipy.special.log_expit", lambda x: special.log_expit(x), dtypes=_WITHOUT_HALF),
    _row("softplus", "scipy.special.softplus", lambda x: special.softplus(x)),
    _row("softplus", "numpy.logaddexp(0, x)", lambda x: np.logaddexp(np.zeros_like(x), x)),
    _row("relu", "numpy.maximum(x, 0)", lambda x: np.maximum(x, np.zeros_like(x))),
    _row("softmax", "scipy.special.softmax", lambda x, axis=-1: special.softmax(x, axis=axis), "axis", "axes"),
    _row("log_softmax", "scipy.special.log_softmax", lambda x, axis=-1: special.log_softmax(x, axis=axis), "axis", "axes"),
    _row(
        "logsumexp",
        "scipy.special.logsumexp",
        lambda x, axis=-1, b=None: special.logsumexp(x, axis=axis, b=b),
        "axis",
        "axes",
        "b",
    ),
    _row("logaddexp", "numpy.logaddexp", lambda a, b: np.logaddexp(a, b)),
    _row("logaddexp2", "numpy.logaddexp2", lambda a, b: np.logaddexp2(a, b)),
    _row("xlogy", "scipy.special.xlogy", lambda a, b: special.xlogy(a, b), dtypes=_WITHOUT_HALF),
    _row(
        "sigmoid_squared_error",
        "scipy.special.expit(square)",
        lambda x, y: np.square(special.expit(x) - y),
        dtypes=_WITHOUT_HALF,
    ),
    _row("masked_mean", "numpy.mean(where=mask)", lambda v, m: np.mean(v, axis=-1, where=m)),
)

BACKENDS = (NumpyBackend(),)
