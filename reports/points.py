"""Inputs and results of a record: numbers as hexadecimal literals, their bit patterns, and values that may be anything."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTHS = {"float16": (16, 11), "bfloat16": (16, 8), "float32": (32, 24), "float64": (64, 53)}
"""Width and precision of the formats."""

_PACKING = {name: struct.Struct(f">{code}") for name, code in (("float16", "e"), ("bfloat16", "f"), ("float32", "f"), ("float64", "d"))}
"""How they are packed; a bfloat16 is the upper half of a float32."""

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
    packing = _PACKING[dtype]
    try:
        packed = packing.pack(number)
    except OverflowError:
        return None
    if packing.unpack(packed)[0] != number:
        return None
    bits = int.from_bytes(packed, "big")
    return bits if dtype != "bfloat16" else None if bits & 0xFFFF else bits >> 16


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
