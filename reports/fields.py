"""Fields of a result line, checked as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def string(data: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """A text; raises ``KeyError`` if it is missing and there is no ``default``, ``TypeError`` if it is none."""
    value = data[key] if default is None else data.get(key, default)
    if not isinstance(value, str):
        raise TypeError(f"{key!r} must be a string")
    return value


def whole(data: Mapping[str, Any], key: str, default: int | None = None) -> int:
    """A whole number; raises ``KeyError`` if it is missing and there is no ``default``, ``TypeError`` if it is none."""
    value = data[key] if default is None else data.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{key!r} must be a whole number")
    return value


def real(data: Mapping[str, Any], key: str) -> float | None:
    """A number, or ``None`` where there is none; raises ``TypeError`` on anything else. Infinities and NaN come as strings."""
    value = data.get(key)
    if value is None:
        return None
    if value in ("inf", "-inf", "nan"):
        return float(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{key!r} must be a number, 'inf', '-inf', 'nan' or null")
    return float(value)


def object_of_strings(data: Mapping[str, Any], key: str) -> dict[str, str]:
    """An object whose values are texts; raises ``KeyError`` if it is missing, ``TypeError`` if it is none."""
    value = data[key]
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise TypeError(f"{key!r} must be an object of strings")
    return value


def any_object(data: Mapping[str, Any], key: str) -> None:
    """Raises ``TypeError`` unless it is an object or missing."""
    if not isinstance(data.get(key, {}), dict):
        raise TypeError(f"{key!r} must be an object")


def one_of(data: Mapping[str, Any], key: str, known: tuple[str, ...]) -> Any:
    """A text among those ``known``; raises ``ValueError`` on another."""
    value = string(data, key)
    if value not in known:
        raise ValueError(f"unknown {key} {value!r}; known are {', '.join(known)}")
    return value
