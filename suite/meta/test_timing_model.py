"""What stands beside a time: the memory floor, the memory taken, the accuracy of what was timed, several prepared cells."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite import floor, memory, sampled, timing, workloads
from suite.backends import backends
from suite.batch import Batch
from suite.checks.base import by_oracle
from suite.floats import FORMATS, round_to
from suite.model import Case
from suite.operations import operations
from suite.worker import Worker
from suite.workloads import WORKLOADS, Cell

MEGA = 1_000_000
SIZES = {w.name: w for w in WORKLOADS}
ROOT = Path(__file__).resolve().parent.parent.parent


def cell(operation: str, workload: str, what: str = "forward", dtype: str = "float32") -> Cell:
    """A cell of an implementation that need not exist."""
    return Cell(Case(operation, "numpy", "numpy.exp" if operation == "exp" else "f", "eager", dtype), what, SIZES[workload])


@pytest.fixture
def worker() -> Worker:
    """NumPy's, in this process."""
    return Worker(backends()["numpy"], "cpu")


@pytest.fixture
def counted() -> Callable[[Callable[[], Any]], int]:
    """``memory.taken``, where the system tells it."""
    try:
        memory.taken(lambda: None)
    except memory.NotCounted as error:
        pytest.skip(str(error))
    return memory.taken


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (cell("exp", "1e3"), 2 * 4_000),  # x, e^x
        (cell("exp", "1e3", dtype="bfloat16"), 2 * 2_000),
        (cell("exp", "1e3", "gradient"), 4 * 4_000),  # x, cotangent, e^x, gradient
        (cell("logaddexp", "1e3", "gradient", "float64"), 6 * 8_000),
        (cell("softmax", "128x10", "gradient"), 4 * 5_120),
        (cell("sparse_softmax_cross_entropy_with_logits", "128x10"), 5_120 + 2 * 512),  # logits, classes as int32, a loss for each row
        (cell("sparse_softmax_cross_entropy_with_logits", "128x10", "gradient"), 2 * 5_120 + 3 * 512),
        (cell("masked_mean", "128x10"), 5_120 + 1_280 + 512),  # a mask's entry is a byte
    ],
    ids=lambda value: value.id if isinstance(value, Cell) else str(value),
)
def test_the_least_bytes_are_inputs_and_results_once(asked: Cell, wanted: int) -> None:
    """In the dtypes that the worker gives them."""
    assert floor.least_bytes(operations()[asked.case.operation], timing.request(asked)) == wanted


def test_bandwidth_is_bytes_over_the_median_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock on which every second look is later by one second: eight megabytes, read and written, in one."""
    ticks = itertools.count()
    monkeypatch.setattr("suite.floor.time.perf_counter", lambda: float(next(ticks)))
    copied: list[int] = []
    monkeypatch.setattr("suite.floor.np.copyto", lambda target, source: copied.append(target.nbytes + source.nbytes))
    assert floor._measured.__wrapped__(1 << 20) == 1 << 23  # noqa: SLF001 - without what it remembers
    assert sum(copied) == 2 * 16 * (1 << 23)


@pytest.mark.parametrize(("footprint", "measured"), [(1, 1 << 16), (70_000, 1 << 16), (8 * MEGA, 1 << 23)])
def test_bandwidth_is_measured_at_the_cells_own_size(monkeypatch: pytest.MonkeyPatch, footprint: int, measured: int) -> None:
    """To a power of two, and not below what a call of NumPy's costs."""
    monkeypatch.setattr(floor, "_measured", float)
    assert floor.copy_bandwidth(footprint) == measured


def test_memory_that_is_mapped_is_counted(counted: Callable[[Callable[[], Any]], int]) -> None:
    """A result of 64 MB, and one that needs two more arrays on the way."""
    x = np.zeros(8 * MEGA)
    assert 63 * MEGA < counted(lambda: np.exp(x)) < 72 * MEGA
    assert 190 * MEGA < counted(lambda: [np.exp(x), np.exp(x), np.exp(x)][0].sum()) < 200 * MEGA
    assert counted(lambda: None) < 2 * MEGA


def test_memory_that_was_kept_is_counted(counted: Callable[[Callable[[], Any]], int]) -> None:
    """An allocator that gives out again what it has: nothing grows, and yet 64 MB are taken.

    Less by a huge page or two (2 MiB each) where the system puts such pages together meanwhile: a copy is this process's own already.
    """
    x, kept = np.zeros(8 * MEGA), np.ones(8 * MEGA)
    assert 59 * MEGA < counted(lambda: np.exp(x, out=kept)) < 72 * MEGA


def test_counting_leaves_no_process_behind(counted: Callable[[Callable[[], Any]], int]) -> None:
    """Nor after a call that raises, whose error is its own."""
    before = set(children())
    with pytest.raises(ZeroDivisionError):
        counted(lambda: 1 / 0)
    assert set(children()) == before


