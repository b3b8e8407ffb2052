"""Inputs and results of a record: numbers as hexadecimal literals, their bit patterns, and values that may be anything."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTHS = {"float16": (16, 11), "bfloat16": (16, 8), "float32": (32, 24), "float64": (64, 53)}
"""Width and precision of the formats."""

EXACT = 2**53
"""Integers below are the same in JSON, Python and a browser."""


@dataclass(frozen=True)
class Point:
    """An input, or a pair of them."""

    numbers: tuple[float, ...]

    @property
    def hexadecimal(self) -> str:
        """Bit for bit, without the zeros that a float's literal ends in."""
        return self._listed([re.sub(r"\.?0*p", "p", number.hex()) for number in self.numbers])

    @property
    def decimal(self) -> str:
        """To six digits."""
        return self._listed([f"{number:.6g}" for number in self.numbers])

    def _listed(self, parts: Sequence[str]) -> str:
        return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


def point(value: Any, most: int = 2) -> Point | None:
    """An input from a record: a hexadecimal float, or a list of some, of two if no more are allowed."""
    numbers = [real(part) for part in (value if isinstance(value, list) else [value])]
    known = tuple(number for number in numbers if number is not None)
    return Point(known) if len(known) == len(numbers) and 0 < len(known) <= most else None


def pattern(dtype: str, number: float) -> int | None:
    """The bit pattern of a number in its format; ``None`` if it is none of the format's numbers."""
    bits, precision = WIDTHS[dtype]
    infinity = ((1 << (bits - precision)) - 1) << (precision - 1)
    emin = 2 - (1 << (bits - precision - 1))
    sign = (1 << (bits - 1)) if math.copysign(1.0, number) < 0 else 0
    if number == 0 or math.isinf(number):
        return sign | (infinity if number else 0)
    if math.isnan(number):
        return None
    if dtype == "float64":
        return int(struct.unpack(">Q", struct.pack(">d", number))[0])
    exponent = max(math.frexp(number)[1] - 1, emin)
    steps = math.ldexp(abs(number), precision - 1 - exponent)
    magnitude = int(steps) + ((exponent - emin) << (precision - 1))
    return sign | magnitude if steps == int(steps) and magnitude < infinity else None


def real(value: Any) -> float | None:
    """A number from its hexadecimal literal."""
    try:
        return float.fromhex(value) if isinstance(value, str) else None
    except (OverflowError, ValueError):
        return None


def whole(value: Any) -> int | None:
    """A count."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < EXACT else None


def listed(value: Any) -> list[Any]:
    """A list, empty if it is none."""
    return value if isinstance(value, list) else []
