"""What a file says of its functions: ``@implements("softplus", backend="jax")``. Standard library only, and nothing is looked up."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Claim:
    """A function that claims to compute an operation on a backend, and the module that says so."""

    function: Callable[..., Any]
    operation: str
    backend: str
    module: str


CLAIMS: list[Claim] = []
"""Of all files that have been imported."""

_loading: list[str] = []
"""Files that :mod:`suite.loading` is at."""


def implements(operation: str, *, backend: str) -> Callable[[_Function], _Function]:
    """Declares a function to be an implementation, for ``pytest --implementations=FILE``; the function stays what it is.

    It takes the operation's array arguments by position, as tensors of the backend, and returns the results unreduced. Decorators may
    be stacked: what is checked is what stands under the function's name in the end.
    """
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    module = frame.f_back.f_globals.get("__name__", "")

    def declare(function: _Function) -> _Function:
        CLAIMS.append(Claim(function, operation, backend, module))
        return function

    return declare


class Loading:
    """While this lasts a file is imported for its functions alone: :func:`suite.check_implementation` in it makes no tests."""

    def __init__(self, file: str) -> None:
        self._file = file

    def __enter__(self) -> None:
        _loading.append(self._file)

    def __exit__(self, *_: object) -> None:
        _loading.remove(self._file)


def is_loading() -> bool:
    """Whether a file is imported for its functions alone."""
    return bool(_loading)


def no_test(*_: Any, **__: Any) -> None:
    """What stands for ``check_implementation`` then."""
