"""Timing: pytest-benchmark's seam, the loop in its place, the workloads' inputs, the cells of a run."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from suite import timing, wire, workloads
from suite.backends import backends
from suite.cases import all_cases
from suite.floats import FORMATS, is_representable
from suite.model import Case
from suite.operations import operations
from suite.processes import Process, Processes, Request
from suite.timing import RemoteLoop
from suite.workloads import WORKLOADS, Cell, Workload

Runner = Callable[..., Any]

INTEGERS = {"index": np.int64, "mask": np.bool_}
"""Kinds of the arguments that are not real numbers, by role."""


class Clockwork:
    """A worker whose calls take a quarter of a second each, by its own account; it remembers what it was asked."""

    def __init__(self) -> None:
        self.counts: list[int] = []

    def submit(self, request: Request) -> Future[wire.Message]:
        """Answers at once."""
        assert request.header["do"] == "loop"
        self.counts.append(request.header["count"])
        answer: Future[wire.Message] = Future()
        answer.set_result(({"seconds": request.header["count"] / 4}, {}))
        return answer


@pytest.fixture
def clockwork() -> Clockwork:
    """A worker that needs no process."""
    return Clockwork()


@pytest.fixture(scope="module")
def worker() -> Iterator[Process]:
    """NumPy's own."""
    running = Processes(time_limit=60.0)
    yield running.process("numpy")
    running.close()


def runner_of(process: Any, function: Callable[..., Any] = list) -> Runner:
    """What takes the place of pytest-benchmark's runner."""
    return RemoteLoop(cast("Process", process)).make_runner(function, (), {})


def theirs(function: Callable[..., Any]) -> Runner:
    """The runner that pytest-benchmark itself makes."""
    fixture = SimpleNamespace(_timer=time.perf_counter, _disable_gc=False)
    made: Runner = vars(BenchmarkFixture)["_make_runner"](fixture, function, (), {})
    return made


def test_the_method_that_is_replaced_is_there() -> None:
    """Of the name and the signature that ``suite.timing`` relies on, and called by whatever times a function."""
    method = vars(BenchmarkFixture)["_make_runner"]
    assert list(inspect.signature(method).parameters) == ["self", "function_to_benchmark", "args", "kwargs"]
    assert "self._make_runner(function_to_benchmark, args, kwargs)" in inspect.getsource(vars(BenchmarkFixture)["_raw"])


def test_the_runner_is_called_as_pytest_benchmark_calls_its_own() -> None:
    """With a range, or with None; a parameter more has a default."""
    own = inspect.signature(theirs(list)).parameters.values()
    ours = inspect.signature(runner_of(Clockwork())).parameters.values()
    required = [[p.name for p in ps if p.default is p.empty] for ps in (own, ours)]
    assert [len(names) for names in required] == [1, 1]
    assert len(own) == len(ours)


def test_both_runners_give_the_same_kinds_of_answers(clockwork: Clockwork) -> None:
    """A duration for a range; a duration and a result for None."""
    for runner in (theirs(list), runner_of(clockwork)):
        assert isinstance(runner(range(3)), float)
        duration, _ = runner(None)
        assert isinstance(duration, float)


def test_the_worker_runs_and_times_the_rounds(clockwork: Clockwork) -> None:
    """As many calls as the range is long, none in this process; None stands for one."""
    runner = runner_of(clockwork, lambda: pytest.fail("called in this process"))
    assert runner(range(3)) == 0.75
    assert runner(range(1000)) == 250.0
    assert runner(None) == (0.25, None)
    assert clockwork.counts == [3, 1000, 1]


def test_a_cell_is_prepared_and_timed_in_its_process(worker: Process) -> None:
    """The first call takes a time of its own; a thousand calls take longer than one."""
    cell = Cell(Case("sigmoid", "numpy", "scipy.special.expit", "eager", "float32"), "forward", WORKLOADS[0])
    assert worker.submit(timing.request(cell)).result(60)[0]["first call"] > 0.0
    runner = runner_of(worker)
    assert 0.0 < min(runner(range(1)) for _ in range(5)) < runner(range(1000))


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda w: w.name)
@pytest.mark.parametrize("dtype", FORMATS)
def test_inputs_are_representable_and_of_the_right_shapes(workload: Workload, dtype: str) -> None:
    """For every operation that takes the workload: one block, numbers of the dtype, classes within the row."""
    for operation in (o for o in operations().values() if workload.fits(o)):
        made = workloads.inputs(operation, workload, dtype)
        assert list(made) == [a.name for a in operation.arguments]
        for argument in operation.arguments:
            whole = argument.rows or len(workload.shape) == 1
            assert made[argument.name].shape == (1, *(workload.shape if whole else workload.shape[:1]))
            assert_fit(made[argument.name], argument.role, dtype, workload.shape[-1])


def assert_fit(array: np.ndarray[Any, Any], role: str, dtype: str, classes: int) -> None:
    """The kind that the role asks for; finite numbers of the dtype, or classes that there are."""
    assert array.dtype == INTEGERS.get(role, np.float64)
    if role == "index":
        assert array.min() >= 0
        assert array.max() < classes
    elif role != "mask":
        assert np.isfinite(array).all()
        assert is_representable(FORMATS[dtype], array).all()


@pytest.mark.parametrize("operation", operations())
def test_every_operation_has_a_workload_in_the_short_run(operation: str) -> None:
    """Otherwise a report would lack its time."""
    assert any(w.representative and w.fits(operations()[operation]) for w in WORKLOADS)


def test_workloads_are_told_apart_by_name() -> None:
    """A name occurs once, and is fit for a test's id."""
    names = [w.name for w in WORKLOADS]
    assert len(set(names)) == len(names)
    assert not any("-" in name or " " in name for name in names)


def test_the_short_run_has_every_backend_forward_and_gradient() -> None:
    """At float32, gradients wherever there is autodiff, no cell twice."""
    found = list(timing.cells("cpu", everything=False))
    measured = {name: {c.what for c in found if c.case.backend == name} for name in backends()}
    assert measured == {n: {"forward", "gradient"} if b.has_gradient else {"forward"} for n, b in backends().items()}
    assert {c.case.dtype for c in found} == {"float32"}
    others = {(c.case.operation, c.what) for c in found if not c.workload.representative}
    assert others == {(operation, "forward") for operation in timing.SCALED}
    assert len({c.id for c in found}) == len(found)


@pytest.mark.parametrize("everything", [False, True])
def test_some_cells_show_how_time_grows(everything: bool) -> None:
    """Three sizes at least, of rows of one length; in a whole run of every case."""
    sizes: dict[Case, set[int]] = {}
    for cell in timing.cells("cpu", everything=everything):
        if cell.what == "forward" and cell.workload.shape[1:] in ((), (1000,)):
            sizes.setdefault(cell.case, set()).add(cell.workload.elements)
    grown = [case for case, found in sizes.items() if len(found) >= 3]
    assert {case.operation for case in grown} == (set(operations()) if everything else set(timing.SCALED))


def test_the_short_run_is_part_of_the_whole() -> None:
    """Which has every case."""
    whole = list(timing.cells("cpu", everything=True))
    assert {c.case for c in whole} == set(all_cases("cpu"))
    assert {c.id for c in timing.cells("cpu", everything=False)} < {c.id for c in whole}
    assert len({c.id for c in whole}) == len(whole)
