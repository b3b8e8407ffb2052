"""Timing: every cell in its framework's own process, through pytest-benchmark's fixture, storage and options.

The function that is warmed is the one that is timed, in the process that it runs in; results are waited for. The first call, which
traces and compiles, is a number of its own.
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from suite.plugin import Timed
from suite.workloads import Cell


@pytest.mark.benchmark
def test_benchmark(cell: Cell, timed: Timed, benchmark: BenchmarkFixture) -> None:
    """The cell is prepared, warmed and timed, and every round took a positive time."""
    seconds = timed.run(cell, benchmark)
    assert seconds is None or seconds > 0
