"""A framework's process and the suite's side of it, with NumPy for a framework: answers, errors, deaths, absences."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite import wire
from suite.backends import backends
from suite.batch import PLAIN, Batch, Form
from suite.cases import PROFILES
from suite.floats import FORMATS
from suite.model import Case
from suite.processes import MEMORY, START_LIMIT, STARTS, URGENT, Absent, Process, Processes, Request, StartError, WorkerError
from suite.session import Session
from suite.shards import Grid, Output, request
from suite.worker import Worker

SOFTMAX = {
    "operation": "softmax", "implementation": "scipy.special.softmax", "mode": "eager", "dtype": "float32", "arrays": ["x"],
    "positional": 1, "options": {}, "question": "value", "wrt": [], "view": "", "dtypes": {}, "blocks": 1,
}  # fmt: skip
ELEMENTWISE = [("sigmoid", "scipy.special.expit"), ("exp", "numpy.exp")]
ROWS = {"x": np.array([[[0.0, 1.0, 2.0], [3.0, 3.0, 3.0]]])}


@pytest.fixture(scope="module")
def shared() -> Iterator[Processes]:
    """Workers for the tests that leave them whole."""
    running = Processes(time_limit=60.0)
    yield running
    running.close()


@pytest.fixture
def own() -> Iterator[Processes]:
    """Workers for a test that breaks them."""
    running = Processes(time_limit=60.0)
    yield running
    running.close()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: Processes) -> Any:
    """Puts a module that behaves badly at import in JAX's place, for the workers alone; returns the workers."""

    def install(source: str) -> Processes:
        (tmp_path / "jax.py").write_text(source, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return own

    return install


def ask(processes: Processes, **header: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Evaluates a softmax, with what the header changes."""
    request = Request({"do": "evaluate", **SOFTMAX, **header}, ROWS)
    return processes.process("numpy").submit(request).result(60)[1]


def hang(process: Process) -> Any:
    """Keeps the worker busy for hours; returns what will become of the request."""
    process.submit(Request({"do": "prepare", **SOFTMAX}, ROWS)).result(60)
    return process.submit(Request({"do": "loop", "count": 10**12}), URGENT)


def evaluate(processes: Processes, operation: str, name: str, dtype: str, batch: Batch) -> np.ndarray[Any, Any]:
    """Values by way of a session, as the checks get them."""
    session = Session(processes, PROFILES["quick"], 0, 1)
    return session.evaluate(Case(operation, "numpy", name, "eager", dtype), batch)["value"]


def same_bits(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Equality of representations: zeros keep their signs."""
    return a.shape == b.shape and a.astype(np.float64).tobytes() == b.astype(np.float64).tobytes()


@pytest.mark.parametrize(("dtype", "integer"), [("float16", np.uint16), ("float32", np.uint32), ("float64", np.uint64)])
def test_numbers_come_back_bit_for_bit(shared: Processes, dtype: str, integer: type) -> None:
    """Through tensors and pipes: subnormals, the largest number, infinity; and as the same call in this process."""
    top = int(np.array(np.inf, dtype).view(integer))
    x = np.linspace(1, top, 512).astype(integer).view(dtype).astype(np.float64).reshape(2, 256)
    batch = Batch("bits", {"x": x})
    assert same_bits(evaluate(shared, "relu", "numpy.maximum(x, 0)", dtype, batch), x)
    with np.errstate(all="ignore"):
        assert same_bits(evaluate(shared, "exp", "numpy.exp", dtype, batch), np.exp(x.astype(dtype)))


def test_messages_keep_every_bit_and_shape() -> None:
    """The protocol by itself: NaN, −0, integers, masks, empty arrays and scalars."""
    read, write = os.pipe()
    arrays = {"a": np.array([np.nan, -0.0, 5e-324]), "k": np.arange(3), "m": np.array([[True], [False]]), "s": np.array(2.5)}
    arrays["none"] = np.zeros((0, 4))
    with os.fdopen(write, "wb") as sink, os.fdopen(read, "rb") as source:
        wire.send(sink, {"do": "something", "ä": [1, None]}, arrays)
        header, got = wire.receive(source)
    assert header == {"do": "something", "ä": [1, None]}
    assert {n: (a.shape, a.dtype, a.tobytes()) for n, a in got.items()} == {n: (a.shape, a.dtype, a.tobytes()) for n, a in arrays.items()}


def test_a_closed_pipe_is_an_end() -> None:
    """Not a message of nothing."""
    read, write = os.pipe()
    os.close(write)
    with os.fdopen(read, "rb") as source, pytest.raises(EOFError):
        wire.receive(source)


def test_another_axis_is_the_same_rows(shared: Processes) -> None:
    """Along axis 0 the worker sees the transposed block; the results come back in the batch's layout."""
    plain, along = (Batch("rows", ROWS, form) for form in (PLAIN, Form("axis 0", "na")))
    name = "scipy.special.softmax"
    results = [evaluate(shared, "softmax", name, "float32", batch) for batch in (plain, along)]
    assert results[0].shape == (1, 2, 3)
    assert np.array_equal(results[0], results[1])


def test_the_framework_says_what_it_is(shared: Processes) -> None:
    """Versions and settings; nothing is missing from the NumPy and SciPy of the day."""
    described = shared.describe("numpy")
    assert described["facts"]["numpy"] == np.__version__
    assert {"python", "scipy", "devices", "numpy cpu features"} <= set(described["facts"])
    assert described["facts"]["flushes eager float32"] == "nothing"
    assert described["missing"] == {}


def test_an_error_is_the_frameworks_own(shared: Processes) -> None:
    """Its type and text; the worker goes on."""
    with pytest.raises(WorkerError, match="AxisError: axis 5 is out of bounds"):
        ask(shared, options={"axis": 5})
    with pytest.raises(WorkerError, match="KeyError"):
        ask(shared, implementation="numpy.nonsense")
    assert ask(shared)["value"].shape == (1, 2, 3)


def test_an_announced_request_is_asked_once(shared: Processes) -> None:
    """The same key gives the same future, and its answer to whoever waits."""
    process, request = shared.process("numpy"), Request({"do": "evaluate", **SOFTMAX}, ROWS)
    first = shared.announce("key", process, request)
    assert shared.announce("key", process, request) is first
    assert shared.answer("key", process, request) is first.result(60)


def test_a_killed_worker_fails_its_request_alone(own: Processes) -> None:
    """The signal is named; the next request finds a new worker."""
    process = own.process("numpy")
    waiting = hang(process)
    assert process._process is not None  # noqa: SLF001 - a test of what happens inside
    os.kill(process._process.pid, signal.SIGKILL)  # noqa: SLF001 - a test of what happens inside
    with pytest.raises(WorkerError, match="the numpy-cpu process died with signal 9"):
        waiting.result(60)
    assert ask(own)["value"].shape == (1, 2, 3)


def test_a_hanging_worker_is_stopped(own: Processes) -> None:
    """At the time limit, which the message gives; the next request finds a new worker."""
    process = own.process("numpy")
    own.describe("numpy")
    process._limit = 1.0  # noqa: SLF001 - a test of what happens inside
    with pytest.raises(WorkerError, match="no answer within 1 s and was stopped"):
        hang(process).result(60)
    process._limit = 60.0  # noqa: SLF001 - a test of what happens inside
    assert ask(own)["value"].shape == (1, 2, 3)


def test_closing_ends_the_thread_and_cancels_what_waits() -> None:
    """Nobody waits for ever."""
    before = threading.active_count()
    process = Process("numpy", "cpu", False, 60.0)
    hang(process)
    late = process.submit(Request({"do": "describe"}))
    process.close()
    assert late.cancelled()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ImportError('libcuda.so.1 is missing', name='jax')", "ImportError: libcuda.so.1 is missing"),
        ("raise RuntimeError('made for another NumPy')", "fails at import: RuntimeError: made for another NumPy"),
        ("print('a banner on standard output'); raise ModuleNotFoundError('no jaxlib')", "ModuleNotFoundError: no jaxlib"),
    ],
)
def test_a_broken_framework_is_absent_with_its_reason(fake: Any, source: str, reason: str) -> None:
    """However it breaks, and at every request."""
    processes = fake(source)
    for _ in range(2):
        with pytest.raises(Absent, match=reason):
            processes.process("jax").submit(Request({"do": "describe"})).result(60)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("os._exit(3)", "the jax-cpu process died with exit status 3 while starting"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", r"died with signal 11 \(SIGSEGV\) while starting\nFatal Python error"),
    ],
)
def test_a_framework_that_dies_at_import_is_an_error(fake: Any, tmp_path: Path, source: str, reason: str) -> None:
    """It is there, and broken. Each request is told so, and a few starts are all that is spent on it."""
    starts = tmp_path / "starts"
    processes = fake(f"import os, signal\nopen({str(starts)!r}, 'a').write('x')\n{source}")
    for _ in range(2):
        with pytest.raises(StartError, match=reason):
            processes.process("jax").submit(Request({"do": "describe"})).result(60)
    assert starts.read_text(encoding="utf-8") == "x" * STARTS


