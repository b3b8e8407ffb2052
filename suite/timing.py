"""Timing a cell: the loop runs in the framework's process, pytest-benchmark decides how often and keeps the statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from functools import lru_cache
from typing import Any

from numpy.typing import NDArray

from suite import floor, sampled, workloads
from suite.backends import backends
from suite.cases import all_cases, canonical
from suite.model import Case, Record
from suite.operations import operations
from suite.processes import Process, Request
from suite.session import request_header
from suite.workloads import WORKLOADS, Cell, Workload

SCALED = ("sigmoid", "softmax")
"""Operations whose forward pass a short run times at further sizes, so that it too shows how time grows with size."""


def cells(device: str, everything: bool) -> Iterator[Cell]:
    """Every cell, or the representative part: canonical implementations, float32, one workload each, and those that show scaling."""
    for case in all_cases(device):
        first = canonical(case.backend, case.operation)
        if everything or (case.dtype == "float32" and first is not None and first.name == case.implementation):
            yield from cells_of(case, everything)


def cells_of(case: Case, everything: bool = False) -> Iterator[Cell]:
    """The cells of a case, or their representative part."""
    operation, backend = operations()[case.operation], backends()[case.backend]
    for workload in filter(lambda w: w.fits(operation), WORKLOADS):
        short = everything or workload.representative
        if short or (workload.scaling and operation.name in SCALED):
            yield Cell(case, "forward", workload)
        if short and backend.has_gradient and operation.gradient:
            yield Cell(case, "gradient", workload)


def request(cell: Cell) -> Request:
    """What the worker prepares: forward, or value and gradient."""
    case = cell.case
    operation = operations()[case.operation]
    arrays = dict(_inputs(case.operation, cell.workload, case.dtype))
    positional = list(arrays)
    wrt = [positional.index(n) for n in operation.differentiable] if cell.what == "gradient" else []
    if wrt:
        arrays["cotangent"] = workloads.cotangent(operation, cell.workload)
    header = request_header("prepare", case, positional, len(positional), operation.options, wrt, 1, "gradient" if wrt else "value")
    return Request(header, arrays)


@lru_cache(maxsize=32)
def _inputs(operation: str, workload: Workload, dtype: str) -> Mapping[str, NDArray[Any]]:
    """The same for all implementations and modes, and from launch to launch."""
    return workloads.inputs(operations()[operation], workload, dtype)


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
    """Prepares, warms and times the cell; returns the seconds of its first call.

    What else is measured of it goes into the fixture's ``extra_info``, and thereby into pytest-benchmark's files.
    """
    try:
        return _run(cell, process, fixture)
    except BaseException:
        fixture.skipped = True  # or pytest-benchmark would complain, as of a test of its own, that it has not been used
        raise


def _run(cell: Cell, process: Process, fixture: Any) -> float:
    asked = request(cell)
    first = float(process.submit(asked).result()[0]["first call"])
    loop = RemoteLoop(process)
    loop.seconds(2)
    fixture.group = f"{cell.case.operation} {cell.what} {cell.workload.name}"
    fixture._make_runner = loop.make_runner  # noqa: SLF001 - the one place where pytest-benchmark's loop can be replaced
    fixture(lambda: loop.seconds(1))
    fixture.extra_info.update(_size(cell), **{"first call (s)": first})
    if fixture.stats is not None:
        median = fixture.stats.stats.median
        fixture.extra_info["ns per element"] = median / cell.workload.elements * 1e9
        fixture.extra_info.update(_distance(cell, asked, median), **_peak(cell, process), **_accuracy(cell, asked, process))
    return first


def _size(cell: Cell) -> dict[str, Any]:
    """The workload: its name, its numbers, and how many of them make a row, 0 where there are no rows."""
    _, *row = cell.workload.shape
    return {"workload": cell.workload.name, "elements": cell.workload.elements, "row length": row[0] if row else 0}


def _distance(cell: Cell, asked: Request, median: float) -> dict[str, float]:
    """How far from the memory floor; that of the processor's memory alone is known."""
    moved = floor.least_bytes(operations()[cell.case.operation], asked)
    found = {"bytes": moved, "bytes per s": moved / median}
    if cell.case.device != "cpu":
        return found
    bandwidth = floor.copy_bandwidth(moved)
    return {**found, "copy bandwidth (bytes per s)": bandwidth, "times the memory floor": median * bandwidth / moved}


def _peak(cell: Cell, process: Process) -> dict[str, Any]:
    """Memory that a call takes, its result included."""
    if cell.case.device != "cpu":
        return {"peak extra memory (bytes)": None, "memory not known": f"the {cell.case.device}'s own memory is not counted"}
    answer, _ = process.submit(Request({"do": "memory"})).result()
    return {"peak extra memory (bytes)": answer["bytes"], **({"memory not known": answer["reason"]} if "reason" in answer else {})}


def _accuracy(cell: Cell, asked: Request, process: Process) -> dict[str, float]:
    """Errors of what the timed function returns."""
    wanted = Request({**asked.header, "do": "results"}, {"places": sampled.places(cell)})
    return sampled.accuracy(cell, asked, process.submit(wanted).result()[1])


def record(cell: Cell, fixture: Any, environment: str) -> Record | None:
    """The record of a timed cell; None where pytest-benchmark was switched off."""
    if fixture.stats is None:
        return None
    stats = fixture.stats.stats
    extra = {
        "rounds": float(stats.rounds), "iterations": float(fixture.stats.iterations), "min": stats.min, "mean": stats.mean,
        "stddev": stats.stddev if stats.rounds > 1 else 0.0, **fixture.extra_info,
    }  # fmt: skip
    return Record(cell.case, cell.what, "benchmark", "median time (s)", "grade", value=stats.median, extra=extra, environment=environment)


def failed(cell: Cell, message: str) -> Record:
    """The record of a cell that could not be timed."""
    return Record(cell.case, cell.what, "benchmark", "median time (s)", "error", message=message, extra={"workload": cell.workload.name})
