"""The process that a framework runs in: ``python -m suite.worker BACKEND DEVICE``.

It answers requests on its standard input: what the framework is, what an implementation returns for given inputs, how long that takes.
It needs NumPy and the framework alone, so that it runs beside releases that are years old. :mod:`suite.processes` is the other side.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import metadata
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from suite import loading, machine, memory, tally, wire
from suite.backends import backends
from suite.backends.base import Backend, Function, Tensor, Unavailable, missing_api, numpy_dtype
from suite.expected import DENSE, Expected, Law, inputs
from suite.floats import FORMATS, Format, pattern_type
from suite.lab import EXACT_KINDS, Lab
from suite.model import Implementation

Arrays = Mapping[str, NDArray[Any]]

_LETTERS = {"value": "", "mapped": "", "gradient": "d", "curvature": "h", "tangent": "t"}
_BEHIND = {"gradient": ("cotangent",), "curvature": ("cotangent", "direction"), "tangent": ("direction",)}
"""Arrays that a question needs behind the function's own."""
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
_BY_ORDER = ("value", "gradient", "curvature")


class _OtherDtype(TypeError):
    """An implementation returns another dtype than it is given: its results are no numbers of the format that is swept."""


@dataclass
class _Swept:
    """An output while it is swept."""

    evaluate: Callable[[int], NDArray[Any]]
    expected: Iterator[Expected]
    tally: tally.Tally
    kept: list[NDArray[Any]] = field(default_factory=list)
    evaluating: float = 0.0
    comparing: float = 0.0
    error: str = ""
    comparable: bool = True

    def chunk(self, start: int, keep: bool) -> None:
        """Evaluates and compares the inputs from ``start`` on, unless an earlier chunk has failed."""
        if self.error:
            return
        try:
            begin = time.perf_counter()
            got = self.evaluate(start)
            middle = time.perf_counter()
            self.tally.add(start, got, next(self.expected))
            self.evaluating += middle - begin
            self.comparing += time.perf_counter() - middle
        except _OtherDtype as error:
            self.error, self.comparable = str(error), False
        except Exception as error:  # noqa: BLE001 - whatever a framework raises is that output's result
            self.error = _reason(error)
        else:
            self.kept += [got] if keep else []

    def answer(self) -> dict[str, Any]:
        """The tally and the seconds, or the error, or why there is nothing to compare."""
        if self.error:
            return {"error" if self.comparable else "absent": self.error}
        return {**self.tally.result(), "evaluating": self.evaluating, "comparing": self.comparing}


