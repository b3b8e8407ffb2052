"""Runs that go wrong, as a user sees them: what is told, what is kept, and how they end."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reports.merge import read
from suite import compare, sweep
from suite.commandline import UNUSABLE
from suite.records import ReportDirectoryError, Writer

ROOT = Path(__file__).resolve().parent.parent.parent
FAULTY = Path(__file__).with_name("faulty.py")
FULL = Path("/dev/full")
ONE = ("--backend=numpy", "--operation=sigmoid", "--dtype=float32", "-k", "value_within_bound")

Done = subprocess.CompletedProcess[str]


def plain_environment() -> dict[str, str]:
    """Variables without those of the pytest that runs these tests."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "LOGITBENCH_"))}


def suite(*arguments: str, cwd: Path = ROOT, cache: bool = False, **variables: str) -> Done:
    """``pytest`` of the suite, as a user runs it."""
    environment = plain_environment() | variables
    caching = [] if cache else ["-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *caching, "--color=no", "--hypothesis-seed=1", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=240)


def written(directory: Path, whole: bool = True) -> list[dict[str, Any]]:
    """The lines of all result files; of files that are still written to, those that are complete."""
    files = sorted((directory / "results").glob("*.jsonl"))
    lines = [line for path in files for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)]
    return [json.loads(line) for line in lines if whole or line.endswith("\n")]


TOLD = {"hangs": "no answer within 5 s", "aborts": "SIGABRT", "reads_nowhere": "SIGSEGV", "eats": "more than 0.5 GiB"}
"""What is said of the functions of ``suite.meta.faulty``."""


@pytest.mark.parametrize(("processes", "chosen"), [("0", list(TOLD)), ("2", ["aborts"])], ids=["alone", "xdist"])
def test_functions_that_take_their_process_with_them_are_named(tmp_path: Path, processes: str, chosen: list[str]) -> None:
    """One hangs, one aborts, one reads where no memory is, one takes all there is: each is an error of its own, and the rest is judged."""
    names = f"value_within_bound and ({' or '.join(['right', *chosen])})"
    limits = ("--time-limit=5", "--memory-limit=0.5")
    done = suite(f"--implementations={FAULTY}", "--dtype=float32", "-k", names, f"-n{processes}", f"--report={tmp_path}", *limits)
    assert done.returncode == 1, done.stdout + done.stderr
    found = {r["case"]["implementation"]: (r["status"], r["message"]) for r in written(tmp_path) if r["kind"] == "record"}
    assert found.pop("faulty.right")[0] == "pass"
    assert {name: status for name, (status, _) in found.items()} == {f"faulty.{name}": "error" for name in chosen}
    report = "".join(p.read_text(encoding="utf-8") for p in (tmp_path / "html").glob("findings*.html"))
    for name in chosen:
        assert TOLD[name] in found[f"faulty.{name}"][1]
        assert f"at the value of sigmoid-faulty.{name}-eager-float32" in done.stdout
        assert TOLD[name] in report


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell how much memory a process holds")
def test_a_framework_that_does_not_start_fails_the_run(tmp_path: Path) -> None:
    """For want of memory here: it is not absent, and its checks are errors on record, though nobody has asked for it by name."""
    done = suite(*ONE[1:], "-k", "value_within_bound and eager and scipy", "--memory-limit=0.02", f"--report={tmp_path}")
    assert done.returncode == 1, done.stdout + done.stderr
    records = [line for line in written(tmp_path) if line["kind"] == "record"]
    assert {record["status"] for record in records} == {"error"}
    assert all("took more than 0.02 GiB of memory and was stopped while starting" in record["message"] for record in records)
    assert "absent: " not in done.stdout


OPPOSITE = """
import numpy as np
from suite import implements

@implements("relu", backend="numpy")
def opposite(x):
    return np.where(x > 0, -x, x * 0)
"""


def test_results_of_the_wrong_sign_are_on_record(tmp_path: Path) -> None:
    """In float64 they are further off than a signed integer counts."""
    (tmp_path / "own.py").write_text(OPPOSITE, encoding="utf-8")
    chosen = (f"--implementations={tmp_path / 'own.py'}", "--dtype=float64", "-k", "value_within_bound")
    done = suite(*chosen, f"--report={tmp_path}")
    assert done.returncode == 1, done.stdout + done.stderr
    (record,) = (line for line in written(tmp_path) if line["kind"] == "record")
    assert record["status"] == "fail"
    assert max(entry[1] for entry in record["extra"]["sampled"]["value"]["profile"]) > 2.0**63


