"""What a sweep counts, against a second count of the same results with trouble planted among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from suite.expected import BLOCK, CONSTANT, DENSE, LINE, Expected, Law, inputs
from suite.floats import FORMATS, Format, pattern_type
from suite.meta.counting import count
from suite.operations import operations
from suite.reference import Reference, chunks
from suite.tally import COUNTS, FIRSTS, KEPT, Tally
from suite.totals import Total

Patterns = NDArray[Any]
FLOAT32, FLOAT16 = FORMATS["float32"], FORMATS["float16"]
CHUNK = 2 * BLOCK
PLANTED = 300

each_half = pytest.mark.parametrize("dtype", ["float16", "bfloat16"])


def of(operation: str, order: int, piece: int, dtype: str) -> Reference:
    """A reference by name."""
    return Reference(operations()[operation].slices[piece], order, FORMATS[dtype])


def tallied(fmt: Format, law: Law, start: int, got: Patterns, expected: Iterable[Expected], size: int) -> dict[str, Any]:
    """A tally's result for a range of inputs."""
    tally = Tally(fmt, law)
    for at, wanted in zip(range(0, len(got), size), expected, strict=True):
        tally.add(start + at, got[at : at + size], wanted)
    return tally.result()


def constant(fmt: Format, pattern: int, size: int) -> Patterns:
    """One result for all."""
    return np.full(size, pattern, dtype=pattern_type(fmt))


def moved(fmt: Format, patterns: Patterns, by: Any) -> Patterns:
    """Neighbours of numbers, away from zero for ``by`` > 0."""
    return np.asarray((patterns.astype(np.int64) + by) % (1 << fmt.bits)).astype(pattern_type(fmt))


def spoiled(fmt: Format, right: Patterns, borders: list[int], seed: int) -> Patterns:
    """The right results with some that are off, lost, infinite, zero, of the other sign, out of range; and steps at borders."""
    rng = np.random.default_rng(seed)
    places = rng.choice(len(right), PLANTED, replace=False)
    sign, infinity, nan = fmt.sign_pattern, fmt.infinity_ordinal, fmt.nan_pattern
    fixed = [
        0,
        sign,
        infinity,
        sign | infinity,
        nan,
        sign | nan | 1,
        infinity - 1,
        1,
        sign | 1,
        fmt.tiny_pattern,
        to_one(fmt),
        sign | to_one(fmt),
    ]
    off = [1, -1, 2, -2, 5, -5, sign]
    kind = rng.integers(0, len(fixed) + len(off), PLANTED)
    got = right.copy()
    planted = moved(fmt, right[places], np.array([*fixed, *off])[kind])
    got[places] = np.where(kind < len(fixed), np.array([*fixed, *[0] * len(off)])[kind].astype(got.dtype), planted)
    for k, border in enumerate(borders):
        place = border - k % 2
        got[place] = moved(fmt, right[place : place + 1], rng.choice([-3, 3]))[0]
    return got


def to_one(fmt: Format) -> int:
    """The pattern of 1."""
    return fmt.emax << (fmt.precision - 1)


SMALL = [
    ("sigmoid", 0, 0), ("sigmoid", 1, 0), ("sigmoid", 2, 0), ("log_sigmoid", 0, 0), ("relu", 0, 0), ("relu", 1, 0), ("tanh", 0, 0),
    ("log", 0, 0), ("log", 1, 0), ("log", 2, 0), ("exp", 0, 0), ("log1p", 0, 0),
    ("binary_cross_entropy", 0, 1), ("binary_cross_entropy", 1, 0),
]  # fmt: skip
WIDE = [
    ("sigmoid", 0, 0x00000000), ("sigmoid", 0, 0xC2AE0000), ("sigmoid", 0, 0x41800000), ("sigmoid", 1, 0x42AE0000),
    ("sigmoid", 1, 0x80000000), ("log", 0, 0x00000000), ("log", 0, 0x7F7E0000), ("log", 1, 0x007E0000), ("tanh", 0, 0x807E0000),
    ("softplus", 0, 0x42FF0000), ("log_sigmoid", 0, 0xC2FF0000), ("log1p", 0, 0xBF7F0000), ("relu", 0, 0xFF7E0000), ("exp", 0, 0x42B00000),
]  # fmt: skip
"""Zeros, subnormal inputs and results, saturation, asymptotes, infinities and NaN, on both sides."""