def test_a_start_that_is_killed_by_chance_is_made_up_for(fake: Any, tmp_path: Path) -> None:
    """As where memory ran out for a moment: the next one decides."""
    first = str(tmp_path / "first")
    source = f"import os, signal\nif not os.path.exists({first!r}):\n    open({first!r}, 'w')\n    os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(Absent, match="this is what is in its place"):
        fake(f"{source}\nraise ImportError('this is what is in its place')").describe("jax")


def test_a_start_that_hangs_is_not_tried_again(fake: Any, tmp_path: Path) -> None:
    """It has a limit of its own, which is no shorter than an answer's."""
    starts = tmp_path / "starts"
    fake(f"import time\nopen({str(starts)!r}, 'a').write('x')\ntime.sleep(10_000)")
    assert Process("numpy", "cpu", False, 5.0)._start_limit == START_LIMIT  # noqa: SLF001 - a test of what happens inside
    process = Process("jax", "cpu", False, 0.5, start_limit=2.0)
    with pytest.raises(StartError, match="gave no answer within 2 s and was stopped while starting"):
        process.submit(Request({"do": "describe"})).result(60)
    process.close()
    assert starts.read_text(encoding="utf-8") == "x"


def test_an_absent_framework_leaves_the_others_alone(fake: Any) -> None:
    """They answer as before."""
    processes = fake("raise ImportError")
    with pytest.raises(Absent):
        processes.describe("jax")
    assert ask(processes)["value"].shape == (1, 2, 3)


