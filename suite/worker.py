"""The process that a framework runs in: ``python -m suite.worker BACKEND DEVICE``.

It answers requests on its standard input: what the framework is, what an implementation returns for given inputs, how long that takes.
It needs NumPy and the framework alone, so that it runs beside releases that are years old. :mod:`suite.processes` is the other side.
"""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from suite import wire
from suite.backends import backends
from suite.backends.base import Backend, Function, Tensor, Unavailable, missing_api
from suite.floats import FORMATS
from suite.model import Implementation

Arrays = Mapping[str, NDArray[Any]]
_EXACT_KINDS = {"i": "int32", "u": "int32", "b": "bool"}


class Worker:
    """Answers requests about one backend on one device."""

    def __init__(self, backend: Backend, device: str) -> None:
        self.backend = backend
        self.devices = backend.start(device)
        self.implementations = {(i.operation, i.name): i for i in backend.implementations}
        self.compiled = cache(self._compile)
        self.prepared: Callable[[], Any] | None = None

    def describe(self, header: dict[str, Any], arrays: Arrays) -> wire.Message:
        """Versions, devices, settings, and the implementations that the installed release lacks."""
        missing = {}
        for operation, name in self.implementations:
            if reason := missing_api(name, self.backend.aliases):
                missing[f"{operation} {name}"] = reason
        facts = {"python": platform.python_version(), "devices": ", ".join(self.devices)}
        for distribution in self.backend.distributions:
            facts[distribution] = _version(distribution)
        return {"facts": facts | self.backend.facts() | self._flushing(), "missing": missing}, {}

    def _flushing(self) -> dict[str, str]:
        """Which modes and dtypes replace subnormal inputs or results of a multiplication by zero."""
        found = {}
        dtypes = ["float64"] if os.environ.get("JAX_ENABLE_X64") == "1" else list(self.backend.dtypes)
        for mode in self.backend.modes:
            multiply = self.backend.compile(lambda a, b: a * b, mode)
            for dtype in dtypes:
                fmt = FORMATS[dtype]
                factors = {"inputs": (fmt.tiny / 2, 4.0), "results": (fmt.tiny, 0.5)}
                zero = [
                    what
                    for what, pair in factors.items()
                    if not self.backend.array(multiply(*(self.backend.tensor(np.full(16, f), dtype) for f in pair))).all()
                ]
                found[f"flushes {mode} {dtype}"] = ", ".join(zero) or "nothing"
        return found

    def evaluate(self, header: dict[str, Any], arrays: Arrays) -> wire.Message:
        """Values, or values and gradients, over the leading axis of the arrays, as float64."""
        function, wrt = self._function(header)
        results: list[list[NDArray[Any]]] = []
        dtypes: set[str] = set()
        for block in range(header["blocks"]):
            outputs = function(*self._tensors(header, arrays, block))
            flat = [outputs[0], *outputs[1]] if wrt else [outputs]
            as_numpy = [self.backend.array(t) for t in flat]
            dtypes.update(str(a.dtype) for a in as_numpy)
            results.append([a.astype(np.float64) for a in as_numpy])
        names = ["value", *(f"d {header['arrays'][i]}" for i in wrt)]
        stacked = {name: np.stack([r[i] for r in results]) for i, name in enumerate(names)}
        return {"dtypes": sorted(dtypes)}, stacked

    def prepare(self, header: dict[str, Any], arrays: Arrays) -> wire.Message:
        """Builds the function anew and calls it once; returns the seconds of that first call: trace, compile, run."""
        tensors = self._tensors(header, arrays, 0)
        self.backend.wait(tensors)
        self.compiled.cache_clear()
        start = time.perf_counter()
        function, _ = self._function(header)
        self.backend.wait(function(*tensors))
        first = time.perf_counter() - start

        def once() -> None:
            self.backend.wait(function(*tensors))

        self.prepared = once
        return {"first call": first}, {}

    def loop(self, header: dict[str, Any], arrays: Arrays) -> wire.Message:
        """Calls the prepared function so many times and returns the seconds taken; every result is waited for."""
        if self.prepared is None:
            raise RuntimeError("nothing has been prepared")
        once = self.prepared
        start = time.perf_counter()
        for _ in range(header["count"]):
            once()
        return {"seconds": time.perf_counter() - start}, {}

    def _tensors(self, header: dict[str, Any], arrays: Arrays, block: int) -> list[Tensor]:
        names = [*header["arrays"], *(["cotangent"] if header["gradient"] else [])]
        return [self._tensor(arrays[name][block], header["dtype"]) for name in names]

    def _tensor(self, array: NDArray[Any], dtype: str) -> Tensor:
        return self.backend.tensor(array, _EXACT_KINDS.get(array.dtype.kind, dtype))

    def _function(self, header: dict[str, Any]) -> tuple[Function, tuple[int, ...]]:
        wrt = tuple(header["gradient"])
        key = (header["operation"], header["implementation"])
        options = tuple(sorted(header["options"].items()))
        return self.compiled(key, header["mode"], options, tuple(header["arrays"]), header["positional"], wrt), wrt

    def _compile(
        self, key: tuple[str, str], mode: str, options: tuple[Any, ...], arrays: tuple[str, ...], positional: int, wrt: tuple[int, ...]
    ) -> Function:
        implementation: Implementation = self.implementations[key]

        def call(*tensors: Tensor) -> Tensor:
            by_keyword = dict(zip(arrays[positional:], tensors[positional:], strict=True))
            return implementation.function(*tensors[:positional], **by_keyword, **dict(options))

        return self.backend.compile(self.backend.pullback(call, wrt) if wrt else call, mode)


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        for name in (f"{distribution}-cpu", f"{distribution}-nightly"):
            try:
                return f"{metadata.version(name)} ({name})"
            except metadata.PackageNotFoundError:
                continue
        return "not installed"


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip()[:2000]


def serve(source: BinaryIO, sink: BinaryIO, name: str, device: str) -> int:
    """Starts the backend, says so, and answers until the other side closes. Returns the exit status."""
    try:
        worker = Worker(backends()[name], device)
    except (ImportError, Unavailable) as error:
        wire.send(sink, {"absent": str(error) if isinstance(error, Unavailable) else _reason(error)})
        return 0
    except Exception as error:  # noqa: BLE001 - whatever a framework raises at import says why it is absent
        wire.send(sink, {"absent": f"fails at import: {_reason(error)}"})
        return 0
    wire.send(sink, {"ready": True})
    while True:
        try:
            header, arrays = wire.receive(source)
        except EOFError:
            return 0
        try:
            answer, results = getattr(worker, header["do"])(header, arrays)
            wire.send(sink, answer, results)
        except Exception as error:  # noqa: BLE001 - any error of a framework's becomes a message, and the next request is answered
            wire.send(sink, {"error": _reason(error), "traceback": traceback.format_exc()[-4000:]})


def main() -> int:
    """Keeps standard output for messages; whatever a framework prints goes to standard error."""
    name, device = sys.argv[1:3]
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return serve(sys.stdin.buffer, sink, name, device)


if __name__ == "__main__":
    sys.exit(main())
