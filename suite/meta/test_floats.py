"""Formats, rounding and ordinals, against NumPy's and ml_dtypes' own types."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from suite.floats import (
    FORMATS,
    Floats,
    Format,
    from_ordinal,
    from_patterns,
    hexadecimal,
    is_representable,
    pattern_type,
    round_to,
    to_ordinal,
    to_patterns,
    ulp,
)

TYPES: dict[str, Any] = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64}
HALF = ("float16", "bfloat16")

each_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
each_half = pytest.mark.parametrize("fmt", [FORMATS[name] for name in HALF], ids=HALF)


def cast(fmt: Format, values: Floats) -> Floats:
    """Rounding by the type's own conversion from float64."""
    with np.errstate(over="ignore"):
        return values.astype(TYPES[fmt.name]).astype(np.float64)


def patterns(fmt: Format) -> Floats:
    """Every number of a 16-bit format, by bit pattern: zeros, subnormals, infinities, NaN too."""
    with np.errstate(invalid="ignore"):
        values: Floats = np.arange(2**16, dtype=np.uint16).view(TYPES[fmt.name]).astype(np.float64)
    return values


def neighbours(fmt: Format) -> tuple[Floats, Floats]:
    """All pairs of adjacent finite numbers of a 16-bit format."""
    finite = np.unique(patterns(fmt)[np.isfinite(patterns(fmt))])
    return finite[:-1], finite[1:]