class Worker:
    """Answers requests about one backend on one device."""

    def __init__(self, backend: Backend, device: str) -> None:
        self.backend = backend
        self.devices = backend.start(device)
        declared = loading.implementations(backend.name)
        self.implementations = {(i.operation, i.name): i for i in (*backend.implementations, *declared)}
        self.compiled = cache(self._compile)
        self.inputs = lru_cache(maxsize=4)(self._inputs)
        self.filled = lru_cache(maxsize=16, typed=True)(self._filled)
        self.prepared: dict[str, Callable[[], Any]] = {}

    def describe(self, header: dict[str, Any], arrays: Arrays) -> wire.Message:
        """Versions, devices, settings, and the implementations that the installed release lacks."""
        missing = {}
        for found in self.backend.implementations:
            if reason := missing_api(found.name, self.backend.aliases):
                missing[f"{found.operation} {found.name}"] = reason
        facts = {"python": platform.python_version(), "devices": ", ".join(self.devices), **machine.cpu()}
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
        """What is asked of an implementation, over the leading axis of the arrays, as float64: see ``suite.checks.base.Question``."""
        function = self._function(header)
        results: list[list[NDArray[Any]]] = []
        dtypes: set[str] = set()
        for block in range(header["blocks"]):
            outputs = function(*self._tensors(header, arrays, block))
            as_numpy = [self.backend.array(t) for t in _flattened(outputs)]
            dtypes.update(str(a.dtype) for a in as_numpy)
            results.append([a.astype(np.float64) for a in as_numpy])
        stacked = {name: np.stack([r[i] for r in results]) for i, name in enumerate(_names(header))}
        return {"dtypes": sorted(dtypes)}, stacked

    def prepare(self, header: dict[str, Any], arrays: Arrays) -> wire.Message:
        """Builds the function anew and calls it once; returns the seconds of that first call: trace, compile, run.

        A ``slot`` keeps what is prepared under a name of its own, beside what others hold.
        """
        tensors = self._tensors(header, arrays, 0)
        self.backend.wait(tensors)
        start = time.perf_counter()
        function = self._compile(*self._asked(header))
        self.backend.wait(function(*tensors))
        first = time.perf_counter() - start

        def once() -> Any:
            result = function(*tensors)
            self.backend.wait(result)
            return result

        self.prepared[header.get("slot", "")] = once
        return {"first call": first}, {}

    def loop(self, header: dict[str, Any], arrays: Arrays) -> wire.Message:
        """Calls the prepared function so many times and returns the seconds taken; every result is waited for."""
        once = self._prepared(header)
        start = time.perf_counter()
        for _ in range(header["count"]):
            once()
        return {"seconds": time.perf_counter() - start}, {}

    def results(self, header: dict[str, Any], arrays: Arrays) -> wire.Message:
        """What the function returns that was prepared with this header, for the examples at ``places``, named as by :meth:`evaluate`."""
        outputs = (self.backend.array(tensor) for tensor in _flattened(self._prepared(header)()))
        return {}, {name: array[arrays["places"]].astype(np.float64) for name, array in zip(_names(header), outputs, strict=True)}

    def memory(self, header: dict[str, Any], arrays: Arrays) -> wire.Message:
        """How many bytes more this process holds at most during a call of the prepared function; None, with the reason, if unknown."""
        once = self._prepared(header)
        try:
            return {"bytes": memory.taken(once)}, {}
        except memory.NotCounted as error:
            return {"bytes": None, "reason": str(error)}, {}

    def _prepared(self, header: dict[str, Any]) -> Callable[[], Any]:
        slot = header.get("slot", "")
        if slot not in self.prepared:
            raise RuntimeError(f"nothing has been prepared{f' as {slot}' if slot else ''}")
        return self.prepared[slot]

    def sweep(self, header: dict[str, Any], arrays: Arrays) -> wire.Message:
        """Evaluates outputs for all inputs from ``start`` to ``stop``, ``chunk`` at a time, and compares with what is expected.

        The tally of each, and, if they are to be kept, its results as bit patterns. An output that raises is answered by its error; the
        others are not lost. Times are in seconds. A chunk's inputs are made once, for the first of the outputs that take them.
        """
        fmt, size = FORMATS[header["dtype"]], header["chunk"]
        asked = [
            _Swept(self._every_input(fmt, size, output), _expected(output["expected"], arrays), tally.Tally(fmt, Law(**output["law"])))
            for output in header["outputs"]
        ]
        for start in range(header["start"], header["stop"], size):
            for swept in asked:
                swept.chunk(start, header["keep"])
        kept = {f"results {number}": np.concatenate(swept.kept) for number, swept in enumerate(asked) if swept.kept and not swept.error}
        return {"outputs": [swept.answer() for swept in asked]}, kept

    def experiment(self, header: dict[str, Any], arrays: Arrays) -> wire.Message:
        """What a function of the suite's, ``module`` and ``function``, finds out with this framework, as float64, and in what time."""
        function = getattr(importlib.import_module(header["module"]), header["function"])
        start = time.perf_counter()
        found = function(Lab(self.backend, self.implementations), arrays)
        return {"seconds": time.perf_counter() - start}, {name: np.asarray(array, dtype=np.float64) for name, array in found.items()}

    def _every_input(self, fmt: Format, count: int, output: dict[str, Any]) -> Callable[[int], NDArray[Any]]:
        """A function from the number of a chunk's first input to the bit patterns of its ``count`` results.

        Rows are evaluated a part of the chunk at a time, whose tensors have no more numbers than those of the chunk's single numbers.
        """
        key = (output["operation"], output["implementation"])
        order, dtype, names = output["order"], fmt.name, tuple(output["arrays"])
        options = tuple(sorted(output["options"].items()))
        function = self.compiled(key, output["mode"], options, names, len(names), tuple(output["moving"][:1]), _BY_ORDER[order])
        row = tuple(output["row"]) if output["rows"] else None
        width = output["arity"] + len(output["row"])
        part = count if row is None else count >> (width - 1).bit_length()
        fixed = {name: self.filled(dtype, (part,), value) for name, value in output["fixed"].items()}
        shape = (part, width) if output["shape"] == "row" else (part,)
        cotangents = [self.filled(dtype, shape, 1.0, first=True)] * order

        def evaluate(start: int) -> NDArray[Any]:
            moving = iter(self.inputs(dtype, start, part, output["arity"], row))
            tensors = [fixed[n] if n in fixed else next(moving) for n in names]
            result = function(*tensors, *cotangents)
            array = self.backend.array(result[1][0] if order else result)
            if str(array.dtype) != dtype:
                raise _OtherDtype(f"{output['implementation']} returned {array.dtype} for {dtype}")
            return array[:, 0] if array.ndim > 1 else array

        def run(start: int) -> NDArray[Any]:
            parts = [evaluate(at) for at in range(start, start + count, part)]
            whole = np.concatenate(parts) if len(parts) > 1 else np.ascontiguousarray(parts[0])
            return whole.view(pattern_type(fmt))

        return run

    def _inputs(self, dtype: str, start: int, count: int, arity: int, row: tuple[float, ...] | None) -> list[Tensor]:
        """The moving arguments of inputs from ``start`` on: arrays of numbers, or one of rows that end with the numbers ``row``.

        Of an array of rows the columns are contiguous, which frameworks without a layout of their own reduce ten times faster.
        """
        moving = _numbers(FORMATS[dtype], start, count, arity)
        if row is not None:
            moving = [np.stack([*moving, *(np.full(count, v, moving[0].dtype) for v in row)]).T]
        return [self.backend.tensor(array, dtype) for array in moving]

    def _filled(self, dtype: str, shape: tuple[int, ...], value: float, first: bool = False) -> Tensor:
        """A tensor of one value; with ``first``, of zeros but for the first of each row."""
        array = np.full(shape, value, np.int64 if isinstance(value, int) else np.float64)
        if first and len(shape) > 1:
            array[:, 1:] = 0
        return self._tensor(array, dtype)

    def _tensors(self, header: dict[str, Any], arrays: Arrays, block: int) -> list[Tensor]:
        names = [*header["arrays"], *_BEHIND.get(header["question"], ())]
        return [self._tensor(arrays[name][block], header["dtypes"].get(name, header["dtype"])) for name in names]

    def _tensor(self, array: NDArray[Any], dtype: str) -> Tensor:
        return self.backend.tensor(array, dtype if dtype in _INTEGERS else EXACT_KINDS.get(array.dtype.kind, dtype))

    def _function(self, header: dict[str, Any]) -> Function:
        return self.compiled(*self._asked(header))

    def _asked(self, header: dict[str, Any]) -> tuple[Any, ...]:
        """The arguments of ``_compile``."""
        key = (header["operation"], header["implementation"])
        options = tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in sorted(header["options"].items()))
        arrays, wrt = tuple(header["arrays"]), tuple(header["wrt"])
        return key, header["mode"], options, arrays, header["positional"], wrt, header["question"], header["view"]

    def _compile(
        self, key: tuple[str, str], mode: str, options: tuple[Any, ...], arrays: tuple[str, ...], positional: int, wrt: tuple[int, ...],
        question: str, view: str = "",
    ) -> Function:  # fmt: skip
        """What answers a question about the implementation, as the mode runs it.

        A second derivative is the pullback of the gradient by the first of ``wrt``; cotangents and directions come last.
        """
        implementation: Implementation = self.implementations[key]
        backend = self.backend

        def call(*tensors: Tensor) -> Tensor:
            if view:
                tensors = tuple(_viewed(backend, view, t) for t in tensors)
            by_keyword = dict(zip(arrays[positional:], tensors[positional:], strict=True))
            return implementation.function(*tensors[:positional], **by_keyword, **dict(options))

        function: Function = call
        if question in ("gradient", "curvature"):
            function = backend.pullback(call, wrt)
        if question == "curvature":
            function = backend.pullback(_gradient_of(function), wrt)
        if question == "tangent":
            function = backend.pushforward(call, wrt[0])
        if question == "mapped":
            function = backend.vectorize(call)
        return backend.compile(function, mode)


