"""What one sees of a run on the terminal: failures that explain themselves, the summary at the end, progress, and nothing else."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from reports import progress
from reports.progress import Progress, style
from suite import terminal
from suite.meta.test_interrupts import until
from suite.meta.test_options import USAGE_ERROR, Done, suite

FAULTY = """
import numpy as np
from suite import implements

@implements("sigmoid", backend="numpy")
def naive(x):
    return np.minimum(1 / (1 + np.exp(-x)), np.float32(0.75))

@implements("sigmoid", backend="numpy")
def raises(x):
    raise ValueError("<script>alert(1)</script> & \\x1b[31m \\x00 ü")
"""
HEXADECIMAL = r"-?0x[01]\.[0-9a-f]+p[+-]\d+"


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    """A run in which one function returns wrong numbers and another raises, and where its files are."""
    place = tmp_path_factory.mktemp("red")
    (place / "faulty.py").write_text(FAULTY, encoding="utf-8")
    given = (f"--implementations={place / 'faulty.py'}", "--dtype", "float32", "--hypothesis-seed=7")
    return suite(*given, f"--report={place}", f"--junitxml={place / 'junit.xml'}"), place


def failures(done: Done) -> dict[str, str]:
    """What is told of each failure, by the name in its heading."""
    told = done.stdout.partition("= FAILURES =")[2].partition("= short test summary")[0]
    found = re.split(r"^_+ (test_.*?\]) _+$", told, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def test_a_failure_says_what_where_and_how_to_see_it_again(red: tuple[Done, Path]) -> None:
    """Function, check, input and result with their bits, the exact result, the error and what is allowed, the command that replays it."""
    text = next(text for name, text in failures(red[0]).items() if "value_within_bound-sigmoid-faulty.naive" in name)
    assert "sigmoid-faulty.naive-eager-float32: value_within_bound does not hold for value: " in text
    for name in ("got", "exact"):
        assert re.search(rf"^  {name} +\S+ \({HEXADECIMAL}\)$", text, re.MULTILINE), text
    assert re.search(r"^  input +x = \S+", text, re.MULTILINE)
    assert re.search(r"^  error +\S+, allowed \S+$", text, re.MULTILINE)
    assert "--hypothesis-seed=7 --backend numpy:eager --operation sigmoid --dtype float32\n" in text


def test_its_script_can_be_copied_as_it_stands(red: tuple[Done, Path]) -> None:
    """It stands at the line's beginning, and fails as the run did."""
    text = next(text for name, text in failures(red[0]).items() if "value_within_bound-sigmoid-faulty.naive" in name)
    script = text[text.index("from __future__") :]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60, cwd=terminal_root())
    assert done.stderr.rstrip().endswith("AssertionError: not within the bound"), done.stderr


def terminal_root() -> Path:
    """Where ``suite`` can be imported."""
    return Path(terminal.__file__).resolve().parent.parent


def test_a_function_that_raises_is_told_with_its_line(red: tuple[Done, Path]) -> None:
    """File and line of the user's own, and no traceback through the suite."""
    text = next(text for name, text in failures(red[0]).items() if "value_within_bound-sigmoid-faulty.raises" in name)
    line = FAULTY.splitlines().index(next(line for line in FAULTY.splitlines() if "raise ValueError" in line)) + 1
    assert f"  at {red[1] / 'faulty.py'}:{line}\n" in text
    assert "Traceback" not in text


def test_nothing_but_that_is_told(red: tuple[Done, Path]) -> None:
    """Neither pytest's account of the assertion nor lines of the suite; a failure fits a screen."""
    assert red[0].stderr == ""
    assert not re.search(r"^E  |assert not \[|Outcome\(|judged\.failures", red[0].stdout, re.MULTILINE)
    assert max(len(text.splitlines()) for text in failures(red[0]).values()) <= 40


def test_the_end_says_what_failed_and_where_the_report_is(red: tuple[Done, Path]) -> None:
    """Last of all, by function and check, with the seed."""
    lines = red[0].stdout.splitlines()
    assert lines[-2] == f"report: {red[1] / 'html' / 'index.html'}"
    assert lines[-3].endswith("--hypothesis-seed=7")
    assert any(line.startswith("fails: sigmoid, numpy, faulty.naive: ") and "value_within_bound" in line for line in lines)
    assert any(line.startswith("fails: sigmoid, numpy, faulty.raises: ") and "(error)" in line for line in lines)