def same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Equal bit for bit, signs of zeros too, NaN equal to NaN."""
    return bool(np.all(((a == b) & (np.signbit(a) == np.signbit(b))) | (np.isnan(a) & np.isnan(b))))


def test_there_are_four_formats() -> None:
    """The dtypes that frameworks compute in."""
    assert tuple(FORMATS) == ("float16", "bfloat16", "float32", "float64")


@each_format
def test_facts_are_those_of_finfo(fmt: Format) -> None:
    """Range, precision and width as the type itself states them."""
    info: Any = ml_dtypes.finfo(TYPES[fmt.name])
    assert (fmt.bits, fmt.precision, fmt.emax, fmt.emin) == (info.bits, info.nmant + 1, info.maxexp - 1, info.minexp)
    assert (fmt.max, fmt.tiny, fmt.eta) == (float(info.max), float(info.smallest_normal), float(info.smallest_subnormal))
    assert fmt.u == float(info.eps) / 2


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_facts_are_those_of_numpys_finfo(name: str) -> None:
    """The same by NumPy, which has no bfloat16."""
    fmt, info = FORMATS[name], np.finfo(name)
    assert (fmt.max, fmt.tiny, fmt.u) == (float(info.max), float(info.smallest_normal), float(info.epsneg))
    assert fmt.eta == float(info.smallest_subnormal)


@each_half
def test_every_number_rounds_to_itself(fmt: Format) -> None:
    """All 65,536 patterns, −0 and NaN among them."""
    assert same(round_to(fmt, patterns(fmt)), patterns(fmt))
    assert is_representable(fmt, patterns(fmt)).all()


@each_half
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_between_neighbours_as_the_types_own_cast(fmt: Format, share: float) -> None:
    """Between every two adjacent numbers, midpoints included, subnormals included."""
    low, high = neighbours(fmt)
    between = low + (high - low) * share
    assert same(round_to(fmt, between), cast(fmt, between))


@each_half
def test_next_to_every_midpoint(fmt: Format) -> None:
    """One float64 to either side of a tie; ml_dtypes rounds twice there, by way of float32, so its cast is no reference."""
    low, high = neighbours(fmt)
    for target in (low, high):
        near = np.nextafter((low + high) / 2, target)
        assert np.array_equal(round_to(fmt, near), target)
        assert fmt.name == "bfloat16" or same(round_to(fmt, near), cast(fmt, near))


@each_half
def test_low_decides_ties(fmt: Format) -> None:
    """A rest of any size above 0 takes a midpoint up, one below 0 down, whatever its sign."""
    low, high = neighbours(fmt)
    middle = (low + high) / 2
    for rest in (1e-300, 1e-30):
        assert np.array_equal(round_to(fmt, middle, rest), high)
        assert np.array_equal(round_to(fmt, middle, -rest), low)


@each_half
def test_low_moves_nothing_but_ties(fmt: Format) -> None:
    """Away from a midpoint the rest, below half a unit of float64, changes nothing."""
    low, high = neighbours(fmt)
    near = np.nextafter((low + high) / 2, low)
    assert same(round_to(fmt, near, 0.4 * np.spacing(np.abs(near))), low)
    assert same(round_to(fmt, patterns(fmt), -1e-30), patterns(fmt))


@each_format
def test_overflow(fmt: Format) -> None:
    """Half a unit above the largest number is infinite, anything below it is not."""
    edge = fmt.max * (1 + fmt.u / 2) if fmt.name != "float64" else fmt.max
    below = np.nextafter(edge, 0.0)
    assert round_to(fmt, below) == (fmt.max if fmt.name != "float64" else below)
    if fmt.name != "float64":
        half = fmt.max + ulp(fmt, fmt.max) / 2
        assert list(round_to(fmt, [half, -half, np.nextafter(half, 0.0)])) == [np.inf, -np.inf, fmt.max]
        assert round_to(fmt, half, -1e-30) == fmt.max
        assert round_to(fmt, half, 1e-30) == np.inf


@each_format
def test_underflow_keeps_the_sign(fmt: Format) -> None:
    """Zeros keep theirs, and what rounds to zero keeps its own."""
    if fmt.name == "float64":
        assert np.signbit(round_to(fmt, -0.0))
        return
    tiny = np.array([-0.0, 0.0, -fmt.eta / 2, fmt.eta / 2, -fmt.eta / 4, fmt.eta / 4])
    rounded = round_to(fmt, tiny)
    assert not rounded.any()
    assert np.array_equal(np.signbit(rounded), np.signbit(tiny))
    assert list(round_to(fmt, [fmt.eta / 2, -fmt.eta / 2], [1e-300, -1e-300])) == [fmt.eta, -fmt.eta]


def test_float32_as_numpys_cast() -> None:
    """A million float64 bit patterns about float32's range, and midpoints of float32 numbers."""
    rng = np.random.default_rng(7)
    fmt = FORMATS["float32"]
    wide = np.ldexp(rng.uniform(-2.0, 2.0, 500_000), rng.integers(-155, 129, 500_000))
    ordinals = rng.integers(-fmt.infinity_ordinal + 1, fmt.infinity_ordinal - 1, 500_000)
    low, high = from_ordinal(fmt, ordinals), from_ordinal(fmt, ordinals + 1)
    for values in (wide, (low + high) / 2):
        assert same(round_to(fmt, values), cast(fmt, values))
    assert np.array_equal(round_to(fmt, (low + high) / 2, 1e-320), high)


def test_float64_is_left_alone() -> None:
    """The high part is already the nearest float64."""
    values = np.array([1.0, -0.0, np.nan, np.inf, 5e-324, 1e308])
    assert same(round_to(FORMATS["float64"], values, 1e-30), values)


@each_half
def test_ordinals_count_every_number(fmt: Format) -> None:
    """A bijection, both zeros at 0; consecutive for adjacent numbers; infinity one beyond the largest."""
    values = np.unique(patterns(fmt)[~np.isnan(patterns(fmt))])
    ordinals = to_ordinal(fmt, values)
    assert np.array_equal(np.diff(ordinals), np.ones(len(values) - 1))
    assert np.array_equal(from_ordinal(fmt, ordinals), values)
    assert (ordinals[0], ordinals[-1]) == (-fmt.infinity_ordinal, fmt.infinity_ordinal)
    assert list(to_ordinal(fmt, [0.0, -0.0])) == [0, 0]


