"""The casebook: every claim of the source documents, reproduced on every backend that can express it."""

from __future__ import annotations

import pytest

from suite.terminal import hold


@pytest.mark.casebook
def test_casebook(reproduced: str) -> None:
    """Every statement about what was measured holds."""
    hold(reproduced)
