"""The backends: one module each, found by name, importable without the framework that it speaks for."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from suite.backends.base import Backend

__all__ = ["Backend", "backends"]


@cache
def backends() -> dict[str, Backend]:
    """Every backend by name, in the modules' alphabetical order, the baseline first."""
    found: dict[str, Backend] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: (m.name != "numpy", m.name)):
        for backend in getattr(importlib.import_module(f"{__name__}.{module.name}"), "BACKENDS", ()):
            found[backend.name] = backend
    return found