@each_format
def test_ordinals_at_the_edges(fmt: Format) -> None:
    """The smallest subnormal is 1; what lies beyond the infinities is clipped to them."""
    edges = np.array([fmt.eta, fmt.tiny, fmt.max, np.inf, -np.inf])
    expected = [1, 1 << (fmt.precision - 1), fmt.infinity_ordinal - 1, fmt.infinity_ordinal, -fmt.infinity_ordinal]
    assert to_ordinal(fmt, edges).tolist() == expected
    assert from_ordinal(fmt, fmt.infinity_ordinal + 5) == np.inf
    assert from_ordinal(fmt, -fmt.infinity_ordinal - 5) == -np.inf


@each_format
def test_nan_has_no_ordinal(fmt: Format) -> None:
    """It is not ordered."""
    with pytest.raises(ValueError, match="NaN"):
        to_ordinal(fmt, [1.0, np.nan])


@each_half
def test_ulp_is_the_distance_to_the_next_number(fmt: Format) -> None:
    """Away from zero, for every positive finite number and its negative."""
    low, high = neighbours(fmt)
    positive = low >= 0
    assert np.array_equal(ulp(fmt, low[positive]), (high - low)[positive])
    assert np.array_equal(ulp(fmt, -low[positive]), (high - low)[positive])


@each_format
def test_ulp_between_and_beyond(fmt: Format) -> None:
    """Inside a binade it is constant; never below eta; beyond the range that of the largest binade; NaN at NaN."""
    assert ulp(fmt, [1.0, 1.3, 1.999, 2.0]).tolist() == [2 * fmt.u, 2 * fmt.u, 2 * fmt.u, 4 * fmt.u]
    assert ulp(fmt, [0.0, fmt.eta / 4 if fmt.name != "float64" else 0.0, fmt.tiny]).tolist() == [fmt.eta] * 3
    largest = 2.0 ** (fmt.emax - fmt.precision + 1)
    assert ulp(fmt, [fmt.max, np.inf, -np.inf]).tolist() == [largest] * 3
    assert np.isnan(ulp(fmt, np.nan))


