"""From an entry of the casebook to what came of it on a backend: the experiment in the framework's process, then its judgement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.backends import backends
from suite.casebook import Entry, entries
from suite.casebook.account import Account
from suite.casebook.data import DATASETS, arrays, digest
from suite.model import Reproduction
from suite.processes import Process, Processes, Request, WorkerError


@dataclass(frozen=True)
class Attempt:
    """An entry of the casebook on a backend that can express it."""

    entry: Entry
    backend: str

    @property
    def id(self) -> str:
        """``C15-jax``."""
        return f"{self.entry.id}-{self.backend}"

    @property
    def x64(self) -> bool:
        """Whether it runs in a process of its own, with the 64-bit switch on."""
        return self.entry.x64 and backends()[self.backend].needs_x64


def attempts() -> Iterator[Attempt]:
    """Every entry on every backend that can express it, entry by entry, so that all backends have work from the start."""
    for entry in entries().values():
        yield from (Attempt(entry, name) for name, b in backends().items() if b.has_gradient and entry.experiment(name))


def data(entry: Entry) -> dict[str, NDArray[Any]]:
    """The entry's data, as ``name.array``."""
    return {f"{name}.{key}": array for name in entry.data for key, array in arrays(name).items()}


def catalogue(entry: Entry) -> dict[str, Any]:
    """What the report says of an entry, whatever came of it."""
    names = [name for name, backend in backends().items() if backend.has_gradient]
    return {
        "entry": entry.id, "title": entry.title, "document": entry.document, "claim": entry.claim, "method": entry.method,
        "cannot": {name: entry.reason(name) for name in names if entry.reason(name)},
        "data": [[DATASETS[name].description, digest(name)] for name in entry.data],
    }  # fmt: skip


def announce(processes: Processes, attempt: Attempt) -> None:
    """Queues the experiment, so that all frameworks are at work."""
    processes.announce(*_asked(processes, attempt))


def measure(processes: Processes, attempt: Attempt) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, str]]:
    """What the experiment finds, and the facts of the process that it runs in; raises :class:`WorkerError` or ``Absent``."""
    return processes.answer(*_asked(processes, attempt))[1], processes.describe(attempt.backend, attempt.x64)["facts"]


def reproduce(processes: Processes, attempt: Attempt, environment: str) -> Reproduction:
    """Runs the experiment and judges what it found; whatever is raised on the way is the result."""
    entry = attempt.entry
    try:
        header, measured = processes.answer(*_asked(processes, attempt))
        facts: Mapping[str, str] = processes.describe(attempt.backend, attempt.x64)["facts"]
        account = Account(entry.id, attempt.backend, measured, data(entry), facts)
        with np.errstate(all="ignore"):
            entry.judge(account)
    except WorkerError as error:
        return Reproduction(entry.id, attempt.backend, error=str(error), environment=environment)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return Reproduction(entry.id, attempt.backend, error=f"cannot be judged: {type(error).__name__}: {error}", environment=environment)
    return Reproduction(
        entry.id, attempt.backend, tuple(account.statements), tuple(account.figures), tuple(account.tables),
        seconds=round(header["seconds"], 3), environment=environment,
    )  # fmt: skip


def _asked(processes: Processes, attempt: Attempt) -> tuple[Any, Process, Request]:
    experiment = attempt.entry.experiment(attempt.backend)
    assert experiment is not None
    header = {"do": "experiment", "module": experiment.__module__, "function": experiment.__name__}
    return ("experiment", attempt.id), processes.process(attempt.backend, attempt.x64), Request(header, data(attempt.entry))


def message(reproduction: Reproduction) -> str:
    """Why a reproduction failed; empty if it did not."""
    if reproduction.error:
        return f"{reproduction.entry} on {reproduction.backend}: {reproduction.error}"
    if not reproduction.statements:
        return f"{reproduction.entry} on {reproduction.backend} states nothing"
    failed = [s for s in reproduction.statements if not s.holds]
    lines = [f"  {s.text}\n    measured {s.measured or '–'}, wanted {s.wanted or '–'}" for s in failed]
    return "\n".join([f"{reproduction.entry} on {reproduction.backend}: does not hold:", *lines]) if lines else ""
