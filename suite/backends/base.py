"""What a backend is to the suite: a Protocol, and the two helpers that every backend's table is written with.

A backend is one module in this package with a ``BACKENDS`` tuple; :mod:`suite.backends` finds it. Everything that is particular to the
framework stands there, ``script`` (:class:`ScriptStyle`) included. Its tables can be read without the framework, which is imported only
by ``start``, in a process of its own (:mod:`suite.worker`). NumPy and the framework are all that such a process needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from suite.backends.training import Trained, Training, Weights
from suite.model import Implementation

Tensor = Any
Function = Callable[..., Any]

ALL_DTYPES = ("float16", "bfloat16", "float32", "float64")


class Unavailable(Exception):
    """The backend, or the device asked for, is not to be had in this environment; the text says why."""


@dataclass(frozen=True)
class ScriptStyle:
    """How a script for a bug report speaks to the framework: a backend's ``script``. ``{0}`` stands for the expression concerned.

    ``tensor`` makes a tensor of a NumPy array, ``array`` the way back, ``modes`` runs a function as each mode does, ``pullback``
    defines a function of that name, of the tensors and a cotangent, that gives the gradient with respect to argument ``{index}``.
    ``pushforward`` does so of the tensors and a direction, for the derivative along it; ``mapped`` maps a function over examples.
    """

    header: str
    tensor: str
    array: str
    modes: Mapping[str, str]
    pullback: str = ""
    transpose: str = "{0}.T"
    pushforward: str = ""
    mapped: str = ""


class Backend(Protocol):
    """A framework as this suite sees it."""

    name: str
    distributions: tuple[str, ...]
    """Names of the distributions whose versions are recorded, the framework's own first."""
    modes: tuple[str, ...]
    swept: tuple[str, ...]
    """The modes that a sweep takes where none is asked for."""
    dtypes: tuple[str, ...]
    has_gradient: bool
    needs_x64: bool
    """Whether float64 has to be switched on for the whole process: such cases then run in a process of their own."""
    aliases: Mapping[str, str]
    """The names people give to modules in the tables, ``{"tf": "tensorflow"}``; empty where they use the real ones."""
    implementations: tuple[Implementation, ...]
    script: ScriptStyle

    def environment(self, device: str, x64: bool) -> dict[str, str]:
        """Environment variables that must stand before the framework is imported."""

    def kept(self, directory: str) -> dict[str, str]:
        """Environment variables that have the framework keep in a directory what it compiles, and take it from there; none if it cannot."""

    def start(self, device: str) -> list[str]:
        """Imports the framework and selects ``device`` (``cpu`` or ``gpu``).

        Returns:
            the devices' descriptions.

        Raises:
            Unavailable: the framework sees no such device, or is a release that this suite cannot run beside.
            ImportError: the framework is not installed.
        """

    def tensor(self, values: NDArray[Any], dtype: str) -> Tensor:
        """Makes a tensor of ``dtype`` (also ``int32``, ``bool``) from representable values, without changing a bit."""

    def array(self, tensor: Tensor) -> NDArray[Any]:
        """The tensor's numbers as a NumPy array, in the tensor's own dtype; waits until they are there."""

    def compile(self, function: Function, mode: str) -> Function:
        """``function`` of tensors as the mode runs it; eager modes return it as it is."""

    def pullback(self, function: Function, wrt: Sequence[int]) -> Function:
        """``(*tensors, cotangent) -> (value, [gradient for each index in wrt])`` by the framework's own autodiff."""

    def pushforward(self, function: Function, index: int) -> Function:
        """``(*tensors, direction) -> (value, derivative)`` along a direction of argument ``index``, by forward differentiation."""

    def vectorize(self, function: Function) -> Function:
        """``function`` of one example mapped over the leading axis of all arguments, by the framework's own means."""

    def transpose(self, tensor: Tensor) -> Tensor:
        """The tensor with its last two axes swapped."""

    @property
    def ops(self) -> Any:
        """What networks and losses are written with, under the same names everywhere.

        ``exp log log1p abs square maximum clip sum mean matmul reshape sigmoid softmax relu``, of tensors, as NumPy has them.
        """

    def train(self, task: Training, start: Weights, x: NDArray[Any], y: NDArray[Any]) -> Trained:
        """Trains a network from the weights ``start`` as users of the framework do."""

    def wait(self, result: Any) -> None:
        """Returns when ``result``, a tensor or a nest of them, has been computed."""

    def facts(self) -> dict[str, str]:
        """Settings that change numerics or time: thread counts, flags, whether 64-bit is on."""


def numpy_dtype(name: str) -> Any:
    """NumPy's dtype of that name; bfloat16 comes from ``ml_dtypes``, which every framework that has bfloat16 brings along."""
    if name == "bfloat16":
        return importlib.import_module("ml_dtypes").bfloat16
    return np.dtype(name)


def exact_cast(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """``values``, representable in ``dtype``, as an array of it. bfloat16 goes by its bits, past any cast that flushes."""
    if values.dtype == numpy_dtype(dtype):
        return values
    if dtype == "bfloat16":
        bits = values.astype(np.float32).view(np.uint32) >> 16
        result: NDArray[Any] = bits.astype(np.uint16).view(numpy_dtype("bfloat16"))
        return result
    return values.astype(dtype)


class _Lazy:
    """A module that is imported when it is first used."""

    def __init__(self, name: str) -> None:
        self.module_name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self.module_name), attribute)


def lazy(module: str) -> Any:
    """Stands for ``module`` in a table of implementations; importing it waits until an attribute is asked for."""
    return _Lazy(module)


def missing_api(name: str, aliases: Mapping[str, str] | None = None) -> str:
    """Why the dotted path in front of any parenthesis cannot be resolved in what is installed; empty if it can."""
    parts = name.partition("(")[0].split(".")
    parts[0] = (aliases or {}).get(parts[0], parts[0])
    module: Any = None
    for end in range(1, len(parts) + 1):
        try:
            module = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError as error:
            if end == 1:
                return f"{parts[0]} is not installed ({error})"
            parts = parts[end - 1 :]
            break
    else:
        return ""
    for part in parts:
        if not hasattr(module, part):
            return f"this release has no {name} ({module.__name__ if hasattr(module, '__name__') else module} has no {part})"
        module = getattr(module, part)
    return ""
