"""The sweeps' command, run as a user runs it: interrupted and resumed, on a cluster that loses workers, with a planted error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from suite import shards
from suite.ledger import Ledger, SweepError
from suite.meta.test_options import ROOT, USAGE_ERROR
from suite.sweep import planned, read

FIRST, LAST = 124, 148
SWEEP = ("--backend", "numpy", "--operation", "sigmoid", "--shards", f"{FIRST}:{LAST}")
PLANTED = 0x3F9E3779
"""The bit pattern of 1.236…, in shard 127."""

FAULT = f"""
import numpy as np
import scipy.special

right = scipy.special.expit

def expit(x):
    result = right(x)
    bits = result.view(np.uint32)
    here = x.view(np.uint32) == {PLANTED}
    bits[here] = np.float32(1 / (1 + np.exp(-x[here].astype(float)))).view(np.uint32) + np.uint32(2)
    return result

scipy.special.expit = expit
"""


TWO_SWEEPS = """
import json
from distributed import Client, LocalCluster
from suite import shards
from suite.cluster import results

shards.run = lambda task: {"of": task["of"]}
with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as local, Client(local) as client:
    sweeps = [results(client, [{"group": "jax", "shard": k, "of": name} for k in range(8)]) for name in ("one", "other")]
    print(json.dumps([[result["of"] for _, result in pair] for pair in zip(*sweeps, strict=True)]))
"""


def heed_interrupts() -> None:
    """A shell's background jobs are born deaf to Ctrl-C; the command under test is not to be."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    """The command in a process group of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")} | variables
    command = [sys.executable, "-m", "suite.sweep", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=heed_interrupts,  # noqa: PLW1509 - these tests run no threads
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and everything it has printed."""
    out, err = process.communicate(timeout=240)
    return process.returncode, out + err


def records(directory: Path) -> list[dict[str, Any]]:
    """The records of the one result file."""
    (path,) = (directory / "results").glob("*.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["kind"] == "record"]


def shards_done(directory: Path) -> int:
    """How many shards are on disk."""
    return sum(path.read_bytes().count(b'"kind": "shard"') for path in (directory / "sweeps").glob("*.jsonl"))


def wait_for_shards(directory: Path, more: int) -> None:
    """Returns when so many more shards are on disk than now."""
    wanted, deadline = shards_done(directory) + more, time.monotonic() + 120
    while shards_done(directory) < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@cache
def digest(directory: Path) -> str:
    """What an undisturbed sweep gives."""
    code, output = finish(start(*SWEEP, "--report", str(directory)))
    assert code == 0, output
    return str(records(directory)[0]["extra"]["digest"])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest to compare with."""
    return digest(tmp_path_factory.mktemp("undisturbed"))


def test_killed_twice_and_resumed_it_ends_in_the_same_digest(tmp_path: Path, undisturbed: str) -> None:
    """SIGKILL to everything that belongs to the run; at most the shards at work are lost, one for each process."""
    process = start(*SWEEP, "--jobs", "2", "--report", str(tmp_path))
    for _ in range(2):
        wait_for_shards(tmp_path, 3)
        before = shards_done(tmp_path)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert before <= shards_done(tmp_path) < LAST - FIRST
        process = start("--resume", "--jobs", "2", "--report", str(tmp_path))
    code, output = finish(process)
    assert code == 0, output
    (record,) = records(tmp_path)
    assert record["extra"]["digest"] == undisturbed
    assert shards_done(tmp_path) == LAST - FIRST


def begun(directory: Path, named: tuple[str, ...] = ()) -> Ledger:
    """A sweep of which nothing has been computed."""
    ledger = Ledger.begin(directory, planned(read([*SWEEP])), (FIRST, LAST), named)
    ledger.open()
    return ledger


def answer(output: dict[str, Any] | None = None, facts: dict[str, str] | None = None, version: int = shards.VERSION) -> dict[str, Any]:
    """What a worker returns for a shard of one output."""
    return {"outputs": [output or {"digest": ""}], "facts": facts or {}, "version": version}


def test_a_shard_that_ended_in_an_error_is_tried_again(tmp_path: Path) -> None:
    """The others are not."""
    ledger = begun(tmp_path)
    failed, done, *_ = ledger.tasks()
    ledger.keep(failed, answer({"error": "RuntimeError: once"}))
    ledger.keep(done, answer())
    left = [task["shard"] for task in Ledger.resume(tmp_path).tasks()]
    assert left == [failed["shard"], *range(FIRST + 2, LAST)]


def test_a_line_that_was_cut_off_is_computed_again(tmp_path: Path) -> None:
    """As a process leaves it that is killed while it writes; what comes next begins a line of its own."""
    ledger = begun(tmp_path)
    one, other, *_ = ledger.tasks()
    for task in (one, other):
        ledger.keep(task, answer())
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole[:-20])
    resumed = Ledger.resume(tmp_path)
    assert [task["shard"] for task in resumed.tasks()] == list(range(FIRST + 1, LAST))
    resumed.keep(other, answer())
    assert ledger.path.read_bytes() == whole