def test_junit_has_every_case_and_is_valid_xml(red: tuple[Done, Path]) -> None:
    """By the family's module and the case's name; with the whole message, whatever it holds."""
    cases = list(ET.parse(red[1] / "junit.xml").iter("testcase"))  # noqa: S314 - written by the run above
    assert all(case.get("classname", "").startswith("suite.test_") for case in cases)
    told = {p.get("name"): p.get("value") for p in cases[0].iter("property")}
    assert {"operation": "sigmoid", "backend": "numpy", "mode": "eager", "dtype": "float32"}.items() <= told.items()
    failed = {case.get("name", ""): case.findall("failure") for case in cases if case.findall("failure")}
    assert set(failed) == set(failures(red[0]))
    wrong, raised = (failed[f"test_stability[value_within_bound-sigmoid-faulty.{name}-eager-float32]"][0] for name in ("naive", "raises"))
    assert "from __future__ import annotations" in (wrong.text or "")
    assert "<script>alert(1)</script> & " in (raised.text or "")


def test_what_a_wide_run_fails_is_cut_short() -> None:
    """The functions that fail most come first; the others are counted."""
    counts = Counter({(f"function {n}", check, "fail"): n for n in range(1, 21) for check in ("a", "b")})
    lines = list(terminal.failing(counts))
    assert lines[0] == "fails: function 20: a 20 times, b 20 times"
    assert lines[-1] == f"fails: {20 - terminal.MOST} more functions"
    assert len(lines) == terminal.MOST + 1


def test_nothing_to_run_is_a_usage_error_in_several_processes_too() -> None:
    """One line, no internal error."""
    done = suite("--backend", "keras-jax", "--operation", "logaddexp", "--dtype", "float64", "-m", "casebook", "-n", "2", "--no-report")
    assert done.returncode == USAGE_ERROR, done.stdout
    assert f"ERROR: {terminal.NOTHING}" in done.stdout
    assert "INTERNALERROR" not in done.stdout + done.stderr


@pytest.mark.parametrize("processes", [(), ("-n", "2")])
def test_what_is_absent_though_asked_for_fails_the_run(processes: tuple[str, ...]) -> None:
    """And the summary says that this is why; workers of xdist's tell it, too."""
    done = suite("--backend", "numpy", "--device", "gpu", "--operation", "relu", "--dtype", "float32", "--no-report", *processes)
    assert done.returncode == 1, done.stdout
    assert "absent: numpy: NumPy has no gpu; it was asked for by name, so the run fails" in done.stdout


def test_several_processes_add_up() -> None:
    """The records of both are counted."""
    done = suite("--backend", "numpy", "--operation", "relu", "--dtype", "float32", "--no-report", "-n", "2", "-m", "stability")
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout
    assert f"{passed[1]} pass" in done.stdout.partition("records: ")[2]


class Terminal(io.StringIO):
    """A stream that may say that it is a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        """As it was made."""
        return self.terminal


@pytest.mark.parametrize(
    ("tty", "variables", "expected"),
    [
        (True, {}, "line"),
        (True, {"CI": "true"}, "line"),
        (True, {"TERM": "dumb"}, "log"),
        (False, {}, ""),
        (False, {"CI": "true"}, "log"),
    ],
)
def test_progress_fits_the_stream(tty: bool, variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets a line written anew, a CI job's log plain lines, a pipe nothing."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert style(Terminal(tty)) == expected


def test_a_line_is_wiped_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is under way and for how long; afterwards the line is empty."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "FIRST", {"line": 0.0})
    monkeypatch.setattr(progress, "EVERY", {"line": 0.001})
    stream = Terminal(terminal=True)
    with Progress("building", stream) as told:
        assert until(lambda: "building, " in stream.getvalue())
        told.text = "closing"
        assert until(lambda: "closing, " in stream.getvalue())
    assert stream.getvalue().endswith("\r\x1b[K")


def test_what_is_soon_over_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does anything in a pipe, however long it takes."""
    monkeypatch.setattr(progress, "FIRST", {"line": 3600.0, "": 0.0})
    for stream in (Terminal(terminal=True), Terminal(terminal=False)):
        monkeypatch.delenv("CI", raising=False)
        with Progress("building", stream):
            pass
        assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("variables", "coloured"), [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)]
)
def test_colours_are_for_terminals(variables: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pipe there are none, unless they are asked for and not refused."""
    for name in ("FORCE_COLOR", "NO_COLOR", "PY_COLORS"):
        monkeypatch.delenv(name, raising=False)
    few = ("--no-report", "--collect-only", "--backend", "numpy", "--operation", "relu", "--dtype", "float32", "--color=auto")
    assert ("\x1b[" in suite(*few, **variables).stdout) == coloured
