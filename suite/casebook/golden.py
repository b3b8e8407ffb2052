"""The documents' own numbers, as they print them: ``fixtures/casebook.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PATH = Path(__file__).resolve().parent.parent.parent / "fixtures" / "casebook.toml"


@dataclass(frozen=True)
class Golden:
    """A number, or several, as printed, and where."""

    printed: tuple[str, ...]
    where: str

    @property
    def values(self) -> tuple[float, ...]:
        """As numbers."""
        return tuple(float(text) for text in self.printed)

    @property
    def halves(self) -> tuple[float, ...]:
        """Half a unit of each number's last printed digit: what rounding for print can hide."""
        return tuple(0.5 * 10.0 ** _last_place(text) for text in self.printed)


def _last_place(text: str) -> int:
    mantissa, _, exponent = text.lower().partition("e")
    return int(exponent or 0) - len(mantissa.partition(".")[2])


@cache
def golden() -> Mapping[str, Mapping[str, Golden]]:
    """By entry and name."""
    data = tomllib.loads(PATH.read_text(encoding="utf-8"))
    return {entry: {name: _read(number) for name, number in numbers.items()} for entry, numbers in data.items()}


def _read(number: Mapping[str, object]) -> Golden:
    printed = number["printed"]
    texts = printed if isinstance(printed, list) else [printed]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("numbers are kept as texts, with the digits that are printed")
    return Golden(tuple(str(text) for text in texts), str(number["where"]))
