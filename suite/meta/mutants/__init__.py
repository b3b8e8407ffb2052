"""Faulty implementations, each with the checks that must reject it. They compute in the dtype of their arguments.

Most were found in a released framework. Each module here has a ``MUTANTS`` tuple. A check in ``suite.checks`` without a mutant here
fails ``test_mutants.py``.
"""

from __future__ import annotations

import importlib
import pkgutil

from suite.meta.mutants.base import Mutant

__all__ = ["MUTANTS", "Mutant"]

_MODULES = sorted(m.name for m in pkgutil.iter_modules(__path__))
MUTANTS: tuple[Mutant, ...] = tuple(
    mutant for name in _MODULES for mutant in getattr(importlib.import_module(f"{__name__}.{name}"), "MUTANTS", ())
)
"""All of them."""
