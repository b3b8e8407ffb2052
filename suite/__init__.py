"""logitbench: are sigmoid, softmax, the cross-entropies and their gradients right, how fast are they, did they get worse?

For implementations of one's own: :func:`implements` declares one in a file, :func:`check_implementation` makes tests of one.
"""

from __future__ import annotations

import importlib
from typing import Any

from suite.declared import implements, is_loading, no_test

__all__ = ["check_implementation", "implements"]


def __getattr__(name: str) -> Any:
    """``check_implementation`` needs all of the suite, which nobody else who imports this package should have to wait for."""
    if name == "check_implementation":
        return no_test if is_loading() else importlib.import_module("suite.custom").check_implementation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