HERE = {"numpy": "1", "cpu": "A"}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (answer(facts={**HERE, "numpy": "2"}), "numpy .'1' there, '2' here"),
        (answer(facts={**HERE, "cpu": "B"}), "computed elsewhere"),
        (answer({"absent": "ModuleNotFoundError"}), "'yes' here"),
        (answer(facts=HERE, version=1), "another version"),
    ],
)
def test_shards_of_unlike_workers_are_not_mixed(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    """Neither while they are computed nor when they are read; one that has failed says nothing of where."""
    ledger = begun(tmp_path)
    one, other, third, *_ = ledger.tasks()
    ledger.keep(one, answer(facts=HERE))
    ledger.keep(other, answer({"error": "RuntimeError: once"}))
    with pytest.raises(SweepError, match=words):
        ledger.keep(third, changed)
    assert shards_done(tmp_path) == 2
    with ledger.path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"kind": "shard", "group": third["group"], "shard": third["shard"], **changed}) + "\n")
    with pytest.raises(SweepError, match=words):
        Ledger.resume(tmp_path)


def test_a_resumed_sweep_knows_who_was_asked_for(tmp_path: Path) -> None:
    """By name, so that its absence is a failure then too."""
    assert begun(tmp_path, ("jax", "numpy")).named == Ledger.resume(tmp_path).named == ("jax", "numpy")


def test_interrupted_it_keeps_what_it_has_and_says_so(tmp_path: Path) -> None:
    """Ctrl-C, which a terminal sends to all of its processes: exit 2, a result file without an end, the way to go on, no traceback."""
    process = start(*SWEEP, "--jobs", "1", "--report", str(tmp_path))
    wait_for_shards(tmp_path, 2)
    os.killpg(process.pid, signal.SIGINT)
    code, output = finish(process)
    assert code == 2, output
    assert "--resume" in output
    assert "Traceback" not in output
    (path,) = (tmp_path / "results").glob("*.jsonl")
    assert '"kind": "end"' not in path.read_text(encoding="utf-8")


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A Dask scheduler and two workers, each a process of its own, on loopback."""
    place = tmp_path / "scheduler.json"
    quiet: dict[str, Any] = {"cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    module = [sys.executable, "-m"]
    options = ["--scheduler-file", str(place), "--no-dashboard"]
    processes = [subprocess.Popen([*module, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *options], **quiet)]
    worker = [*module, "distributed.cli.dask_worker", *options, "--nthreads", "1", "--no-nanny"]
    processes += [subprocess.Popen(worker, **quiet) for _ in range(2)]
    deadline = time.monotonic() + 60
    while not place.exists() or not place.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield json.loads(place.read_text(encoding="utf-8"))["address"], processes[1:]
    for process in processes:
        process.kill()
        process.wait()


def test_a_worker_of_a_cluster_that_dies_is_survived(
    tmp_path: Path, undisturbed: str, scheduler: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    """Its shard is computed by the other one, and the digest is the same."""
    address, workers = scheduler
    process = start(*SWEEP, "--dask", address, "--report", str(tmp_path))
    wait_for_shards(tmp_path, 4)
    workers[0].kill()
    code, output = finish(process)
    assert code == 0, output
    (record,) = records(tmp_path)
    assert record["extra"]["digest"] == undisturbed


def test_a_planted_error_of_two_units_is_found(tmp_path: Path, undisturbed: str) -> None:
    """At a single input: the record names it, and the digest is another."""
    (tmp_path / "sitecustomize.py").write_text(FAULT, encoding="utf-8")
    code, output = finish(start(*SWEEP, "--report", str(tmp_path), PYTHONPATH=str(tmp_path)))
    assert code == 0, output
    (record,) = records(tmp_path)
    extra = record["extra"]
    assert (record["value"], record["worst"]) == (2.0, {"x": "0x1.3c6ef20000000p+0"})
    assert extra["histogram"][2] == 1
    assert extra["digest"] != undisturbed


def test_a_backend_asked_for_by_name_has_to_be_there(tmp_path: Path) -> None:
    """Exit 1 and the reason; the others go on."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['jax'] = None\n", encoding="utf-8")
    options = ("--operation", "sigmoid", "--only", "value", "--shards", "126:127", "--report", str(tmp_path))
    code, output = finish(start("--backend", "jax,numpy", *options, PYTHONPATH=str(tmp_path)))
    assert code == 1, output
    assert "absent: jax: ModuleNotFoundError" in output
    assert [record["case"]["backend"] for record in records(tmp_path)] == ["numpy"]


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_a_backend_that_dies_at_import_is_an_error(tmp_path: Path, dtype: str) -> None:
    """In a search as in a sweep: exit 1, and a record that says how it died."""
    (tmp_path / "jax.py").write_text("import os\nos._exit(3)\n", encoding="utf-8")
    options = ("--operation", "sigmoid", "--only", "value", "--dtype", dtype, "--report", str(tmp_path))
    code, output = finish(start("--backend", "jax:eager", *options, PYTHONPATH=str(tmp_path)))
    assert code == 1, output
    (record,) = records(tmp_path)
    assert record["status"] == "error"
    assert "process died with exit status 3 while starting" in record["message"]


