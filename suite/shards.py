"""The work of a sweep in pieces: what an output is, what a shard of its inputs is, and how one is computed anywhere.

A shard is computed by :func:`run`: it computes the correctly rounded results and has the framework's own process (:mod:`suite.worker`)
evaluate and compare. It takes and returns plain data, so that it can run on another machine.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import os
import threading
import time
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite import machine, wire
from suite.expected import DENSE
from suite.floats import FORMATS, Format, pattern_type
from suite.model import Case, Operation, Slice
from suite.operations import operations
from suite.processes import MEMORY, Absent, Process, Request, StartError, WorkerError
from suite.reference import Reference, chunks

ORDERS = ("value", "gradient", "second derivative")
TIME_LIMIT = 600.0
"""Seconds that a framework may take over one shard of one backend."""


@dataclass(frozen=True)
class Output:
    """The value (``order`` 0) or a derivative of a case, on the ``piece``-th of its operation's slices."""

    case: Case
    piece: int = 0
    order: int = 0

    @property
    def operation(self) -> Operation:
        """What the case claims to compute."""
        return operations()[self.case.operation]

    @property
    def slice(self) -> Slice:
        """The slice."""
        return self.operation.slices[self.piece]

    @property
    def what(self) -> str:
        """``gradient, labels = 0``."""
        return ", ".join(filter(None, (ORDERS[self.order], self.slice.label)))

    @property
    def id(self) -> str:
        """Unique over a sweep."""
        return f"{self.case.id}: {self.what}"

    @property
    def reference(self) -> Reference:
        """What should come out."""
        return Reference(self.slice, self.order, FORMATS[self.case.dtype])

    def arrays(self, moving: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The operation's arguments, and a cotangent if its gradient needs one, at given values of the moving numbers."""
        piece, operation = self.slice, self.operation
        count = len(moving[0])
        given = iter(moving)
        made: dict[str, NDArray[Any]] = {}
        for argument in operation.arguments:
            if argument.name in piece.fixed:
                value = piece.fixed[argument.name]
                made[argument.name] = np.full(count, value, dtype=np.int64 if isinstance(value, int) else np.float64)
            elif argument.rows:
                made[argument.name] = np.stack([*moving, *(np.full(count, v) for v in piece.row)], axis=-1)
            else:
                made[argument.name] = next(given)
        if operation.shape == "row":
            first = made[operation.arguments[0].name]
            made["cotangent"] = np.broadcast_to(np.arange(first.shape[-1]) == 0, first.shape).astype(np.float64)
        return made

    def to_json(self) -> dict[str, Any]:
        """Plain data; the inverse of :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Output:
        """From what :meth:`to_json` made."""
        return cls(Case(**data["case"]), data["piece"], data["order"])


@dataclass(frozen=True)
class Grid:
    """How the inputs of a format, or pairs of them, are cut up: their number, and those of a shard and of a chunk."""

    inputs: int
    shard: int
    chunk: int

    @classmethod
    def of(cls, fmt: Format, arity: int) -> Grid:
        """2^32 inputs in shards of 2^23; 2^16 inputs, fewer than a chunk of those, in one."""
        bits = fmt.bits * arity
        return cls(1 << 32, 1 << 23, 1 << 20) if bits == 32 else cls(1 << bits, 1 << bits, 1 << (bits - 1))

    @property
    def shards(self) -> int:
        """How many."""
        return self.inputs // self.shard


def request(outputs: list[Output], grid: Grid, shard: int) -> Request:
    """What a worker is asked for a shard: the outputs of one backend and dtype, with what is expected of them.

    ``reference`` in its header, which workers ignore, are the seconds that this has taken: of a curve that several outputs share,
    each has an equal part.
    """
    fmt = FORMATS[outputs[0].case.dtype]
    start = shard * grid.shard
    arrays: dict[str, NDArray[Any]] = {}
    seconds: dict[str, float] = {}
    names: list[str] = []
    asked = []
    for output in outputs:
        reference = output.reference
        name = f"expected {reference.key(start, grid.shard)}"
        if name not in seconds:
            begin = time.perf_counter()
            parts = _packed_whole(reference, grid) if grid.shards == 1 else packed(reference, start, grid)
            arrays |= {f"{name} {part}": array for part, array in parts.items()}
            seconds[name] = time.perf_counter() - begin
        names.append(name)
        piece, case, operation = output.slice, output.case, output.operation
        asked.append({
            "operation": case.operation, "implementation": case.implementation, "mode": case.mode, "order": output.order,
            "options": dict(operation.options), "arrays": [a.name for a in operation.arguments], "moving": list(piece.moving),
            "fixed": dict(piece.fixed), "row": list(piece.row), "rows": operation.has_rows, "arity": piece.arity,
            "shape": operation.shape, "expected": name, "law": asdict(reference.law()),
        })  # fmt: skip
    header = {
        "do": "sweep", "dtype": fmt.name, "start": start, "stop": start + grid.shard, "chunk": grid.chunk, "outputs": asked,
        "keep": grid.inputs == 1 << 16, "reference": [seconds[name] / names.count(name) for name in names],
    }  # fmt: skip
    return Request(header, arrays)


@lru_cache(maxsize=512)
def _packed_whole(reference: Reference, grid: Grid) -> dict[str, NDArray[Any]]:
    """The expected results of a whole format of 16 bits, which every implementation is compared with."""
    return packed(reference, 0, grid)


def packed(reference: Reference, start: int, grid: Grid) -> dict[str, NDArray[Any]]:
    """The expected results of a shard's chunks as arrays: kinds, patterns, digests of lines, and the dense ones stacked."""
    found = list(chunks(reference, start, start + grid.shard, grid.chunk))
    kind = pattern_type(reference.fmt)
    dense = [e.dense for e in found if e.kind == DENSE]
    return {
        "kinds": np.array([e.kind for e in found], dtype=np.uint8),
        "patterns": np.array([e.pattern for e in found], dtype=np.uint32),
        "digests": np.frombuffer(b"".join(e.digest for e in found), dtype=np.uint8).reshape(len(found), -1),
        "dense": np.stack(dense) if dense else np.zeros((0, grid.chunk), dtype=kind),  # type: ignore[arg-type]
    }


_SETTINGS = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}
"""A shard runs on one core; the others have shards of their own. What the user has set stays."""

