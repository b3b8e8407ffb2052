"""Digests: that they depend on every bit of every result, and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from suite.expected import CONSTANT, DENSE, LINE, UNKNOWN, Expected, inputs
from suite.meta.test_tally import CHUNK, FLOAT32, RISING, Patterns, constant, of, tallied
from suite.reference import chunks
from suite.tally import Tally


def digest(*parts: Patterns, start: int = 0x3F800000) -> str:
    """Of chunks of results."""
    tally = Tally(FLOAT32, RISING)
    for part in parts:
        tally.add(start, part, Expected(CONSTANT, 0x3F000000))
        start += len(part)
    return str(tally.result()["digest"])


def test_a_digest_depends_on_every_bit() -> None:
    """Of every result: each bit, of the first and the last, and of zeros; and on their order."""
    right = inputs(FLOAT32, 0x3F000000, 1 << 12)
    right[7] = 0
    seen = {digest(right), digest(right[::-1].copy())}
    for place in (0, 7, 1234, len(right) - 1):
        for bit in range(32):
            other = right.copy()
            other[place] ^= np.uint32(1 << bit)
            seen.add(digest(other))
    assert len(seen) == 2 + 4 * 32


def test_a_digest_of_constants_depends_on_value_and_number() -> None:
    """Chunks of the same value and of other sizes among them, whatever came before."""
    one, two = constant(FLOAT32, 0x3F000000, 1 << 10), constant(FLOAT32, 0x3F000001, 1 << 10)
    assert len({digest(one), digest(two), digest(one, two), digest(two, one), digest(one, one), digest(one, one[:512])}) == 6
    almost = one.copy()
    almost[-1] = 0x80000000
    assert digest(one, one[:512]) != digest(one, one) != digest(one, almost)


def test_a_digest_knows_one_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any sign and payload, among others and alone."""
    mixed = inputs(FLOAT32, 0x3F000000, 1 << 10)
    seen, alone = set(), set()
    for nan in (0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF):
        mixed[5] = nan
        seen.add(digest(mixed))
        alone.add(digest(constant(FLOAT32, nan, 1 << 10)))
    monkeypatch.setattr(Tally, "_one_for_all", lambda *_: False)
    assert len(alone | {digest(constant(FLOAT32, 0xFFC00000, 1 << 10))}) == 1
    assert len(seen) == 1
    mixed[5] = 0x7F800000
    assert digest(mixed) not in seen


@pytest.mark.parametrize(
    ("name", "piece", "start"),
    [("relu", 0, 0x3F000000), ("log_sigmoid", 0, 0xC3800000), ("binary_cross_entropy_with_logits", 1, 0xC3800000)],
)
def test_a_reference_knows_the_digest_of_its_lines(name: str, piece: int, start: int) -> None:
    """That of the numbers, be they the inputs or the negated ones."""
    found = of(name, 0, piece, "float32")
    lines = list(chunks(found, start, start + 2 * CHUNK, CHUNK))
    right = np.concatenate([e.patterns(FLOAT32, start + k * CHUNK, CHUNK) for k, e in enumerate(lines)])
    dense = [Expected(DENSE, dense=right[:CHUNK]), Expected(DENSE, dense=right[CHUNK:])]
    assert [e.kind for e in lines] == [LINE, LINE]
    assert UNKNOWN not in {e.digest for e in lines}
    assert tallied(FLOAT32, found.law(), start, right, lines, CHUNK) == tallied(FLOAT32, found.law(), start, right, dense, CHUNK)
