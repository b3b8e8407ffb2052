"""The checks: what must hold. Each module here has a ``CHECKS`` tuple; :func:`checks` finds them all."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from suite.checks.base import Check

__all__ = ["Check", "checks"]


@cache
def checks() -> dict[str, Check]:
    """Every check by name, families together."""
    modules = sorted(m.name for m in pkgutil.iter_modules(__path__))
    found = [c for m in modules for c in getattr(importlib.import_module(f"{__name__}.{m}"), "CHECKS", ())]
    return {c.name: c for c in sorted(found, key=lambda c: ("stability", "equivalence", "vanishing").index(c.family))}