@pytest.mark.parametrize(("name", "order", "piece"), SMALL)
@each_half
def test_all_inputs_of_16_bits(name: str, order: int, piece: int, dtype: str) -> None:
    """A whole sweep with trouble in it."""
    found, size = of(name, order, piece, dtype), 1 << 13
    expected = list(chunks(found, 0, 1 << 16, size))
    right = np.concatenate([e.patterns(found.fmt, k * size, size) for k, e in enumerate(expected)])
    got = spoiled(found.fmt, right, [0x3B00, 0x3C01, 0x4000, size, 3 * size, 5 * size, 0xBC00], seed=order)
    plain = count(found.fmt, found.law(), 0, got, right, size)
    result = tallied(found.fmt, found.law(), 0, got, expected, size)
    assert {k: result[k] for k in plain} == plain
    assert result["counts"]["non-finite"] > 0


@pytest.mark.parametrize(("name", "order", "start"), WIDE)
def test_ranges_of_float32(name: str, order: int, start: int) -> None:
    """Two chunks of two blocks."""
    found = of(name, order, 0, "float32")
    expected = list(chunks(found, start, start + 2 * CHUNK, CHUNK))
    right = np.concatenate([e.patterns(FLOAT32, start + k * CHUNK, CHUNK) for k, e in enumerate(expected)])
    got = spoiled(FLOAT32, right, [100, 101, BLOCK, CHUNK, CHUNK + BLOCK], seed=start)
    plain = count(FLOAT32, found.law(), start, got, right, CHUNK)
    result = tallied(FLOAT32, found.law(), start, got, expected, CHUNK)
    assert {k: result[k] for k in plain} == plain


@each_half
def test_pairs(dtype: str) -> None:
    """Numbered by two patterns: no input counts as subnormal, none as negative, and no order is expected."""
    found, start = of("softmax", 0, 1, dtype), (to_one(FORMATS[dtype]) << 16) - BLOCK
    expected = list(chunks(found, start, start + 2 * BLOCK, BLOCK))
    right = np.concatenate([e.patterns(found.fmt, 0, BLOCK) for e in expected])
    got = spoiled(found.fmt, right, [], seed=1)
    plain = count(found.fmt, found.law(), start, got, right, BLOCK)
    result = tallied(found.fmt, found.law(), start, got, expected, BLOCK)
    assert {k: result[k] for k in plain} == plain
    assert (result["counts"]["flushed in"], result["counts"]["descents"]) == (0, 0)


def test_right_results_count_nothing() -> None:
    """Every one is judged and right."""
    for name, order, piece in SMALL:
        found = of(name, order, piece, "float16")
        (expected,) = (stated.patterns(FLOAT16, 0, 1 << 16) for stated in chunks(found, 0, 1 << 16, 1 << 16))
        result = tallied(FLOAT16, found.law(), 0, expected, [Expected(DENSE, dense=expected)], 1 << 16)
        rest = {what: n for what, n in result["counts"].items() if n and what not in ("judged", "NaN expected")}
        assert (rest, result["worst"], result["profile"], result["firsts"]) == ({}, 0, [], {})
        assert result["histogram"] == [result["counts"]["judged"], 0, 0, 0]


# One trouble at a time


RISING = Law((1, 1), (-FLOAT32.infinity_ordinal, FLOAT32.infinity_ordinal), True, 0)
LINES = Expected(LINE)


def one_wrong(start: int, places: dict[int, int], expected: Expected = LINES, law: Law = RISING, size: int = CHUNK) -> dict[str, Any]:
    """The tally of a chunk whose results are right but at some places."""
    got = expected.patterns(FLOAT32, start, size).copy()
    for place, pattern in places.items():
        got[place] = pattern
    return tallied(FLOAT32, law, start, got, [expected], size)


