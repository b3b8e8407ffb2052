"""Vanishing gradients: gradients within their bounds, and no exact zero where the true gradient is representable."""

from __future__ import annotations

import pytest

from suite.judging import Outcome
from suite.terminal import hold


@pytest.mark.vanishing
def test_vanishing(judged: Outcome) -> None:
    """The check holds for the case outside what is known to fail, and what is known still fails."""
    hold("\n\n".join(judged.failures))
