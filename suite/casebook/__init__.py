"""The casebook: every claim of the documents that the suite comes from, reproduced; a module for each, found by name.

A module ``cNN_….py`` has an ``ENTRY``. Its experiments run in the frameworks' processes, where NumPy and the framework are all there
is; what they measure is judged in the suite's own.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from suite.casebook.base import Entry

__all__ = ["Entry", "entries"]


@cache
def entries() -> dict[str, Entry]:
    """Every entry by its number, ``C1`` first."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name[:1] == "c" and module.name[1:3].isdigit())
    found = (importlib.import_module(f"{__name__}.{name}").ENTRY for name in names)
    return {entry.id: entry for entry in found}
