"""No check may reject the best possible implementation: the exact reference, correctly rounded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from suite.checks import checks
from suite.floats import FORMATS
from suite.meta.subjects import MAY_BE_IDLE, batches, judged_and_violated, perfect
from suite.operations import operations


def pairs() -> Iterator[tuple[str, str]]:
    """Every check with every operation that it applies to."""
    for check in checks().values():
        for operation in operations().values():
            if check.fits(operation, True, set(operations())):
                yield check.name, operation.name


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize(("check", "operation"), list(pairs()))
def test_the_correctly_rounded_result_passes(check: str, operation: str, dtype: str) -> None:
    """On the boundary grid, generated blocks, masks and weights; identities between two such functions too. Something is judged."""
    chosen = checks()[check]
    judged, violated = judged_and_violated(chosen, perfect(operation, dtype), batches(chosen, operation, dtype))
    assert violated == 0
    assert judged > 0 or check in MAY_BE_IDLE


@pytest.mark.parametrize(("check", "operation"), [p for p in pairs() if operations()[p[1]].rounds])
def test_flushed_results_pass_where_the_arithmetic_flushes(check: str, operation: str) -> None:
    """The same with every subnormal result replaced by zero, on a backend that says so."""
    dtype = "float32"
    chosen = checks()[check]
    _, violated = judged_and_violated(chosen, perfect(operation, dtype, flushes=True), batches(chosen, operation, dtype))
    assert violated == 0