_running: dict[str, Process] = {}
_described: dict[str, dict[str, Any]] = {}


def _stay_on_one_core() -> None:
    """Gives the framework's process a core: worker k of a local cluster the k-th that this process may use."""
    from distributed import get_worker

    try:
        name = get_worker().name
    except ValueError:
        return
    if isinstance(name, int) and hasattr(os, "sched_getaffinity"):
        cores = machine.cores()
        os.environ[machine.CORE] = str(cores[name % len(cores)])


def _process(backend: str, device: str) -> Process:
    """The framework's process on this machine; one at a time, since each takes hundreds of megabytes."""
    key = f"{backend}-{device}"
    if key not in _running:
        close()
        os.environ.update({**_SETTINGS, **os.environ, **MEMORY})  # dask's own setting, handed on, asks for the contrary
        _stay_on_one_core()
        _running[key] = Process(backend, device, False, TIME_LIMIT)
    return _running[key]


def close() -> None:
    """Ends the framework's process."""
    for process in _running.values():
        with contextlib.suppress(OSError):
            process.close()
    _running.clear()


atexit.register(close)


VERSION = 2
"""Of what :func:`run` returns."""

_one_at_a_time = threading.Lock()


def run(task: Mapping[str, Any]) -> dict[str, Any]:
    """Computes a shard: ``{"outputs": [...], "shard": k}`` of one backend, device and dtype.

    The threads of a worker take turns: there is one framework's process.

    Returns:
        ``outputs``: for each its tally and seconds, or ``{"error": ...}``, or ``{"absent": ...}``; ``facts`` of the framework's process,
        empty if the backend is absent or the process does not say; ``version``.
    """
    with _one_at_a_time:
        return {**_computed(task), "version": VERSION}