def test_a_clock_that_is_set_back_makes_no_time_negative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run begins in the future and ends in the past: what it took is not read off a clock; runs are in the order of their beginnings."""
    times = (datetime(year, 1, 1, tzinfo=UTC) for year in (2150, 2020, 2019))
    monkeypatch.setattr("suite.records.datetime", SimpleNamespace(now=lambda _zone: next(times)))
    for run in ("a", "b"):
        writer = Writer(tmp_path, run, "main")
        writer.begin("main", [], "quick", 0, 0)
        writer.end(0, 0)
        writer.close()
    assert all(line["seconds"] >= 0.0 for line in written(tmp_path) if line["kind"] == "end")
    assert [run.id for run in read([tmp_path / "results"]).runs] == ["b", "a"]


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
def test_a_line_that_cannot_be_written_ends_the_file_and_not_the_run(tmp_path: Path) -> None:
    """It is told once; what comes later is dropped, and nothing is raised."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a-main.jsonl").symlink_to(FULL)
    told: list[str] = []
    writer = Writer(tmp_path, "a", "main", told.append)
    for _ in range(3):
        writer.note("something")
    writer.end(0, 1)
    writer.close()
    assert told == [writer.lost]
    assert "a-main.jsonl: No space left on device" in writer.lost
    with pytest.raises(ReportDirectoryError, match="No space left on device"):
        writer.require()


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
def test_a_disk_that_is_full_at_the_start_is_said_at_once(tmp_path: Path) -> None:
    """Before anything is computed in vain: exit 4, the file and the reason, no traceback."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a-main.jsonl").symlink_to(FULL)
    done = suite(*ONE, f"--report={tmp_path}", LOGITBENCH_RUN="a")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "a-main.jsonl: No space left on device" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert " passed" not in done.stdout


@pytest.mark.parametrize(
    ("main", "arguments"),
    [
        (compare.main, ("--old", sys.executable, "--new", sys.executable, "--operation=relu")),
        (sweep.main, ("--operation=sigmoid", "--dtype=float32", "--jobs=1")),
        (sweep.main, ("--operation=sigmoid", "--dtype=float64")),
    ],
    ids=["comparison", "sweep", "search"],
)
def test_so_are_the_other_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], main: Any, arguments: tuple[str, ...]
) -> None:
    """A comparison, a sweep, a search: exit 4, and nothing but the first line was tried."""

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    assert main(["--backend=numpy", *arguments, f"--report={tmp_path}"], io.StringIO()) == UNUSABLE
    assert ".jsonl: No space left on device" in capsys.readouterr().err
    assert [line["kind"] for line in written(tmp_path)] == ["run"]


def test_a_report_that_cannot_be_written_leaves_the_verdicts(tmp_path: Path) -> None:
    """They are on the terminal, and on record; the exit code says that something is wrong, the message what, and what to do."""
    (tmp_path / "html").write_text("in the way", encoding="utf-8")
    done = suite(*ONE, f"--report={tmp_path}")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert f"no report: {tmp_path / 'html'}: File exists; elsewhere: python -m reports build {tmp_path}" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert written(tmp_path)[-1]["kind"] == "end"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what is under version control, in a directory with blanks and letters that ASCII lacks."""
    git = shutil.which("git")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False) if git else None
    if listed is None or listed.returncode:
        pytest.skip("what belongs to a checkout is known to git alone, which is not here or does not know this one")
    place = tmp_path / "x y" / "ünïcode"
    for name in filter(None, listed.stdout.split("\0")):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, place / name)
    shutil.copyfile(FAULTY, place / "ä b.py")
    return place


ELSEWHERE = {
    "PYTHONPATH": "", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii",
    "TZ": "Pacific/Kiritimati", "HOME": "/nonexistent", "USER": "",
}  # fmt: skip
"""A place where little is as usual."""


def test_two_runs_at_once_where_little_is_as_usual(checkout: Path) -> None:
    """A path that is no ASCII, a terminal that knows nothing else, no home, no cache: both are green, and one whole report is there."""
    command = ("--implementations=ä b.py", "--dtype=float32", "-k", "value_within_bound and right", "-o", "cache_dir=/dev/null/no")
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: suite(*command, cwd=checkout, cache=True, **ELSEWHERE), range(2)))
    for done in runs:
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
    ended = [line for line in written(checkout / "reports") if line["kind"] == "end"]
    assert len({line["run"] for line in ended}) == 2
    pages = "".join(p.read_text(encoding="utf-8") for p in (checkout / "reports" / "html").glob("*.html"))
    assert sum(line["run"] in pages for line in ended) == 1
    assert not list((checkout / "reports" / "html").glob(".unfinished*"))