def test_two_units_off_among_all_of_float16() -> None:
    """One error is found, with its input and its result."""
    found = of("sigmoid", 0, 0, "float16")
    right = np.concatenate([e.patterns(FLOAT16, 0, 1 << 15) for e in chunks(found, 0, 1 << 16, 1 << 15)])
    for place in (0, 1, 0x3C00, 0x7C00, 0x8000, 0xC3FF, 0xFC00):
        got = right.copy()
        got[place] += 2
        result = tallied(FLOAT16, found.law(), 0, got, [Expected(DENSE, dense=right)], 1 << 16)
        assert (result["worst"], result["at"], result["profile"]) == (2, [place], [[2, place, int(got[place])]])
        assert result["histogram"] == [63490 - 1, 0, 1, 0]
        assert (result["counts"]["total"], result["counts"]["judged"]) == (2, 63490)


@pytest.mark.parametrize("place", [0, 1, BLOCK - 1, BLOCK, 5_000_011, (1 << 24) - 1])
def test_two_units_off_among_millions(place: int) -> None:
    """The same in 2^24 numbers of float32."""
    start = 0x43000000
    result = one_wrong(start, {place: start + place + 2}, size=1 << 24)
    assert (result["worst"], result["at"]) == (2, [start + place])
    assert result["histogram"] == [(1 << 24) - 1, 0, 1, 0]
    assert result["counts"]["descents"] == (place != (1 << 24) - 1)
    assert result["counts"]["judged"] == 1 << 24


def test_nan_for_an_infinity_is_not_finite() -> None:
    """It has no distance, and is not the largest one."""
    law = Law((1, 1), (0, FLOAT32.infinity_ordinal), True, to_one(FLOAT32))
    result = one_wrong(0x43000000, {7: FLOAT32.nan_pattern}, Expected(CONSTANT, FLOAT32.infinity_ordinal), law)
    assert (result["worst"], result["profile"]) == (0, [])
    assert (result["counts"]["non-finite"], result["firsts"]["non-finite"]) == (1, 0x43000007)


def test_a_flushed_input_is_told_by_the_result_at_zero() -> None:
    """Whatever its sign: log takes subnormal inputs for 0 and returns −∞."""
    found = of("log", 0, 0, "float32")
    (expected,) = chunks(found, 0, CHUNK, CHUNK)
    result = one_wrong(0, {5: 0xFF800000, 6: 0xFF800000}, expected, found.law())
    assert (result["counts"]["flushed in"], result["counts"]["non-finite"]) == (2, 2)


def test_what_is_not_judged_has_no_order() -> None:
    """−1/x² falls left of 0, where log has no derivative; nor does it matter what is made of NaN."""
    found = of("log", 2, 0, "float16")
    right = np.concatenate([e.patterns(FLOAT16, 0, 1 << 15) for e in chunks(found, 0, 1 << 16, 1 << 15)])
    got = right.copy()
    got[0x8000:] = inputs(FLOAT16, 0x8000, 0x8000)[::-1]
    got[0x7C01:0x8000] = 0x4000
    result = tallied(FLOAT16, found.law(), 0, got, [Expected(DENSE, dense=right)], 1 << 16)
    assert (result["counts"]["descents"], result["firsts"]) == (0, {})


def test_the_first_few_of_the_worst_are_kept() -> None:
    """In order, from one block and the next, and from one chunk and the next; a larger one begins anew."""
    start, places = 0x43000000, [10, 11, BLOCK - 1, BLOCK + 5, BLOCK + 6]
    result = one_wrong(start, {p: start + p + 2 for p in places})
    assert (result["at"], result["profile"]) == ([start + p for p in places], [[2, start + 10, start + 12]])
    many = range(0, 100, 5)
    assert one_wrong(start, {p: start + p - 3 for p in many})["at"] == [start + p for p in many][:KEPT]
    assert one_wrong(start, {**{p: start + p + 2 for p in places}, CHUNK - 3: start + CHUNK})["at"] == [start + CHUNK - 3]
    got = inputs(FLOAT32, start, 2 * CHUNK).copy()
    got[[5, CHUNK + 5]] += 2
    result = tallied(FLOAT32, RISING, start, got, [LINES, LINES], CHUNK)
    assert (result["at"], result["profile"]) == ([start + 5, start + CHUNK + 5], [[2, start + p, start + p + 2] for p in (5, CHUNK + 5)])


