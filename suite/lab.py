"""A framework as an experiment sees it, in the framework's process: its functions, its derivatives, its own way to train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.backends.base import Backend, Function
from suite.backends.training import Trained, Training, Weights
from suite.floats import Floats
from suite.model import Implementation

Arrays = Mapping[str, NDArray[Any]]

EXACT_KINDS = {"i": "int32", "u": "int32", "b": "bool"}
"""Dtypes of tensors by the kind of NumPy's array; every other array comes in the dtype that is asked for."""


@dataclass(frozen=True)
class Lab:
    """One backend. Arrays come in and go out as NumPy's; numbers come back as float64."""

    backend: Backend
    implementations: Mapping[tuple[str, str], Implementation]

    @property
    def ops(self) -> Any:
        """What functions of tensors are written with: see :meth:`suite.backends.base.Backend.ops`."""
        return self.backend.ops

    @property
    def mode(self) -> str:
        """How functions are compiled here: as programs usually are."""
        return self.backend.modes[1]

    def function(self, operation: str, name: str = "") -> Function:
        """The backend's most used API for an operation, or the one of that name.

        Raises:
            LookupError: it has none.
        """
        for found in self.implementations.values():
            if found.operation == operation and name in ("", found.name):
                return found.function
        raise LookupError(f"{self.backend.name} has no {name or operation}")

    def values(self, function: Function, *arrays: Any, dtype: str = "float32", mode: str = "") -> Floats:
        """A function of tensors, compiled, at these numbers, which have to be representable in the dtype."""
        backend = self.backend
        result = backend.compile(function, mode or self.mode)(*self._tensors(arrays, dtype))
        return np.asarray(backend.array(result), dtype=np.float64)

    def value_and_gradient(
        self, function: Function, *arrays: Any, dtype: str = "float32", mode: str = "", rows: bool = False
    ) -> tuple[Floats, Floats]:
        """Its values and the gradient of their sum with respect to the first argument, of one call.

        The function is elementwise, or, with ``rows``, has a value for each row.
        """
        shape = np.shape(arrays[0])
        value, (gradient,) = self._pulled(function, arrays, (0,), dtype, mode, np.ones(shape[:-1] if rows else shape))
        return value, gradient

    def gradients(
        self, function: Function, *arrays: Any, wrt: Sequence[int] = (0,), dtype: str = "float32", mode: str = "", cotangent: Any = None
    ) -> list[Floats]:
        """Its gradient with respect to each of ``wrt``, for a cotangent of ones if none is given."""
        if cotangent is None:
            cotangent = np.ones(tuple(function(*self._tensors(arrays, dtype)).shape))
        return self._pulled(function, arrays, wrt, dtype, mode, cotangent)[1]

    def _pulled(
        self, function: Function, arrays: Sequence[Any], wrt: Sequence[int], dtype: str, mode: str, cotangent: Any
    ) -> tuple[Floats, list[Floats]]:
        """The value, and the gradient with respect to each of ``wrt``."""
        backend = self.backend
        compiled = backend.compile(backend.pullback(function, list(wrt)), mode or self.mode)
        value, gradients = compiled(*self._tensors(arrays, dtype), *self._tensors((cotangent,), dtype))
        return np.asarray(backend.array(value), dtype=np.float64), [np.asarray(backend.array(g), dtype=np.float64) for g in gradients]

    def train(self, task: Training, start: Weights, x: NDArray[Any], y: NDArray[Any]) -> Trained:
        """Trains a network as users of the framework do."""
        return self.backend.train(task, start, x, y)

    def _tensors(self, arrays: Sequence[Any], dtype: str) -> list[Any]:
        made = (np.asarray(a) for a in arrays)
        return [self.backend.tensor(a, EXACT_KINDS.get(a.dtype.kind, dtype)) for a in made]
