"""The scripts that come with a failure: they stand alone, and their assertion fails just while the fault is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from suite.cases import implementations
from suite.floats import Floats
from suite.model import Case
from suite.operations import operations
from suite.reproduction import Failure, adapter_source, script

SIGMOID = ("numpy", "sigmoid", "scipy.special.expit")


@pytest.mark.parametrize("key", list(implementations()), ids="-".join)
def test_the_source_of_every_adapter_is_found(key: tuple[str, str, str]) -> None:
    """It compiles by itself, without annotations being evaluated."""
    name, lines = adapter_source(implementations()[key].function)
    assert name in compile("from __future__ import annotations\n" + "\n".join(lines), "<script>", "exec").co_names


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
