"""What may become of a framework's process: it is stopped, its end is told with what it was at, and nothing is asked for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite import cluster, machine, watch
from suite.commandline import positive
from suite.processes import Process, Processes, Request, WorkerError, python_path

EVALUATE = {
    "do": "evaluate", "operation": "sigmoid", "implementation": "f", "mode": "eager", "dtype": "float32", "question": "value",
    "options": {}, "blocks": 1,
}  # fmt: skip


@pytest.fixture
def processes() -> Iterator[Processes]:
    """With little memory."""
    made = Processes(time_limit=60.0, memory_limit=1 << 29)
    yield made
    made.close()


def lost(process: Process, function: str) -> str:
    """What is said of a process that runs this."""
    with pytest.raises(WorkerError) as caught:
        process.submit(Request({"do": "experiment", "module": "suite.meta.faulty", "function": function})).result(120)
    return str(caught.value)


@pytest.mark.parametrize(
    ("function", "text", "where"),
    [
        ("abort", "died with signal 6 (SIGABRT), at suite.meta.faulty\nFatal Python error: Aborted\n", "in aborts"),
        ("crash", "died with signal 11 (SIGSEGV), at suite.meta.faulty\nFatal Python error: Segmentation fault\n", "in reads_nowhere"),
    ],
)
def test_a_death_is_told_with_its_place(processes: Processes, function: str, text: str, where: str) -> None:
    """The signal by its name, what was asked for, the lines of the function that it died in; and the next request is answered."""
    told = lost(processes.process("numpy"), function)
    assert text in told
    assert where in told
    assert processes.describe("numpy")["facts"]


def test_a_death_is_told_with_its_own_last_words(processes: Processes) -> None:
    """Not with those of an earlier one."""
    assert "in reads_nowhere" in lost(processes.process("numpy"), "crash")
    assert lost(processes.process("numpy"), "leave") == "the numpy-cpu process died with exit status 3, at suite.meta.faulty"


def test_a_hang_ends_where_core_files_cannot_be_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux alone can limit another process."""
    monkeypatch.delattr("resource.prlimit", raising=False)
    sleeping = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(10_000)"])
    guard = watch.Guard(sleeping, 0.0, 1 << 40)
    assert sleeping.wait(60) == -signal.SIGABRT
    guard.cancel()
    assert guard.hung


@pytest.mark.parametrize("place", [0, 1], ids=["start", "answer"])
def test_a_process_that_is_stopped_as_it_answers_harms_nobody(processes: Processes, monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    """The answer counts, or the start is made up for; the next request is asked of another process."""
    called_off: list[watch.Guard] = []

    class Late(watch.Guard):
        """One that looks again when it is called off."""

        def cancel(self) -> None:
            super().cancel()
            called_off.extend([] if self in called_off else [self])
            if called_off.index(self) == place:
                self.reason = "was stopped"
                self._process.kill()

    monkeypatch.setattr(watch, "Guard", Late)
    assert processes.describe("numpy")["facts"]
    assert processes.process("numpy").submit(Request({"do": "describe"})).result(60)[0]["facts"]


def test_a_process_that_hangs_says_where(processes: Processes) -> None:
    """By its function's line."""
    processes.describe("numpy")
    process = processes.process("numpy")
    process._limit = 1.0  # noqa: SLF001 - the start may take longer
    told = lost(process, "hang")
    assert "gave no answer within 1 s and was stopped, at suite.meta.faulty\n" in told
    assert "in hangs" in told
    assert "Fatal" not in told


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell how much memory a process holds")
def test_a_process_that_takes_too_much_memory_is_stopped(processes: Processes) -> None:
    """With the limit in the message; the next request is answered."""
    assert "took more than 0.5 GiB of memory and was stopped, at suite.meta.faulty" in lost(processes.process("numpy"), "eat")
    assert processes.describe("numpy")["facts"]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell how much memory a process holds")
def test_memory_that_others_have_left_is_not_held_against_a_request(processes: Processes) -> None:
    """It is asked once more, of a new process; none of them is at fault."""
    process, seen = processes.process("numpy"), set[int]()
    request = Request({"do": "experiment", "module": "suite.meta.faulty", "function": "hoard"})
    while len(seen) < 3:
        assert "x" in process.submit(request).result(120)[1]
        assert process._process is not None  # noqa: SLF001 - a test of what happens inside
        seen.add(process._process.pid)  # noqa: SLF001 - a test of what happens inside


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="Linux alone chooses a process by a score")
def test_where_memory_runs_out_the_framework_goes_first(processes: Processes) -> None:
    """Not the suite, which has to tell of it; and SIGKILL is explained."""
    processes.describe("numpy")
    process = processes.process("numpy")._process  # noqa: SLF001 - a test of what happens inside
    assert process is not None
    own, theirs = (int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in ("self", process.pid))
    assert theirs == max(own, 500)
    assert watch.how_it_ended(-signal.SIGKILL) == "died with signal 9 (SIGKILL, as where memory runs out)"


