"""What an entry of the casebook is, and what its judgement is written with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from suite.lab import Lab

if TYPE_CHECKING:
    from suite.casebook.account import Account

Arrays = Mapping[str, NDArray[Any]]
Experiment = Callable[[Lab, Arrays], Mapping[str, Any]]
"""(the framework, the entry's data) → what was measured, numbers and arrays by name. It runs in the framework's process."""


@dataclass(frozen=True)
class Entry:
    """A claim of a document: how it is reproduced and judged.

    ``claim`` puts it in our words, ``method`` says how it is reproduced. ``experiments`` are by backend; one under ``keras`` is for Keras
    on whatever backend, one under the empty name for every other. ``cannot`` says in the same way why a backend cannot express it.
    ``judge`` turns what was measured into statements, figures and tables. ``data`` names data sets of :mod:`suite.casebook.data`, whose
    arrays come as ``name.array``. With ``x64`` JAX's 64-bit switch is on.
    """

    id: str
    title: str
    document: str
    claim: str
    method: str
    experiments: Mapping[str, Experiment]
    judge: Callable[[Account], None]
    data: tuple[str, ...] = ()
    x64: bool = False
    cannot: Mapping[str, str] = field(default_factory=dict)

    def experiment(self, backend: str) -> Experiment | None:
        """The one for a backend; None if it cannot express the claim."""
        return None if self.reason(backend) else _named(self.experiments, backend)

    def reason(self, backend: str) -> str:
        """Why a backend cannot express the claim; empty if it can."""
        return _named(self.cannot, backend) or ""


def _named(table: Mapping[str, Any], backend: str) -> Any:
    """What stands under a backend's name, or under its family's, or under none."""
    return next((table[name] for name in (backend, backend.partition("-")[0], "") if name in table), None)
