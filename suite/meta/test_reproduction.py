"""The scripts that come with a failure: they stand alone, and their assertion fails just while the fault is there."""

from __future__ import annotations

import builtins
import dis
import inspect
import subprocess
import sys
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.cases import implementations
from suite.floats import Floats
from suite.model import Case, Implementation
from suite.operations import operations
from suite.reproduction import REFUSED, Failure, _assertion, adapter_source, script

SIGMOID = ("numpy", "sigmoid", "scipy.special.expit")


@pytest.mark.parametrize("key", list(implementations()), ids="-".join)
def test_the_source_of_every_adapter_is_found(key: tuple[str, str, str]) -> None:
    """It compiles by itself, without annotations being evaluated."""
    name, lines = adapter_source(implementations()[key].function)
    assert name in compile("from __future__ import annotations\n" + "\n".join(lines), "<script>", "exec").co_names


@pytest.mark.parametrize("key", list(implementations()), ids="-".join)
def test_every_name_in_an_adapter_s_source_is_defined(key: tuple[str, str, str]) -> None:
    """By the lines themselves or by Python: a helper that is left out shows only once the script runs."""
    _, lines = adapter_source(implementations()[key].function)
    used, made = set(), set(dir(builtins))
    codes = [compile("from __future__ import annotations\n" + "\n".join(lines), "<script>", "exec")]
    while codes:
        code = codes.pop()
        codes += [c for c in code.co_consts if inspect.iscode(c)]
        for step in dis.get_instructions(code):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                used.add(step.argval)
            if step.opname in ("STORE_NAME", "STORE_GLOBAL"):
                made.add(step.argval)
    assert used - made - {"__name__"} == set()


@pytest.mark.parametrize(
    ("got", "expected", "limit", "decisive"),
    [(1.0, 2.0, 0.5, True), (1.0, 2.0, 1.0, False), (nan, 0.0, 1.0, True), (nan, nan, 0.0, False), (0.0, -0.0, 0.0, True),
     (inf, 1.0, 1.0, True), (1.0, 1.0, 0.0, False), (inf, inf, 0.0, False)],
)  # fmt: skip
def test_a_script_is_made_of_what_its_assertion_shows(got: float, expected: float, limit: float, decisive: bool, tmp_path: Path) -> None:
    """The assertion, run on the numbers themselves, fails exactly where a failure is said to be decisive."""
    failure = Failure("value", {"x": np.zeros(1)}, (0,), got, expected, limit)
    text = "\n".join(_assertion(failure, f"float('{got}')")).replace('h("', 'float.fromhex("')
    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert failure.decisive is decisive
    assert (done.returncode == 1) is decisive, done.stderr


def _run(expected: float, arrays: Floats, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    failure = Failure("value", {"x": arrays}, (1,), 0.0, expected, 1e-7)
    text = script(operations()["sigmoid"], implementations()[SIGMOID], Case("sigmoid", "numpy", SIGMOID[2], "eager", "float32"), failure)
    command = [sys.executable, "-c", text]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("x", [np.zeros(8), np.array([3.0, 0.0, 1.0])], ids=["one example", "a block"])
def test_a_script_tells_right_from_wrong(x: Floats, tmp_path: Path) -> None:
    """It runs outside the checkout, passes where the value is what it should be, and fails where it is not."""
    right, wrong = _run(0.5, x, tmp_path), _run(0.25, x, tmp_path)
    assert (right.returncode, wrong.returncode) == (0, 1), right.stderr
    assert "not within the bound" in wrong.stderr


def _fussy(x: Any) -> Any:
    if x.ndim:
        raise ValueError("numbers one at a time")
    return x


def test_a_script_tells_a_refusal(tmp_path: Path) -> None:
    """The function's own error is what its assertion says."""
    failure = Failure("value", {"x": np.zeros(8)}, (0,), nan, 0.5, 0.0, reading=REFUSED)
    fussy, case = Implementation("sigmoid", "numpy", "fussy", _fussy), Case("sigmoid", "numpy", "fussy", "eager", "float32")
    command = [sys.executable, "-c", script(operations()["sigmoid"], fussy, case, failure)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "AssertionError: ValueError: numbers one at a time" in done.stderr
