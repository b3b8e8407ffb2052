"""Timing a cell: the loop runs in the framework's process, pytest-benchmark decides how often and keeps the statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from typing import Any

import numpy as np

from suite import workloads
from suite.backends import backends
from suite.cases import all_cases, canonical
from suite.model import Record
from suite.operations import operations
from suite.processes import Process, Request
from suite.session import request_header
from suite.workloads import WORKLOADS, Cell


def cells(device: str, everything: bool) -> Iterator[Cell]:
    """Every cell, or the representative part: canonical implementations, float32, one workload each."""
    for case in all_cases(device):
        operation, backend = operations()[case.operation], backends()[case.backend]
        first = canonical(case.backend, case.operation)
        if not everything and (case.dtype != "float32" or first is None or first.name != case.implementation):
            continue
        for workload in WORKLOADS:
            if not workload.fits(operation) or not (everything or workload.representative):
                continue
            yield Cell(case, "forward", workload)
            if backend.has_gradient and operation.gradient:
                yield Cell(case, "gradient", workload)


def request(cell: Cell) -> Request:
    """What the worker prepares: forward, or value and gradient with a cotangent of ones."""
    case = cell.case
    operation = operations()[case.operation]
    arrays: dict[str, Any] = workloads.inputs(operation, cell.workload, case.dtype)
    positional = [a.name for a in operation.arguments]
    wrt = [positional.index(n) for n in operation.differentiable] if cell.what == "gradient" else []
    if wrt:
        first = arrays[positional[0]]
        arrays["cotangent"] = np.ones(first.shape[:2] if operation.shape == "scalar" else first.shape)
    header = request_header("prepare", case, positional, len(positional), operation.options, wrt, 1, "gradient" if wrt else "value")
    return Request(header, arrays)


class RemoteLoop:
    """Stands in for pytest-benchmark's own loop: the rounds that the fixture asks for are run and timed by the worker.

    The fixture builds its runner from ``_make_runner``; that method is replaced on the one fixture object, so that calibration,
    rounds, statistics, storage and comparison stay pytest-benchmark's. ``suite/meta`` tests that the method is there.
    """

    def __init__(self, process: Process) -> None:
        self._process = process

    def seconds(self, count: int) -> float:
        """Time of ``count`` calls of the prepared function."""
        header, _ = self._process.submit(Request({"do": "loop", "count": count})).result()
        return float(header["seconds"])

    def make_runner(self, _function: Callable[..., Any], _args: Any, _kwargs: Any) -> Callable[..., Any]:
        """What the fixture calls with a range of iterations, or with None for a single call whose result it wants as well."""

        def runner(loops: Sized | None, _timer: Any = None) -> Any:
            return self.seconds(len(loops)) if loops else (self.seconds(1), None)

        return runner


def run(cell: Cell, process: Process, fixture: Any) -> float:
    """Prepares, warms and times the cell; returns the seconds of its first call."""
    first = float(process.submit(request(cell)).result()[0]["first call"])
    loop = RemoteLoop(process)
    loop.seconds(2)
    fixture.group = f"{cell.case.operation} {cell.what} {cell.workload.name}"
    fixture.extra_info.update(first_call=first, elements=cell.workload.elements)
    fixture._make_runner = loop.make_runner  # noqa: SLF001 - the one place where pytest-benchmark's loop can be replaced
    fixture(lambda: loop.seconds(1))
    return first


def record(cell: Cell, fixture: Any, first: float, environment: str) -> Record | None:
    """The record of a timed cell; None where pytest-benchmark was switched off."""
    if fixture.stats is None:
        return None
    stats = fixture.stats.stats
    extra = {
        "workload": cell.workload.name, "elements": float(cell.workload.elements), "rounds": float(stats.rounds),
        "iterations": float(fixture.stats.iterations), "min": stats.min, "mean": stats.mean,
        "stddev": stats.stddev if stats.rounds > 1 else 0.0,
        "first call (s)": first, "ns per element": stats.median / cell.workload.elements * 1e9,
    }  # fmt: skip
    return Record(cell.case, cell.what, "benchmark", "median time (s)", "grade", value=stats.median, extra=extra, environment=environment)


def failed(cell: Cell, message: str) -> Record:
    """The record of a cell that could not be timed."""
    return Record(cell.case, cell.what, "benchmark", "median time (s)", "error", message=message, extra={"workload": cell.workload.name})