def _computed(task: Mapping[str, Any]) -> dict[str, Any]:
    outputs = [Output.from_json(o) for o in task["outputs"]]
    case, arity = outputs[0].case, outputs[0].slice.arity
    grid = Grid.of(FORMATS[case.dtype], arity)
    process = _process(case.backend, case.device)
    try:
        if process.name not in _described:
            _described[process.name] = process.submit(Request({"do": "describe"})).result()[0]
        described = _described[process.name]
    except Absent as error:
        return {"outputs": [{"absent": str(error)}] * len(outputs), "facts": {}}
    except WorkerError as error:
        return {"outputs": [{"error": str(error)}] * len(outputs), "facts": {}}
    missing = described["missing"]
    there = [o for o in outputs if f"{o.case.operation} {o.case.implementation}" not in missing]
    found = _evaluate(process, there, grid, task["shard"])
    absent = {o: {"absent": missing[f"{o.case.operation} {o.case.implementation}"]} for o in outputs if o not in there}
    found |= absent
    return {"outputs": [found[o] for o in outputs], "facts": described["facts"]}


def _evaluate(process: Process, outputs: list[Output], grid: Grid, shard: int) -> dict[Output, dict[str, Any]]:
    """All outputs in one request; if the process dies of that, one by one, so that only the culprit is lost."""
    if not outputs:
        return {}
    asked = request(outputs, grid, shard)
    try:
        found = answers(process.submit(asked).result())
    except (Absent, StartError) as error:
        # It has been there, and does not start again after a death: the next shard tries with a new one.
        close()
        return {output: {"error": str(error)} for output in outputs}
    except WorkerError as error:
        if len(outputs) == 1:
            return {outputs[0]: {"error": str(error)}}
        return {o: answer for output in outputs for o, answer in _evaluate(process, [output], grid, shard).items()}
    return {o: {**answer, "reference": s} for o, answer, s in zip(outputs, found, asked.header["reference"], strict=True)}


def answers(message: wire.Message) -> list[dict[str, Any]]:
    """What a worker has answered, one entry for each output; kept results become text."""
    header, arrays = message
    found: list[dict[str, Any]] = header["outputs"]
    for name, patterns in arrays.items():
        text = base64.b64encode(zlib.compress(patterns.astype("<u2").tobytes(), 1)).decode()
        found[int(name.removeprefix("results "))]["results"] = text
    return found


def kept_results(text: str) -> NDArray[np.uint16]:
    """The bit patterns of all results, from what :func:`answers` made of them."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype="<u2")


def grouped(outputs: Iterable[Output]) -> dict[str, list[Output]]:
    """Outputs by the names of their groups."""
    groups: dict[str, list[Output]] = {}
    for output in outputs:
        groups.setdefault(group(output), []).append(output)
    return groups


def tasks(
    groups: Mapping[str, list[Output]], done: Collection[tuple[str, int]], part: tuple[int, int] | None = None
) -> list[dict[str, Any]]:
    """The shards still to be computed, backend by backend; ``done`` holds (name of the group, number of the shard).

    ``part`` leaves only the shards from the one number up to the other.
    """
    found = []
    for name, members in groups.items():
        plain = [o.to_json() for o in members]
        found += [{"group": name, "shard": k, "outputs": plain} for k in numbers(members[0], part) if (name, k) not in done]
    return found


def numbers(output: Output, part: tuple[int, int] | None) -> range:
    """The shards of an output, or those of them that ``part`` leaves."""
    grid = Grid.of(FORMATS[output.case.dtype], output.slice.arity)
    return range(grid.shards)[slice(*part)] if part else range(grid.shards)


def partial(output: Output, part: tuple[int, int] | None) -> bool:
    """Whether ``part`` leaves out any of an output's shards."""
    return numbers(output, part) != numbers(output, None)


def group(output: Output) -> str:
    """Outputs of the same group are computed together."""
    pairs = ", pairs" if output.slice.arity > 1 else ""
    return f"{output.case.backend}, {output.case.dtype}, {output.case.device}{pairs}"
