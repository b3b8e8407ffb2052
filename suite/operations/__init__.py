"""The operations: what is claimed to be computed, with its exact definition and its error bound. One module for each kind."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from suite.model import Operation

__all__ = ["operations"]

_ORDER = ("elementary", "logistic", "softmax", "pairs", "binary", "categorical", "reductions")


@cache
def operations() -> dict[str, Operation]:
    """Every operation by name: from the building blocks to the losses, modules not listed in that order last."""
    modules = sorted((m.name for m in pkgutil.iter_modules(__path__)), key=lambda n: (n not in _ORDER, (*_ORDER, n).index(n), n))
    found: dict[str, Operation] = {}
    for module in modules:
        for operation in getattr(importlib.import_module(f"{__name__}.{module}"), "OPERATIONS", ()):
            found[operation.name] = operation
    return found