@each_format
def test_ulp_agrees_with_exact_arithmetic(fmt: Format) -> None:
    """2^(floor(log2|x|) − precision + 1) in rational arithmetic, on values of every binade."""
    for exponent in range(fmt.emin, fmt.emax, max(1, fmt.emax // 50)):
        value = 1.37 * 2.0**exponent
        assert Fraction(float(ulp(fmt, value))) == Fraction(2) ** (exponent - fmt.precision + 1)


@each_format
def test_representable(fmt: Format) -> None:
    """Numbers of the format, zeros, infinities and NaN are; what lies between two numbers is not."""
    assert is_representable(fmt, [0.0, -0.0, 1.0, 1 + 2 * fmt.u, fmt.max, fmt.eta, np.inf, np.nan]).all()
    if fmt.name != "float64":
        assert not is_representable(fmt, [1 + fmt.u, fmt.eta / 2, fmt.max * 2, 1.5 * fmt.eta]).any()


@each_format
def test_patterns_are_as_wide_as_the_format(fmt: Format) -> None:
    """Unsigned integers; the facts about patterns are those of the numbers they stand for."""
    kind = np.dtype(pattern_type(fmt))
    assert (kind.kind, kind.itemsize * 8) == ("u", fmt.bits)
    named = np.array([fmt.infinity_ordinal, fmt.tiny_pattern, fmt.sign_pattern, fmt.nan_pattern, 1, 0], dtype=kind)
    assert same(from_patterns(fmt, named), np.array([np.inf, fmt.tiny, -0.0, np.nan, fmt.eta, 0.0]))
    assert to_patterns(fmt, [np.inf, fmt.tiny, -0.0, np.nan, fmt.eta, 0.0]).tolist() == named.tolist()
    assert to_patterns(fmt, [1.0]).dtype == kind


@each_half
def test_every_pattern_comes_back(fmt: Format) -> None:
    """All 65,536, as the type's own view has them; every NaN becomes the quiet one without sign and payload."""
    all_patterns = np.arange(2**16, dtype=np.uint16)
    values = from_patterns(fmt, all_patterns)
    assert same(values, patterns(fmt))
    expected = np.where((all_patterns & 0x7FFF) > fmt.infinity_ordinal, fmt.nan_pattern, all_patterns)
    assert np.array_equal(to_patterns(fmt, values), expected)
    assert np.array_equal(from_patterns(fmt, np.arange(2**16)), values, equal_nan=True)


@each_half
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_patterns_of_ties_are_even(fmt: Format, sign: float) -> None:
    """Midway between two neighbours, subnormals and the largest number with infinity among them; and next to it, to the nearer one."""
    lower = np.arange(fmt.infinity_ordinal, dtype=np.uint16)
    low = from_patterns(fmt, lower)
    middle = low + ulp(fmt, low) / 2
    signs = fmt.sign_pattern if sign < 0 else 0
    assert np.array_equal(to_patterns(fmt, sign * middle), (lower + (lower & 1)) | signs)
    assert np.array_equal(to_patterns(fmt, sign * np.nextafter(middle, np.inf)), (lower + 1) | signs)
    assert np.array_equal(to_patterns(fmt, sign * np.nextafter(middle, 0.0)), lower | signs)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
def test_patterns_beyond_the_range(name: str) -> None:
    """Infinite or zero, with the sign."""
    fmt = FORMATS[name]
    signs = np.array([1.0, -1.0])
    for large in (2 * fmt.max, 1e300, np.inf):
        assert to_patterns(fmt, signs * large).tolist() == [fmt.infinity_ordinal, fmt.sign_pattern | fmt.infinity_ordinal]
    for small in (fmt.eta / 2, fmt.eta / 4, 5e-324, 0.0):
        assert to_patterns(fmt, signs * small).tolist() == [0, fmt.sign_pattern]
    assert (
        to_patterns(fmt, np.array([0xFFF8000000000001, 0x7FF8000000000001], dtype=np.uint64).view(np.float64)).tolist()
        == [fmt.nan_pattern] * 2
    )


def test_patterns_of_float32_are_those_of_numpys_cast() -> None:
    """Float64 patterns of any kind, midpoints and their neighbours; and those of the rounding by this module's own arithmetic."""
    rng = np.random.default_rng(8)
    fmt = FORMATS["float32"]
    any_pattern = rng.integers(0, 1 << 32, 300_000, dtype=np.uint32)
    numbers = from_patterns(fmt, any_pattern)
    assert np.array_equal(to_patterns(fmt, numbers), np.where(np.isnan(numbers), fmt.nan_pattern, any_pattern))
    middle = numbers[np.isfinite(numbers)] + ulp(fmt, numbers[np.isfinite(numbers)]) / 2
    wide = np.ldexp(rng.uniform(-2.0, 2.0, 300_000), rng.integers(-155, 129, 300_000))
    for values in (wide, middle, np.nextafter(middle, np.inf), np.nextafter(middle, -np.inf)):
        with np.errstate(over="ignore"):
            assert np.array_equal(to_patterns(fmt, values), values.astype(np.float32).view(np.uint32))
        assert same(from_patterns(fmt, to_patterns(fmt, values)), round_to(fmt, values))


def test_patterns_of_float64_are_its_bits() -> None:
    """Nothing is rounded."""
    bits = np.random.default_rng(9).integers(0, 1 << 63, 100_000, dtype=np.uint64)
    values = from_patterns(FORMATS["float64"], bits)
    assert np.array_equal(to_patterns(FORMATS["float64"], values)[~np.isnan(values)], bits[~np.isnan(values)])


def test_hexadecimal_gives_the_same_bits_back() -> None:
    """Extremes, subnormals, infinities."""
    for value in (0.1, -5e-324, 1.7976931348623157e308, float("inf"), -0.0):
        assert float.fromhex(hexadecimal(value)).hex() == value.hex()
    assert np.isnan(float.fromhex(hexadecimal(float("nan"))))
