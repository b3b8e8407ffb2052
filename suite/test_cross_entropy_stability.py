"""Stability: values within their rounding-error bounds, finite where the truth is, in range, NaN kept where it belongs."""

from __future__ import annotations

import pytest

from suite.judging import Outcome
from suite.terminal import hold


@pytest.mark.stability
def test_stability(judged: Outcome) -> None:
    """The check holds for the case outside what is known to fail, and what is known still fails."""
    hold("\n\n".join(judged.failures))
