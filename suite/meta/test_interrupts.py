"""Ctrl-C and SIGTERM: when they stop at once, when they wait, when they ask in vain; and what is left of a run that they stop."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from suite import ending, interrupts
from suite.meta.test_faults import FAULTY, ROOT, plain_environment, written


def send(*signals: signal.Signals) -> None:
    """To this process, whose handlers run before this returns."""
    for one in signals:
        os.kill(os.getpid(), one)
        time.sleep(0)


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Both signals as a terminal has them: a background job's tests would be born deaf to Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler), signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, before[0])
    signal.signal(signal.SIGTERM, before[1])


@pytest.mark.parametrize("first", interrupts.STOPPING)
def test_both_signals_interrupt_once(monkeypatch: pytest.MonkeyPatch, first: signal.Signals) -> None:
    """Impatience does not disturb whoever deals with the first. Afterwards all is as before."""
    monkeypatch.setattr(interrupts, "PATIENCE", 3600.0)
    before = [signal.getsignal(s) for s in interrupts.STOPPING]
    with interrupts.caught():
        with pytest.raises(KeyboardInterrupt):
            send(first)
        send(*interrupts.STOPPING)
        assert interrupts.cause() == first.name
    assert [signal.getsignal(s) for s in interrupts.STOPPING] == before


def test_one_that_comes_much_later_interrupts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """If something has swallowed the first, nobody has to kill the run."""
    monkeypatch.setattr(interrupts, "PATIENCE", 0.0)
    with interrupts.caught():
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                send(signal.SIGINT)


def test_who_is_deaf_stays_deaf() -> None:
    """As under nohup, and as a shell's background jobs are born; another handler is left too."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with interrupts.caught():
            send(signal.SIGTERM)
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        assert not interrupts.cause()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_between_the_phases_of_a_test_it_waits() -> None:
    """For the next part that may be interrupted, or for the end of the block."""
    with interrupts.caught(), interrupts.deferred():
        with interrupts.at_once():
            pass
        send(signal.SIGINT)
        assert interrupts.cause() == "SIGINT"
        with pytest.raises(KeyboardInterrupt), interrupts.at_once():
            pytest.fail("this would begin what is to end")


def test_while_results_are_kept_it_asks_in_vain(capfd: pytest.CaptureFixture[str]) -> None:
    """But for a report: the first is answered, the second ends it."""
    with interrupts.caught():
        interrupts.finish()
        send(signal.SIGINT, signal.SIGTERM)
        with interrupts.droppable():
            send(signal.SIGINT)
            assert "once more, and there will be none" in capfd.readouterr().err
            with pytest.raises(KeyboardInterrupt):
                send(signal.SIGINT)
        assert interrupts.again()


def test_a_report_that_is_given_up_says_how_it_can_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the command that builds it, of results in a directory with blanks too."""

    def interrupted(*_: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("reports.html.build", interrupted)
    page, reason = ending.report([tmp_path / "a b.jsonl"], tmp_path)
    assert page is None
    assert f"python -m reports build '{tmp_path / 'a b.jsonl'}' --output {tmp_path / 'html'}" in reason


@contextlib.contextmanager
def heeding() -> Iterator[None]:
    """A shell's background jobs are born deaf to Ctrl-C; what is started here is not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def alive(mark: str) -> list[str]:
    """Commands of the processes that have a word in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


def until(holds: Callable[[], bool], seconds: float = 120.0) -> bool:
    """Waits for a condition."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes that are left behind are looked for in /proc")
@pytest.mark.parametrize("processes", ["0", "2"], ids=["alone", "xdist"])
def test_a_run_that_is_stopped_keeps_what_it_has(tmp_path: Path, processes: str) -> None:
    """While a function hangs: exit 2, the record that there is, a report that calls itself incomplete, no traceback, no process."""
    mark, names = uuid.uuid4().hex, "value_within_bound and (right or hangs)"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"-n{processes}", f"--implementations={FAULTY}", "-k", names]
    with heeding():
        run = subprocess.Popen(
            [*command, "--dtype=float32", f"--report={tmp_path}"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**plain_environment(), "MARK": mark}, start_new_session=True,
        )  # fmt: skip
    assert until(lambda: any(line["kind"] == "record" for line in written(tmp_path, whole=False)))
    os.killpg(run.pid, signal.SIGTERM)
    os.killpg(run.pid, signal.SIGINT)
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 2, said
    assert "stopped by SIG" in said
    assert "Traceback" not in said
    assert "INTERNALERROR" not in said
    assert [r["case"]["implementation"] for r in written(tmp_path) if r["kind"] == "record"] == ["faulty.right"]
    assert "verdict incomplete" in (tmp_path / "html" / "index.html").read_text(encoding="utf-8")
    assert until(lambda: not alive(mark)), alive(mark)
