"""The command line: what is selected, what is refused and with which words, what is written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from suite.backends import backends
from suite.checks import checks
from suite.floats import FORMATS
from suite.operations import operations
from suite.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parent.parent.parent
ONE = ("--backend", "numpy:eager", "--operation", "sigmoid", "--dtype", "float32", "--hypothesis-seed=1")
USAGE_ERROR = 4

Done = subprocess.CompletedProcess[str]


@cache
def suite(*arguments: str, **variables: str) -> Done:
    """``pytest`` in the repository, as a user runs it; the same command once."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "LOGITBENCH_"))} | variables
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)


def ids(done: Done) -> set[str]:
    """What ``--collect-only -q`` lists, the part between brackets."""
    return {line.partition("[")[2].rstrip("]") for line in done.stdout.splitlines() if "::" in line}


def operations_of(names: set[str]) -> set[str]:
    """The operations of cases, ``check-operation-…``, and of cells, ``forward-workload-operation-…``."""
    parts = [name.split("-") for name in names if name.count("-") > 2]
    return {p[2] if p[0] in ("forward", "gradient") else p[1] for p in parts}


def written(directory: Path) -> list[dict[str, Any]]:
    """The lines of the one result file."""
    (path,) = (directory / "results").glob("*.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("option", "wrong", "known"),
    [
        ("--backend", "numpy,jaxx", ["numpy", "jax", "keras-tensorflow"]),
        ("--backend", "jax:graph", ["eager", "jit"]),
        ("--operation", "sigmoyd", ["sigmoid", "masked_mean"]),
        ("--dtype", "float8", ["float16", "bfloat16", "float32", "float64"]),
        ("--backend", "numpy,", ["an empty name", "jax"]),
        ("--device", "tpu", ["cpu", "gpu"]),
        ("--hypothesis-profile", "deep", ["quick", "ci", "nightly"]),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(option: str, wrong: str, known: list[str]) -> None:
    """A usage error in one line, before anything runs."""
    done = suite("--no-report", option, wrong)
    assert done.returncode == USAGE_ERROR
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    assert option in line
    assert re.split("[,:]", wrong)[-1] in line
    assert all(name in line for name in known)
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--report", "somewhere", "--no-report"),
        ("--report-single-file", "--no-report"),
        ("--hypothesis-seed", "random"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: tuple[str, ...]) -> None:
    """Contradictions, and values of the wrong kind."""
    done = suite(*ONE[:6], *arguments)
    assert done.returncode == USAGE_ERROR
    assert arguments[0] in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_selection_runs_just_that() -> None:
    """One backend, one operation, one dtype: every check that applies, and nothing else."""
    found = ids(suite(*ONE, "--collect-only", "-q", "--no-report"))
    assert found
    assert all(name.endswith("-sigmoid-scipy.special.expit-eager-float32") for name in found if "-" in name)
    assert any(name.startswith("value_within_bound-") for name in found)


def test_lists_and_repeated_options_add_up() -> None:
    """By commas or by repetition."""
    operation = ("--operation", "exp,log", "--operation=tanh")
    found = ids(suite("--collect-only", "-q", "--no-report", "--backend", "numpy", *operation, "--dtype", "float64"))
    assert operations_of(found) == {"exp", "log", "tanh"}
    assert operations_of({name for name in found if name.startswith("forward-")}) == {"exp", "log", "tanh"}
    assert operations_of({name for name in found if not name.startswith("forward-")}) == {"exp", "log", "tanh"}


def test_without_options_everything_is_selected() -> None:
    """Every backend, operation and check, without a framework being imported."""
    done = suite("--collect-only", "-q", "--no-report")
    text = done.stdout
    assert done.returncode == 0
    for name in (*operations(), *checks(), *FORMATS):
        assert name in text
    assert all(f"{b}:" in text for b in backends() if b.startswith("keras"))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    """One run, and the directory of its results and report."""
    place = tmp_path_factory.mktemp("report")
    return suite(*ONE, f"--report={place}"), place


def test_a_run_leaves_records_and_a_report(ran: tuple[Done, Path]) -> None:
    """Exit status 0, a summary on the terminal, result files that say what was asked, a page to open."""
    done, place = ran
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--hypothesis-seed=1" in done.stdout
    assert f"report: {place / 'html' / 'index.html'}" in done.stdout
    assert (place / "html" / "index.html").is_file()
    lines = written(place)
    assert (lines[0]["kind"], lines[-1]["kind"]) == ("run", "end")
    cases = [line["case"] for line in lines if line["kind"] == "record"]
    assert {(c["operation"], c["backend"], c["mode"], c["dtype"]) for c in cases} == {("sigmoid", "numpy", "eager", "float32")}


def test_a_run_times_what_it_checks(ran: tuple[Done, Path]) -> None:
    """Every workload that fits, with the first call apart from the median."""
    timed = [r for r in written(ran[1]) if r["kind"] == "record" and r["family"] == "benchmark"]
    assert {(r["check"], r["extra"]["workload"]) for r in timed} == {("forward", w.name) for w in WORKLOADS if len(w.shape) == 1}
    assert all(r["value"] > 0.0 and r["extra"]["first call (s)"] > 0.0 for r in timed)


def test_no_report_writes_nothing(tmp_path: Path) -> None:
    """Nor does it need a place to."""
    done = suite(*ONE, "--no-report", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "report:" not in done.stdout


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_an_unusable_report_directory_is_a_usage_error(tmp_path: Path, place: str) -> None:
    """Named, with the reason; nothing is computed in vain."""
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    done = suite(*ONE, f"--report={tmp_path / place}")
    assert done.returncode == USAGE_ERROR
    assert f"cannot write results under {tmp_path / place}" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
    assert " passed" not in done.stdout


def test_the_same_seed_judges_the_same_inputs(ran: tuple[Done, Path], tmp_path: Path) -> None:
    """Another run of the same seed reaches the same worst input and the same share of its bound, bit for bit."""
    suite(*ONE, f"--report={tmp_path}")
    first, second = (
        [(r["check"], r["value"], r["worst"]) for r in written(place) if r["kind"] == "record" and r["family"] != "benchmark"]
        for place in (ran[1], tmp_path)
    )
    assert first == second
    assert first


def test_marks_select_families() -> None:
    """``-m stability`` leaves the other families out."""
    found = ids(suite(*ONE, "--collect-only", "-q", "--no-report", "-m", "stability"))
    assert {name.partition("-")[0] for name in found if "-" in name} <= {c.name for c in checks().values() if c.family == "stability"}
    assert found