def _names(header: dict[str, Any]) -> list[str]:
    """Of the results of a question, in their order."""
    question, named = header["question"], (header["arrays"][i] for i in header["wrt"])
    return ["slope" if question == "curvature" else "value", *(f"{_LETTERS[question]} {name}" for name in named)]


def _viewed(backend: Backend, view: str, tensor: Tensor) -> Tensor:
    """Every second entry, the last two axes swapped, or a multiple."""
    if view == "scaled":
        return tensor * 3.3
    if view == "strided":
        return tensor[..., ::2]
    return backend.transpose(tensor) if len(tensor.shape) > 1 else tensor


def _flattened(outputs: Any) -> list[Tensor]:
    """A tensor, or a tensor and what goes with it, as a list."""
    if not isinstance(outputs, (tuple, list)):
        return [outputs]
    return [leaf for part in outputs for leaf in _flattened(part)]


def _gradient_of(pullback: Function) -> Function:
    """What a pullback says of the first argument, as a function of the same arguments."""
    return lambda *inputs: pullback(*inputs)[1][0]


def _numbers(fmt: Format, start: int, count: int, arity: int) -> list[NDArray[Any]]:
    """The inputs with the numbers from ``start`` on; of two numbers the first is the upper half of the input's number."""
    dtype = numpy_dtype(fmt.name)
    if arity == 1:
        return [inputs(fmt, start, count).view(dtype)]
    index = np.arange(start, start + count, dtype=np.int64)
    parts = index >> fmt.bits, index & ((1 << fmt.bits) - 1)
    return [part.astype(pattern_type(fmt)).view(dtype) for part in parts]


def _expected(name: str, arrays: Arrays) -> Iterator[Expected]:
    """The chunks' expected results, as :func:`suite.shards.packed` packs them."""
    kinds, patterns, digests, dense = (arrays[f"{name} {part}"] for part in ("kinds", "patterns", "digests", "dense"))
    rows = iter(dense)
    for kind, pattern, digest in zip(kinds.tolist(), patterns.tolist(), digests, strict=True):
        yield Expected(kind, pattern, next(rows) if kind == DENSE else None, digest.tobytes())


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


def serve(source: BinaryIO, sink: BinaryIO, name: str, device: str, kind: type[Worker] = Worker) -> int:
    """Starts the backend, says so, and answers until the other side closes. Returns the exit status."""
    try:
        worker = kind(backends()[name], device)
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


def main(kind: type[Worker] = Worker) -> int:
    """Keeps standard output for messages; whatever a framework prints goes to standard error."""
    name, device = sys.argv[1:3]
    machine.settle()
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return serve(sys.stdin.buffer, sink, name, device, kind)


if __name__ == "__main__":
    sys.exit(main())