def test_two_sweeps_on_one_cluster_keep_apart() -> None:
    """Shards of the same name, of two commands at a time."""
    done = subprocess.run([sys.executable, "-c", TWO_SWEEPS], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(done.stdout) == [["one", "other"]] * 8


def test_threads_of_a_worker_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one process of a framework, and none is closed under another's request."""
    inside: list[int] = []
    most: list[int] = []

    def computed(task: dict[str, Any]) -> dict[str, Any]:
        inside.append(task["shard"])
        most.append(len(inside))
        time.sleep(0.01)
        inside.remove(task["shard"])
        return {"outputs": [], "facts": {"numpy": "1"}}

    monkeypatch.setattr(shards, "_computed", computed)
    with ThreadPoolExecutor(4) as pool:
        assert all(result["version"] == shards.VERSION for result in pool.map(shards.run, [{"shard": k} for k in range(8)]))
    assert max(most) == 1


def test_options_that_are_repeated_add_up() -> None:
    """Once each; a backend without a mode means all that are swept of it."""
    one = planned(read(["--operation", "sigmoid", "--dtype", "float32,float16", "--backend", "jax"]))
    repeated = ["--operation", "sigmoid,sigmoid", "--dtype", "float32", "--dtype", "float16,float32", "--backend", "jax:jit,jax"]
    assert {output.id for output in planned(read(repeated))} == {output.id for output in one}
    assert len(planned(read(repeated))) == len(one)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--operation", "sigmoids"), "log_sigmoid"),
        (("--backend", "jaxx"), "keras-jax"),
        (("--backend", "jax:graph"), "eager, jit"),
        (("--dtype", "float8"), "bfloat16"),
        (("--shards", "5:5"), "FIRST:LAST"),
        (("--pairs",), "float16,bfloat16"),
        (("--resume",), "no sweep"),
        (("--dtype", "float64,float32"), "alone"),
        (("--backend", "numpy", "--dtype", "bfloat16"), "nothing to sweep"),
        (("--dtype", "float64", "--only", "second derivative"), "nothing to sweep"),
        (("--dtype", "float32,float16", "--shards", "8:16"), "16 is too large; float16 has 1"),
        (("--dtype", "float64", "--write-elementary"), "alone"),
        (("--seed", "1"), "float64"),
        (("--jobs", "2", "--dask", "tcp://127.0.0.1:9"), "leave it out"),
        (("--operation", "exp", "--shards", "0:4", "--write-elementary"), "leave out --shards"),
        (("--resume", "--operation", "exp", "--all-implementations"), "leave out --operation, --all-implementations"),
        (("--jobs", "0"), "1 or more"),
        (("--dask", "tcp://127.0.0.1:9"), "no scheduler answers"),
    ],
)
def test_unusable_options_are_refused(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    """With the option's name, and what is allowed; nothing is left behind that could be resumed in place of an earlier sweep."""
    code, output = finish(start(*arguments, "--report", str(tmp_path)))
    assert code == USAGE_ERROR
    assert words in output
    assert "Traceback" not in output
    assert not any(tmp_path.iterdir())


def test_a_sweep_of_another_version_is_not_resumed(tmp_path: Path) -> None:
    """Its shards may lack what is counted now."""
    ledger = begun(tmp_path)
    ledger.path.write_text(ledger.path.read_text(encoding="utf-8").replace(f'"version": {shards.VERSION}, ', ""), encoding="utf-8")
    with pytest.raises(SweepError, match="another version"):
        Ledger.resume(tmp_path)


def test_a_foreign_file_is_not_resumed(tmp_path: Path) -> None:
    """It is named."""
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "x.jsonl").write_text("[]\n", encoding="utf-8")
    code, output = finish(start("--resume", "--report", str(tmp_path)))
    assert code == USAGE_ERROR
    assert "x.jsonl" in output