@pytest.mark.parametrize("start", [0, 0x80000000])
def test_zero_for_the_smallest_numbers(start: int) -> None:
    """Subnormal ones are flushed, the smallest normal one is a premature zero; 0 itself is no subnormal input."""
    tiny = FLOAT32.tiny_pattern
    result = one_wrong(start + tiny - BLOCK, {BLOCK - 1: start, BLOCK: start, BLOCK + 1: start})["counts"]
    assert [result[what] for what in ("flushed in", "flushed out", "premature zeros")] == [1, 0, 2]
    by_one = Expected(CONSTANT, tiny - 1), Expected(CONSTANT, tiny)
    found = [one_wrong(0x3F800000 + start, {3: 0}, wanted)["counts"] for wanted in by_one]
    assert [(f["flushed out"], f["premature zeros"]) for f in found] == [(1, 0), (0, 1)]
    found = [one_wrong(start, {place: 0}, Expected(CONSTANT, 0x3F000000))["counts"] for place in (0, 1)]
    assert [(f["flushed in"], f["premature zeros"]) for f in found] == [(0, 1), (1, 1)]


@pytest.mark.parametrize("place", [1, 77, BLOCK, BLOCK + 1, CHUNK - 1])
@pytest.mark.parametrize("start", [0x43000000, 0xC3000000])
def test_a_descent_is_seen_wherever_it_is(place: int, start: int) -> None:
    """Within a block and between two, on both sides."""
    result = one_wrong(start, {place: start + place - 2})
    assert (result["counts"]["descents"], result["firsts"]["descents"]) == (1, start + place)


# Constants


WEIGHED = [
    (start, value, wanted)
    for start in (0, CHUNK, 0x00800000 - 512, 0x00800000 - 1024, 0x3F800000, 0x80000000, 0xC3000000)
    for value in (0, 0x80000000, 1, 0x3F000000, 0x7F800000, 0x7FC00000, 0xBF000000)
    for wanted in (0x3F000000, 0x3F000002, 0x00000001, 0x7F800000, 0x7FC00000, 0)
]


