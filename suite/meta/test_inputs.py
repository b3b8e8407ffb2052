"""Generated inputs: what every profile needs can be drawn."""

from __future__ import annotations

import numpy as np
import pytest

from suite import inputs
from suite.cases import PROFILES
from suite.floats import FORMATS
from suite.operations import operations

SHAPES = sorted({rows for profile in PROFILES.values() for rows in profile.rows})


@pytest.mark.parametrize("rows", SHAPES, ids=str)
def test_blocks_of_every_shape_of_a_profile_are_drawn(rows: tuple[int, int]) -> None:
    """Also of those that are larger than an example of Hypothesis can be; after the simplest block, of zeros, no two rows are the same."""
    batch = inputs.generate(operations()["sparse_softmax_cross_entropy_with_logits"], FORMATS["float32"], rows, 3, 7)
    logits = batch.arrays["logits"]
    assert logits.shape == (3, *rows)
    assert batch.arrays["labels"].max() < rows[1]
    if rows[1] > 8:
        assert len(np.unique(logits[-1], axis=0)) == rows[0]