def test_a_device_that_is_not_there_is_absent() -> None:
    """With the reason."""
    processes = Processes("gpu", 60.0)
    with pytest.raises(Absent, match="NumPy has no gpu"):
        processes.describe("numpy")
    processes.close()


def test_an_output_that_raises_leaves_the_others_of_its_sweep_alone() -> None:
    """It is answered by its error."""
    worker = Worker(backends()["numpy"], "cpu")
    outputs = [Output(Case(operation, "numpy", name, "eager", "float16")) for operation, name in ELEMENTWISE]
    key = ELEMENTWISE[0]
    worker.implementations[key] = replace(worker.implementations[key], function=lambda _: 1 / 0)
    asked = request(outputs, Grid.of(FORMATS["float16"], 1), 0)
    answer, kept = worker.sweep(dict(asked.header), asked.arrays)
    assert answer["outputs"][0] == {"error": "ZeroDivisionError: division by zero"}
    assert sum(answer["outputs"][1]["histogram"]) == answer["outputs"][1]["counts"]["judged"]
    assert list(kept) == ["results 1"]


@pytest.mark.parametrize("piece", [0, 1])
def test_rows_of_a_sweep_are_those_that_its_numbers_stand_for(piece: int) -> None:
    """[x, 0] by the number of x, and pairs with the first one's number before the second one's."""
    key, fmt = ("softmax", "scipy.special.softmax"), FORMATS["float16"]
    worker, output = Worker(backends()["numpy"], "cpu"), Output(Case("softmax", "numpy", key[1], "eager", "float16"), piece)
    start, count = (0x3C3C3C00 if piece else 0x3C00), 1 << 9
    seen: list[Any] = []

    def itself(x: Any) -> Any:
        seen.append(x)
        return x

    worker.implementations[key] = replace(worker.implementations[key], function=itself)
    (asked,) = request([output], Grid(1 << 32, count, count) if piece else Grid(1 << 16, 1 << 16, 1 << 15), 0).header["outputs"]
    got = worker._every_input(fmt, count, asked)(start)  # noqa: SLF001 - what sweep() asks for each chunk
    first, *second = output.reference.numbers(np.arange(start, start + count))
    rows = np.stack([first, *(second or [np.zeros(count)])], axis=-1)
    assert np.array_equal(np.concatenate(seen), rows.astype(np.float16), equal_nan=True)
    assert max(map(np.size, seen)) == count
    assert np.array_equal(got, first.astype(np.float16).view(np.uint16))


