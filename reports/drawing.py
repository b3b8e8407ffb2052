"""What still pictures are drawn with: elements of SVG, texts, lines, and scales with their ticks."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from suite.model import Axis

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b5568f", "#e69f00", "#56b4e9", "#33383e")
TEXT, SOFT = "#1b1f24", "#59636e"

_LARGEST = 1e300
"""Numbers beyond are drawn here, so that a difference of two is finite."""
_POWERS = 300.0
"""Logarithms beyond are drawn here, so that there are numbers around them."""
_TICKS = 6
"""On an axis at most."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(name: str, *children: str, **attributes: str | float) -> str:
    """An element; an attribute's underscores stand for hyphens, and its value is escaped."""
    written = "".join(f' {key.replace("_", "-")}="{_escaped(value)}"' for key, value in attributes.items())
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def _escaped(value: str | float) -> str:
    return html.escape(_NOT_XML.sub("\ufffd", value)) if isinstance(value, str) else f"{value:.6g}"


def words(x: float, y: float, text: str, anchor: str, size: float, **more: str) -> str:
    """A line of text."""
    return element("text", _escaped(text), x=round(x, 1), y=round(y, 1), text_anchor=anchor, font_size=size, **more)


def sign(x: float, y: float) -> bool:
    """Whether a point can be drawn."""
    return math.isfinite(x) and math.isfinite(y)


def path(points: Iterable[tuple[float, float]]) -> str:
    """A line through points, to a tenth of a pixel; broken where one cannot be drawn."""
    parts, last, command = [], "", "M"
    for x, y in points:
        if not sign(x, y):
            command = "M"
            continue
        at = f"{x:.1f} {y:.1f}"
        if at != last or command == "M":
            parts.append(command + at)
        last, command = at, "L"
    return "".join(parts)


@dataclass(frozen=True)
class Scale:
    """From numbers, or their logarithms, between ``low`` and ``high`` to places between ``start`` and ``stop``."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    @classmethod
    def fit(cls, axis: Axis, values: Iterable[float], start: float, stop: float) -> Scale:
        """One that an axis' range asks for, or that has room for all values that can be drawn."""
        found = [v for v in map(_log if axis.log else _linear, axis.range or values) if math.isfinite(v)]
        low, high = min(found, default=0.0), max(found, default=1.0)
        room = 0.0 if axis.range and high > low else 0.04 * (high - low) or max(0.5, 0.04 * abs(high))
        return cls(low - room, high + room, start, stop, axis.log)

    def __call__(self, value: float) -> float:
        """The place of a number; NaN where it has none."""
        share = ((_log if self.log else _linear)(value) - self.low) / (self.high - self.low)
        return self.start + min(max(share, -9.0), 10.0) * (self.stop - self.start) if math.isfinite(share) else math.nan

    @cached_property
    def ticks(self) -> list[tuple[float, str]]:
        """Places with the round numbers that stand there."""
        if self.log and self.high - self.low >= 2:
            apart = max(1, math.ceil((self.high - self.low) / _TICKS))
            powers = range(math.ceil(self.low / apart) * apart, math.floor(self.high) + 1, apart)
            return [(self._place(power), f"1e{power}" if abs(power) > 2 else f"{10.0**power:g}") for power in powers]
        low, high = (10.0**self.low, 10.0**self.high) if self.log else (self.low, self.high)
        step = _step(high - low)
        numbers = [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
        return [(self(number), f"{number:.6g}") for number in numbers]

    def _place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)


def _step(span: float) -> float:
    """The smallest of 1, 2, 5, 10 times a power of ten that cuts a span into few pieces."""
    power = 10.0 ** math.floor(math.log10(span / _TICKS))
    return next(step for factor in (1, 2, 5, 10, 20) if span / (step := factor * power) <= _TICKS)


def _linear(value: float) -> float:
    return min(max(value, -_LARGEST), _LARGEST) if math.isfinite(value) else math.nan


def _log(value: float) -> float:
    return min(max(math.log10(value), -_POWERS), _POWERS) if value > 0 and math.isfinite(value) else math.nan
