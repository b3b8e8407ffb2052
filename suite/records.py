"""Writing result files: JSON lines, one file for each process of a run, appended to while the run goes."""

from __future__ import annotations

import contextlib
import inspect
import json
import math
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from suite.model import RESULT_FORMAT, Change, Held, Operation, Ratio, Record, Reproduction, Side

KILLS = Path(__file__).resolve().parent.parent / "fixtures" / "kills.json"
"""Which checks reject which mutants, as ``suite.meta.kills`` measured it."""


BOUNDS = {"value": "bound", "gradient": "gradient_bound", "second derivative": "curvature_bound"}
"""What an operation has bounds of, and where they stand."""


class ReportDirectoryError(Exception):
    """The directory for results cannot be used; the text names it and why."""


def new_run_id() -> str:
    """Unique, sortable by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


class Writer:
    """Appends to ``DIRECTORY/results/RUN-PROCESS.jsonl``; every line is on disk when a method returns.

    Once a line cannot be written nothing more is: ``lost`` says why, and ``tell`` is called with it. The run goes on without.
    """

    def __init__(self, directory: Path, run: str, process: str, tell: Callable[[str], None] = lambda _: None) -> None:
        self.run = run
        self.lost = ""
        self._tell = tell
        self._start = time.monotonic()
        self.path = directory / "results" / f"{run}-{process}.jsonl"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file: TextIO = self.path.open("a", encoding="utf-8", errors="replace")
        except OSError as error:
            raise ReportDirectoryError(f"cannot write results under {directory}: {error.strerror or error}") from error

    def require(self) -> None:
        """Raises :class:`ReportDirectoryError` if anything could not be written until now."""
        if self.lost:
            raise ReportDirectoryError(self.lost)

    def begin(self, process: str, command: list[str], profile: str, seed: int, selected: int) -> None:
        """The run's first line."""
        self.line(
            kind="run", format=RESULT_FORMAT, run=self.run, process=process, started=datetime.now(UTC).isoformat(timespec="seconds"),
            command=command, profile=profile, seed=seed, selected=selected,
        )  # fmt: skip

    def environment(self, identifier: str, backend: str, facts: Mapping[str, str]) -> None:
        """Facts that change numerics or time, before the first record that refers to them."""
        self.line(kind="environment", id=identifier, backend=backend, facts=dict(facts))

    def absent(self, backend: str, reason: str, implementation: str = "", operation: str = "") -> None:
        """Something that was not measured, and why."""
        self.line(kind="absent", backend=backend, implementation=implementation, operation=operation, reason=reason)

    def catalogue(self, checks: Iterable[Any]) -> None:
        """What each ``suite.checks.Check`` states, and which mutants it rejects."""
        for check in checks:
            self.line(kind="check", name=check.name, family=check.family, type=check.kind, statement=check.statement)
        if KILLS.exists():
            self.line(kind="kills", mutants=json.loads(KILLS.read_text(encoding="utf-8")))

    def operations(self, selected: Iterable[Operation]) -> None:
        """What each operation is, as :func:`described` says it."""
        for operation in selected:
            self.line(kind="operation", **described(operation))

    def record(self, record: Record | Change | Ratio) -> None:
        """One measured fact, or what differs between two releases."""
        self.line(**record.to_json())

    def held(self, held: Held) -> None:
        """What a backend's accuracy was held against."""
        self.line(kind="held", **asdict(held))

    def side(self, side: Side) -> None:
        """One of two releases that are compared."""
        self.line(kind="side", **asdict(side))

    def entry(self, entry: Mapping[str, Any]) -> None:
        """What an entry of the casebook says, as ``suite.reproducing.catalogue`` has it."""
        self.line(kind="entry", **entry)

    def reproduction(self, reproduction: Reproduction) -> None:
        """What came of an entry on a backend."""
        self.line(kind="reproduction", verdict=reproduction.verdict, **asdict(reproduction))

    def note(self, text: str) -> None:
        """Something about the run that a reader has to know."""
        self.line(kind="note", text=text)

    def end(self, exit_status: int, finished: int) -> None:
        """The run's last line; a file without it is of an interrupted run."""
        self.line(kind="end", run=self.run, exit=exit_status, seconds=round(time.monotonic() - self._start, 3), finished=finished)

    def line(self, **data: Any) -> None:
        """Any line; NaN and infinities, which JSON lacks, become strings."""
        if self.lost:
            return
        text = json.dumps(_finite(data), ensure_ascii=False, allow_nan=False) + "\n"
        try:
            self._file.write(text)
            self._file.flush()
            if data["kind"] in ("run", "end"):
                os.fsync(self._file.fileno())
        except OSError as error:
            self.lost = f"results are lost from here on: cannot write {self.path}: {error.strerror or error}"
            self.close()
            self._tell(self.lost)

    def close(self) -> None:
        """Closes the file."""
        with contextlib.suppress(OSError):  # what it could not write, it tries to once more
            self._file.close()


def described(operation: Operation) -> dict[str, Any]:
    """An operation for a reader.

    ``name``, ``formula``, ``source`` (of the bounds), ``shape``; ``arguments``, each with ``name``, ``role``, ``differentiable`` and
    ``rows``; ``options``, keywords with the numbers that they are checked with; ``range`` and ``gradient range``, closed intervals;
    ``bounds``: how the bound of the value, the gradient and the second derivative is derived, of those that are bounded at all, as
    paragraphs.
    """
    functions = {name: getattr(operation, attribute) for name, attribute in BOUNDS.items()}
    return {
        "name": operation.name, "formula": operation.formula, "source": operation.source, "shape": operation.shape,
        "arguments": [asdict(argument) for argument in operation.arguments], "options": dict(operation.options),
        "range": list(operation.range), "gradient range": list(operation.gradient_range),
        "bounds": {name: _paragraphs(inspect.getdoc(bound) or "") for name, bound in functions.items() if bound},
    }  # fmt: skip


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split("\n\n")]


def _finite(data: Any) -> Any:
    if isinstance(data, float) and not math.isfinite(data):
        return repr(data)
    if isinstance(data, dict):
        return {k: _finite(v) for k, v in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(v) for v in data]
    return data
