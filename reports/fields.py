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
