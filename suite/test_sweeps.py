"""Sweeps: every input of float16 and bfloat16, value and derivatives, against the correctly rounded result.

Wider formats take longer and have a command of their own: ``python -m suite.sweep``.
"""

from __future__ import annotations

import pytest

from suite.judging import Outcome
from suite.terminal import hold


@pytest.mark.sweep
def test_sweep(every_input: Outcome) -> None:
    """Every result is within its bound outside what is known to fail."""
    hold("\n\n".join(every_input.failures))
