"""Binary floating-point formats: their facts, their bit patterns, rounding into them and distance within them.

Values travel through the suite as float64 arrays that are exactly representable in the format concerned: float64 holds every
finite number of float16, bfloat16 and float32. NumPy is all that is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Format:
    """A binary interchange format (IEEE 754-2019, table 3.5; bfloat16 is float32 with 16 bits of the significand cut off).

    ``precision`` counts the significand's bits with the hidden one, ``emax`` is the largest exponent, ``bits`` the width.
    """

    name: str
    bits: int
    precision: int
    emax: int

    @property
    def u(self) -> float:
        """Unit roundoff: half the distance from 1 to the next larger number."""
        return float(2.0**-self.precision)

    @property
    def emin(self) -> int:
        """Exponent of the smallest normal number."""
        return 1 - self.emax

    @property
    def tiny(self) -> float:
        """Smallest positive normal number."""
        return float(2.0**self.emin)

    @property
    def eta(self) -> float:
        """Smallest positive subnormal number."""
        return float(2.0 ** (self.emin - self.precision + 1))

    @property
    def max(self) -> float:
        """Largest finite number."""
        return float((2.0 - 2.0 ** (1 - self.precision)) * 2.0**self.emax)

    @property
    def infinity_ordinal(self) -> int:
        """Ordinal of infinity, which is also its bit pattern: one more than the largest finite number's."""
        return (2 * self.emax + 1) << (self.precision - 1)

    @property
    def nan_pattern(self) -> int:
        """The quiet NaN without sign and payload."""
        return self.infinity_ordinal | (1 << (self.precision - 2))

    @property
    def sign_pattern(self) -> int:
        """−0.0: the sign bit alone."""
        return 1 << (self.bits - 1)

    @property
    def tiny_pattern(self) -> int:
        """The smallest positive normal number."""
        return 1 << (self.precision - 1)


FORMATS = {
    f.name: f
    for f in (
        Format("float16", 16, 11, 15),
        Format("bfloat16", 16, 8, 127),
        Format("float32", 32, 24, 127),
        Format("float64", 64, 53, 1023),
    )
}


def round_to(fmt: Format, high: ArrayLike, low: ArrayLike = 0.0) -> Floats:
    """Rounds ``high + low`` to ``fmt``, to nearest, ties to even, with gradual underflow.

    ``high`` must be the float64 nearest to the sum, so that ``low`` decides ties alone.

    Args:
        fmt: the target.
        high: any shape; NaN and infinities pass through.
        low: broadcasts against ``high``.

    Returns:
        float64 array whose values are representable in ``fmt``; overflow gives an infinity.
    """
    high = np.asarray(high, dtype=np.float64)
    if fmt.name == "float64":
        return high.copy()
    low = np.broadcast_to(np.asarray(low, dtype=np.float64), high.shape)
    finite = np.isfinite(high)
    safe = np.where(finite, high, 0.0)
    # Every finite number of fmt is a multiple of its quantum, a power of two well inside float64's range: the quotient is exact.
    quantum = ulp(fmt, safe)
    scaled = safe / quantum
    down = np.floor(scaled)
    rest = scaled - down
    odd = np.remainder(down, 2.0) == 1.0
    up = (rest > 0.5) | ((rest == 0.5) & ((low > 0) | ((low == 0) & odd)))
    rounded = np.copysign((down + up) * quantum, safe)
    rounded = np.where(np.abs(rounded) > fmt.max, np.copysign(np.inf, safe), rounded)
    return np.where(finite, rounded, high)


def ulp(fmt: Format, values: ArrayLike) -> Floats:
    """Unit in the last place at ``values``: the spacing of ``fmt`` in the binade of ``|value|``, never below ``eta``.

    At infinities and beyond the range it is the spacing of the largest binade; at NaN it is NaN.
    """
    magnitude = np.minimum(np.abs(np.asarray(values, dtype=np.float64)), fmt.max)
    _, exponent = np.frexp(magnitude)
    exponent = np.where(magnitude == 0, fmt.emin, np.maximum(exponent - 1, fmt.emin))
    spacing = np.ldexp(1.0, (exponent - (fmt.precision - 1)).astype(np.int32))
    return np.where(np.isnan(magnitude), np.nan, spacing)


