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
    """Also of those that are larger than an example of Hypothesis can be; no two rows of them are the same."""
    batch = inputs.generate(operations()["sparse_softmax_cross_entropy_with_logits"], FORMATS["float32"], rows, 3, 7)
    logits = batch.arrays["logits"]
    assert logits.shape == (3, *rows)
    assert batch.arrays["labels"].max() < rows[1]
    if rows[1] > 8:
        assert len(np.unique(logits.reshape(-1, rows[1]), axis=0)) == 3 * rows[0]


@pytest.mark.parametrize("dtype", FORMATS)
def test_numbers_come_from_the_whole_range(dtype: str) -> None:
    """Of a format's binades no eighth is left out, on either side of 0; every block has numbers of its own."""
    fmt = FORMATS[dtype]
    x = inputs.generate(operations()["sigmoid"], fmt, (32, 9), 60, 7).arrays["x"]
    assert all(len(np.unique(block)) > 100 for block in x)
    exponents = np.frexp(np.abs(x))[1]
    low, high = np.frexp([fmt.tiny, fmt.max])[1]
    for side in (x < 0, x > 0):
        assert np.histogram(exponents[side], np.linspace(low, high, 9))[0].min() > 0