@pytest.mark.parametrize("law", [RISING, Law((1, -1), (0, 0x3F000000), False, 0x3F000000)], ids=["rising", "bounded"])
def test_one_comparison_stands_for_all(law: Law, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk of one result is counted as if it were not; but one input of its worst is kept."""

    def results(size: int) -> list[dict[str, Any]]:
        return [tallied(FLOAT32, law, s, constant(FLOAT32, v, size), [Expected(CONSTANT, w)], size) for s, v, w in WEIGHED]

    short = results(1 << 10)
    monkeypatch.setattr(Tally, "_one_for_all", lambda *_: False)
    for case, one, general in zip(WEIGHED, short, results(1 << 10), strict=True):
        assert one["at"] == general["at"][: len(one["at"])]
        assert {**one, "at": general["at"]} == general, case
        assert bool(one["at"]) == bool(general["at"])


@pytest.mark.parametrize("kind", [DENSE, LINE])
def test_one_result_where_many_are_expected(kind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compared one by one."""
    got = constant(FLOAT32, 0x43000100, CHUNK)
    right = inputs(FLOAT32, 0x43000000, CHUNK)
    expected = Expected(kind, dense=right if kind == DENSE else None)
    short = tallied(FLOAT32, RISING, 0x43000000, got, [expected], CHUNK)
    monkeypatch.setattr(Tally, "_one_for_all", lambda *_: False)
    assert tallied(FLOAT32, RISING, 0x43000000, got, [expected], CHUNK) == short
    assert (short["worst"], short["histogram"]) == (CHUNK - 1 - 0x100, [1, 2, 2, CHUNK - 5])


@pytest.mark.parametrize(("start", "sign"), [(0x43000000, 0), (0xC3000000, 0), (0x43000000, 0x80000000), (0xC3000000, 0x80000000)])
def test_a_line_is_counted_as_its_numbers(start: int, sign: int) -> None:
    """Right throughout or not, between others; with the same edges and the same digest."""
    trend = -1 if sign else 1
    law = Law((trend, trend), RISING.range, True, 0)
    right = inputs(FLOAT32, start, 3 * CHUNK) ^ np.uint32(sign)
    dense = [Expected(DENSE, dense=right[k * CHUNK : (k + 1) * CHUNK]) for k in range(3)]
    for place in (None, 0, CHUNK - 1, CHUNK, CHUNK + 7, 2 * CHUNK - 1, 2 * CHUNK):
        got = right.copy()
        if place is not None:
            got[place] = sign
        line = tallied(FLOAT32, law, start, got, [Expected(LINE, sign)] * 3, CHUNK)
        assert line == tallied(FLOAT32, law, start, got, dense, CHUNK)
        assert line["counts"]["descents"] == (place is not None and (place > 0) + 0)


# Shards


def sharded(found: Reference, start: int, got: Patterns, size: int, parts: int) -> list[Mapping[str, Any]]:
    """Results of the shards of a range."""
    step = len(got) // parts
    ranges = [(start + at, got[at : at + step]) for at in range(0, len(got), step)]
    return [tallied(found.fmt, found.law(), s, g, chunks(found, s, s + step, size), size) for s, g in ranges]


@pytest.mark.parametrize(("name", "start"), [("sigmoid", 0xC2AE0000), ("sigmoid", 0x3F800000), ("log", 0x00000000), ("tanh", 0x7FFC0000)])
def test_shards_add_up(name: str, start: int) -> None:
    """To the tally of all of them, with the steps between them; only the digest is one of digests."""
    found, size = of(name, 0, 0, "float32"), 1 << 15
    expected = list(chunks(found, start, start + (1 << 19), size))
    right = np.concatenate([e.patterns(FLOAT32, start + k * size, size) for k, e in enumerate(expected)])
    got = spoiled(FLOAT32, right, [1 << 17, 1 << 18, 3 << 17], seed=1)
    total = Total(FLOAT32, sharded(found, start, got, size, 4))
    whole = tallied(FLOAT32, found.law(), start, got, expected, size)
    assert (total.counts, total.histogram, total.worst) == (whole["counts"], whole["histogram"], whole["worst"])
    assert total.at[:KEPT] == whole["at"]
    assert (list(total.frontier), total.profile) == (whole["frontier"], whole["profile"])
    assert {what: total.first(what) for what in FIRSTS} == {what: whole["firsts"].get(what) for what in FIRSTS}
    assert list(total.counts) == list(COUNTS)


def test_a_descent_between_shards_counts() -> None:
    """On either side of zero, but not from one side to the other."""
    found = of("tanh", 0, 0, "float16")
    right = np.concatenate([e.patterns(FLOAT16, 0, 1 << 15) for e in chunks(found, 0, 1 << 16, 1 << 15)])
    for border, descents in ((0x2000, 1), (0x8000, 0), (0xA000, 1)):
        got = right.copy()
        got[border] = moved(FLOAT16, right[border - 1 : border], -1)[0]
        total = Total(FLOAT16, sharded(found, 0, got, 1 << 13, 8))
        assert total.counts["descents"] == descents, hex(border)
        assert total.first("descents") == (border if descents else None)


def test_a_total_digest_depends_on_every_shard() -> None:
    """And on their order."""
    found = of("tanh", 0, 0, "float16")
    right = np.concatenate([e.patterns(FLOAT16, 0, 1 << 15) for e in chunks(found, 0, 1 << 16, 1 << 15)])
    seen = set()
    for place in (0, 0x5000, 0xFC00):
        got = right.copy()
        got[place] ^= 1
        seen.add(Total(FLOAT16, sharded(found, 0, got, 1 << 13, 4)).digest)
    assert len(seen | {Total(FLOAT16, sharded(found, 0, right, 1 << 13, 4)[::way]).digest for way in (1, -1)}) == 5