def children() -> list[str]:
    """Processes that this one has started and not waited for."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()


def test_a_system_that_does_not_tell_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, worker: Worker) -> None:
    """Without /proc, with the reason, and the timing stands."""
    monkeypatch.setattr(memory, "_PROCESS", tmp_path / "none")
    asked = timing.request(cell("exp", "1e3"))
    worker.prepare(dict(asked.header), asked.arrays)
    answer, _ = worker.memory({}, {})
    assert answer["bytes"] is None
    assert "memory is not counted here" in answer["reason"]


def test_slots_keep_prepared_cells_apart(worker: Worker) -> None:
    """Each gives its own results, in any order; one that was not prepared is an error that names it."""
    sizes = {"a": cell("exp", "1e2"), "b": cell("exp", "1e3")}
    for slot, each in sizes.items():
        asked = timing.request(each)
        worker.prepare({**asked.header, "slot": slot}, asked.arrays)
    for slot, each in reversed(sizes.items()):
        header = {**timing.request(each).header, "slot": slot}
        found = worker.results(header, {"places": np.array([0, each.workload.elements - 1])})[1]["value"]
        assert np.array_equal(found, np.exp(timing.request(each).arrays["x"][0, [0, -1]].astype(np.float32)).astype(np.float64))
        assert worker.loop({"count": 2, "slot": slot}, {})[0]["seconds"] > 0.0
    with pytest.raises(RuntimeError, match="nothing has been prepared as c"):
        worker.loop({"count": 1, "slot": "c"}, {})


def exact(asked: Cell) -> dict[str, np.ndarray[Any, Any]]:
    """The correctly rounded results of a cell's sample."""
    fmt, question = FORMATS[asked.case.dtype], "gradient" if asked.what == "gradient" else "value"
    arrays = {n: a[:, sampled.places(asked)] for n, a in timing.request(asked).arrays.items()}
    found = by_oracle(operations()[asked.case.operation], Batch("sample", arrays), question)  # type: ignore[arg-type]
    return {name: round_to(fmt, e.high, e.low) for name, e in found.items()}


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("asked", ["softmax", "logaddexp", "sparse_softmax_cross_entropy_with_logits"])
@pytest.mark.parametrize("what", ["forward", "gradient"])
def test_correctly_rounded_results_are_half_an_ulp_off_at_most(asked: str, what: str, dtype: str) -> None:
    """Values and gradients, of numbers and rows, in any dtype."""
    each = cell(asked, "1e2" if asked == "logaddexp" else "128x10", what, dtype)
    found = sampled.accuracy(each, timing.request(each), exact(each))
    assert 0.0 < found["max ulp"] <= 0.5
    assert found["correctly rounded"] == 1.0


@pytest.mark.parametrize(("factor", "ulps"), [(1 + 2.0**-20, 4), (np.nan, np.inf), (0.0, 1 << 22)])
def test_one_wrong_result_is_the_largest_error(factor: float, ulps: float) -> None:
    """Something that is not a number where there is one is infinitely wrong; the last element is looked at."""
    each = cell("exp", "1e6")
    results = exact(each)
    results["value"][-1] *= factor
    found = sampled.accuracy(each, timing.request(each), results)
    assert ulps <= found["max ulp"] <= 4 * ulps
    assert sampled.places(each)[[0, -1]].tolist() == [0, MEGA - 1]


def test_zeros_say_nothing_of_relative_accuracy() -> None:
    """relu's are left out."""
    each = cell("relu", "1e3")
    results = exact(each)
    found = sampled.accuracy(each, timing.request(each), results)
    assert found["results compared"] == np.count_nonzero(results["value"])


def test_the_softmaxs_gradient_is_not_zero() -> None:
    """As it would be with a cotangent of ones."""
    each = cell("softmax", "128x10", "gradient")
    assert np.all(exact(each)["d x"] != 0.0)
    weights = workloads.cotangent(operations()["softmax"], each.workload)
    assert weights.sum(axis=-1).tolist() == [[1.0] * 128]


def test_everything_stands_in_pytest_benchmarks_file(tmp_path: Path) -> None:
    """``--benchmark-json`` has what a record has, and the record the same numbers."""
    file = tmp_path / "found.json"
    options = ("--backend", "numpy", "--operation", "relu", "--dtype", "float32", f"--report={tmp_path}", f"--benchmark-json={file}")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-m", "benchmark", *options]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    benchmarks = {b["extra_info"]["workload"]: b["extra_info"] for b in json.loads(file.read_text(encoding="utf-8"))["benchmarks"]}
    lines = [json.loads(line) for line in next((tmp_path / "results").glob("*.jsonl")).read_text(encoding="utf-8").splitlines()]
    records = {r["extra"]["workload"]: r["extra"] for r in lines if r["kind"] == "record"}
    assert set(benchmarks) == set(records) == {w.name for w in WORKLOADS if len(w.shape) == 1}
    for name, facts in benchmarks.items():
        assert facts.items() <= records[name].items()
        assert facts["bytes per s"] * facts["times the memory floor"] == pytest.approx(facts["copy bandwidth (bytes per s)"])
        assert (facts["max ulp"], facts["bytes"]) == (0.0, 8 * facts["elements"])
        assert {"first call (s)", "peak extra memory (bytes)", "ns per element", "row length", "mean ulp"} <= set(facts)