def to_ordinal(fmt: Format, values: ArrayLike) -> Integers:
    """Maps representable values to integers that count them in order: −0.0 and 0.0 to 0, neighbours to neighbours.

    NaN is not ordered and raises ``ValueError``.
    """
    values = np.asarray(values, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError("NaN has no ordinal")
    magnitude = _magnitude_bits(fmt, np.abs(values))
    return np.where(np.signbit(values), -magnitude, magnitude)


def from_ordinal(fmt: Format, ordinals: ArrayLike) -> Floats:
    """The inverse of :func:`to_ordinal`; ordinals beyond the infinities' are clipped to them."""
    ordinals = np.clip(np.asarray(ordinals, dtype=np.int64), -fmt.infinity_ordinal, fmt.infinity_ordinal)
    magnitude = _from_magnitude_bits(fmt, np.abs(ordinals))
    return np.where(ordinals < 0, -magnitude, magnitude)


def pattern_type(fmt: Format) -> Any:
    """NumPy's unsigned integer of the format's width."""
    return _BITS[fmt.bits][1]


def from_patterns(fmt: Format, patterns: NDArray[Any]) -> Floats:
    """The numbers that bit patterns stand for; every NaN pattern is NaN."""
    with np.errstate(invalid="ignore"):
        if fmt.name == "bfloat16":
            return (patterns.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        real, integer = _BITS[fmt.bits]
        return np.asarray(patterns.astype(integer, copy=False).view(real), dtype=np.float64)


def to_patterns(fmt: Format, values: ArrayLike) -> NDArray[Any]:
    """Bit patterns of the correctly rounded values, ties to even; every NaN becomes the quiet one without payload."""
    values = np.asarray(values, dtype=np.float64)
    if fmt.name == "bfloat16":
        patterns = _bfloat16_patterns(values)
    else:
        real, integer = _BITS[fmt.bits]
        with np.errstate(over="ignore", under="ignore"):
            patterns = values.astype(real).view(integer)
    missing = np.isnan(values)
    return np.where(missing, pattern_type(fmt)(fmt.nan_pattern), patterns) if missing.any() else np.asarray(patterns)


def is_representable(fmt: Format, values: ArrayLike) -> NDArray[np.bool_]:
    """Whether each value is a number of ``fmt`` (NaN and infinities are)."""
    values = np.asarray(values, dtype=np.float64)
    return np.asarray(np.isnan(values) | (round_to(fmt, values) == values))


def adds_exactly(a: ArrayLike, b: ArrayLike) -> NDArray[np.bool_]:
    """Whether a + b is a float64, for float64 numbers; no for infinities and NaN (Knuth's TwoSum)."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    with np.errstate(all="ignore"):
        total = a + b
        back = total - a
        lost = (a - (total - back)) + (b - back)
    return np.asarray(lost == 0.0)


def hexadecimal(value: float) -> str:
    """A float as a literal that gives the same bits back in Python: ``float.fromhex`` reads it."""
    return float(value).hex()


_BITS: dict[int, tuple[Any, Any]] = {
    16: (np.float16, np.uint16),
    32: (np.float32, np.uint32),
    64: (np.float64, np.uint64),
}


def _bfloat16_patterns(values: Floats) -> NDArray[Any]:
    """Through float32, rounded to odd: toward zero, with the last bit set if anything was lost, so that no tie is made on the way.

    Boldo & Melquiond, IEEE Trans. Computers 57 (2008), 462–471: two bits more than the target's are enough; float32 has 16 more.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        nearest = values.astype(np.float32)
        back = nearest.astype(np.float64)
    odd = (nearest.view(np.uint32) - (np.abs(back) > np.abs(values))) | (back != values)
    return np.asarray((odd + np.uint32(0x7FFF) + ((odd >> 16) & 1)) >> 16, dtype=np.uint16)


def _magnitude_bits(fmt: Format, magnitude: Floats) -> Integers:
    if fmt.name == "bfloat16":
        return (magnitude.astype(np.float32).view(np.uint32) >> 16).astype(np.int64)
    real, integer = _BITS[fmt.bits]
    return np.asarray(magnitude.astype(real).view(integer), dtype=np.int64)


def _from_magnitude_bits(fmt: Format, bits: Integers) -> Floats:
    if fmt.name == "bfloat16":
        return (bits.astype(np.uint32) << 16).astype(np.uint32).view(np.float32).astype(np.float64)
    real, integer = _BITS[fmt.bits]
    return np.asarray(bits.astype(integer).view(real), dtype=np.float64)