def test_what_is_expected_is_shared_only_where_it_is_the_same() -> None:
    """σ is a value of one function and a derivative of another: the same numbers, but at infinity a derivative is not judged."""
    grid = Grid.of(FORMATS["float32"], 1)
    value = Output(Case("sigmoid", "numpy", "scipy.special.expit", "eager", "float32"))
    slope = Output(Case("softplus", "jax", "jax.nn.softplus", "jit", "float32"), 0, 1)
    for shard, shared in ((126, True), (254, True), (255, False), (511, False)):
        together = request([value, slope], grid, shard)
        names = [asked["expected"] for asked in together.header["outputs"]]
        assert (names[0] == names[1]) == shared
        for output, name in zip((value, slope), names, strict=True):
            alone = request([output], grid, shard)
            for part in ("kinds", "patterns", "digests", "dense"):
                mine = alone.arrays[f"{alone.header['outputs'][0]['expected']} {part}"]
                assert np.array_equal(together.arrays[f"{name} {part}"], mine)


def test_results_of_another_dtype_are_not_compared() -> None:
    """They are no numbers of the format; which dtype came out is said."""
    worker = Worker(backends()["numpy"], "cpu")
    (operation, name), *_ = ELEMENTWISE
    worker.implementations[operation, name] = replace(worker.implementations[operation, name], function=lambda x: x.astype(np.float32))
    asked = request([Output(Case(operation, "numpy", name, "eager", "float16"))], Grid.of(FORMATS["float16"], 1), 0)
    answer, kept = worker.sweep(dict(asked.header), asked.arrays)
    assert answer["outputs"] == [{"absent": f"{name} returned float32 for float16"}]
    assert not kept


def test_filled_tensors_keep_integers_apart() -> None:
    """1 and 1.0 are equal, as keys of a cache too."""
    worker = Worker(backends()["numpy"], "cpu")
    assert [worker.filled("float32", (2,), one).dtype for one in (1.0, 1, 1.0)] == [np.float32, np.int32, np.float32]


def test_closing_ends_what_is_being_started() -> None:
    """However early it comes: no process is left, and whoever waits is told."""
    for _ in range(5):
        process = Process("numpy", "cpu", x64=False, time_limit=60.0)
        waiting = process.submit(Request({"do": "describe"}))
        process.close()
        assert waiting.cancelled() or waiting.exception() is not None
        started = process._process  # noqa: SLF001 - whether it is gone shows nowhere else
        assert started is None or started.poll() is not None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot keep a process on one core")
def test_a_process_to_be_timed_has_one_core_from_its_start(own: Processes, tmp_path: Path) -> None:
    """Also for its threads, until it is moved to another; it keeps its memory. The suite itself keeps its cores."""
    before = os.sched_getaffinity(0)
    first, last = min(before), max(before)
    own.steady(first, str(tmp_path))
    own.describe("numpy")
    process = own.process("numpy")
    pid = process._process.pid  # type: ignore[union-attr]  # noqa: SLF001 - a test of what happens inside
    assert set(MEMORY) <= {line.partition("=")[0] for line in Path(f"/proc/{pid}/environ").read_text().split("\0")}
    for core in (first, last):
        process.pin(core)
        assert {tuple(os.sched_getaffinity(int(t.name))) for t in Path(f"/proc/{pid}/task").iterdir()} == {(core,)}
    assert os.sched_getaffinity(0) == before


def test_only_what_a_framework_compiles_is_kept() -> None:
    """JAX alone has a cache that outlives its process, in the directory that is named."""
    kept = {name: backend.kept("somewhere") for name, backend in backends().items()}
    assert {name for name, variables in kept.items() if "somewhere" in variables.values()} == {"jax", "keras-jax"}