def test_what_is_lost_again_and_again_is_given_up() -> None:
    """A way to ask after two deaths or one hang; its case after four, in whatever form; the implementation after eight."""
    losses = watch.Losses()
    losses.note(EVALUATE, "died", stopped=False)
    assert not losses.refusal(EVALUATE)
    losses.note(EVALUATE | {"blocks": 7}, "died", stopped=False)
    assert losses.refusal(EVALUATE) == "not asked again: died"
    other, of_another_mode, of_another = ({**EVALUATE, **c} for c in ({"question": "gradient"}, {"mode": "jit"}, {"implementation": "g"}))
    assert not losses.refusal(other)
    losses.note({**EVALUATE, "options": {"axis": 0}}, "hung", stopped=True)
    assert losses.refusal(other) == "not asked again: hung"
    assert not losses.refusal(of_another_mode)
    losses.note({**EVALUATE, "dtype": "float16"}, "hung", stopped=True)
    losses.note({**EVALUATE, "dtype": "float16", "question": "gradient"}, "hung", stopped=True)
    assert losses.refusal(of_another_mode)
    assert not losses.refusal(of_another)


def test_requests_that_name_no_implementation_are_always_asked() -> None:
    """A loop that hangs says nothing of the next one, which is of another function."""
    losses = watch.Losses()
    for _ in range(9):
        losses.note({"do": "loop", "count": 1}, "hung", stopped=True)
    assert not losses.refusal({"do": "loop", "count": 1})


def test_the_memory_that_there_is_is_what_may_be_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the machine's and the control groups' limits the least; xdist's workers, and a sweep's, share the default."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < machine.memory() <= whole
    (tmp_path / "memory.max").write_text("8589934592\n", encoding="ascii")
    monkeypatch.setattr(machine, "_GROUPS", tmp_path)
    assert machine.memory() == min(whole, 8 << 30)
    monkeypatch.setattr(machine, "memory", lambda: 64 << 30)
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)
    assert watch.default_memory() == watch.bytes_of(None) == 32 << 30
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "4")
    assert watch.default_memory() == 8 << 30
    assert watch.bytes_of(0.5) == 1 << 29
    with cluster.connect("", 2) as client:  # 2 of a sweep's own
        assert client.submit(os.environ.get, watch.SHARES).result() == "2"
    monkeypatch.setenv(watch.SHARES, "2")
    assert watch.default_memory() == 16 << 30


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "much"])
def test_a_limit_is_a_number_above_0(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(Exception, match=f"'{text}' is not a number above 0"):
        positive(text)


STARTS = """
import os, signal
from suite.processes import Processes, Request
processes = Processes()
processes.describe("numpy")
processes.process("numpy").submit(Request({"do": "experiment", "module": "suite.meta.faulty", "function": "hang"}))
print(processes.process("numpy")._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def alone(script: Path) -> list[int]:
    """The numbers that a script prints."""
    environment = {**os.environ, "PYTHONPATH": python_path()}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return [int(word) for word in done.stdout.split()]


def gone(stat: Path, seconds: float = 30.0) -> bool:
    """Whether a process ends: it is not there any more, or nobody has yet asked how it ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if stat.read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked for in /proc")
def test_a_process_ends_with_whoever_has_started_it(tmp_path: Path) -> None:
    """However that ends: a framework that is at work for hours is not left behind."""
    script = tmp_path / "starts.py"
    script.write_text(STARTS, encoding="utf-8")
    (pid,) = alone(script)
    watched = Path(f"/proc/{pid}/stat")
    assert gone(watched)
