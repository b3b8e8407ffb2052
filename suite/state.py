"""What a pytest session of the suite keeps between hooks: what is selected, what is written, what was absent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from suite import custom, machine, records
from suite.baselines import Baselines
from suite.casebook import entries
from suite.cases import PROFILES, all_cases, cases_of, in_thin_sweep, taken
from suite.checks import Check, checks
from suite.loading import Declared
from suite.model import Case, Implementation, Record, Reproduction
from suite.operations import operations
from suite.reproducing import Attempt, attempts, catalogue
from suite.selection import Selection
from suite.session import Session
from suite.shards import Output


@dataclass
class State:
    """What a session keeps between hooks."""

    selection: Selection
    device: str
    seed: int
    run: str
    process: str
    directory: Path | None
    profile: str
    time_limit: float
    writer: records.Writer | None = None
    session: Session | None = None
    finished: int = 0
    environments: set[str] = field(default_factory=set)
    absent: dict[tuple[str, str], str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    failed: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """How often a function failed a check, and whether it was judged: function, check, status."""
    idle: bool = False
    """Whether nothing fits what is selected."""
    told: set[str] = field(default_factory=set)
    report: Path | None = None
    declared: tuple[Declared, ...] = ()
    baselines: Baselines = field(default_factory=lambda: Baselines([]))
    notes: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    history: Path | None = None

    @property
    def implementations(self) -> tuple[Implementation, ...]:
        """Those that are declared."""
        return tuple(custom.implementation(d) for d in self.declared)

    @property
    def asked(self) -> set[str]:
        """Backends that are asked for by name."""
        return {backend for backend, _ in self.selection.backends} | {d.backend for d in self.declared}

    @property
    def lacks(self) -> bool:
        """Whether a backend that is asked for by name is absent."""
        return any(backend in self.asked and not implementation for backend, implementation in self.absent)

    def handed_over(self) -> dict[str, Any]:
        """What a process of xdist's tells the one that started it, in terms that can be sent."""
        absent, failed = [[*what, why] for what, why in self.absent.items()], [[*what, n] for what, n in self.failed.items()]
        counts, verdicts = dict(self.counts), dict(self.verdicts)
        lists = {"notes": self.notes, "trouble": self.trouble, "absent": absent, "failed": failed}
        return {**lists, "counts": counts, "verdicts": verdicts, "idle": self.idle}

    def take_over(self, told: dict[str, Any]) -> None:
        """The inverse; what several processes tell adds up."""
        self.notes += told["notes"]
        self.trouble += told["trouble"]
        self.counts.update(told["counts"])
        self.verdicts.update(told["verdicts"])
        self.absent.update({(backend, implementation): why for backend, implementation, why in told["absent"]})
        self.failed.update({(function, check, status): n for function, check, status, n in told["failed"]})
        self.idle |= told["idle"]

    def cases(self) -> list[Case]:
        """The selected ones: of the tables, or of what is declared."""
        if self.selection.declared:
            found: Iterable[Case] = (c for i in self.implementations for c in cases_of(i, self.device))
        else:
            found = all_cases(self.device)
        return [c for c in found if c in self.selection]

    def takes(self, check: Check, case: Case) -> bool:
        """Whether the profile takes a check on a selected case."""
        if self.selection.declared:
            return True
        return taken(PROFILES[self.profile], check, case, self.selection.narrow)

    def takes_sweep(self, output: Output) -> bool:
        """Whether the profile takes a sweep of a selected case."""
        return self.selection.narrow or not PROFILES[self.profile].thin or in_thin_sweep(output)

    def start(self, config: pytest.Config, selected: int) -> None:
        """Opens the result file."""
        if self.directory is None:
            return
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        self.writer = records.Writer(self.directory, self.run, self.process, reporter.write_line if reporter else lambda _: None)
        self.writer.begin(self.process, ["pytest", *config.invocation_params.args], self.profile, self.seed, selected)
        self.writer.environment("suite", "suite", machine.facts())
        self.writer.catalogue(checks().values())
        chosen = {case.operation for case in self.cases()}
        self.writer.operations(operation for name, operation in operations().items() if name in chosen)
        self.writer.require()

    def environment(self, backend: str, x64: bool) -> str:
        """The id of the environment that a backend runs in; its facts are written once."""
        assert self.session is not None
        processes = self.session.processes
        process = processes.process(backend, x64)
        if process.name not in self.environments:
            facts = processes.describe(backend, x64)["facts"]
            self.environments.add(process.name)
            if self.writer:
                self.writer.environment(process.name, backend, facts)
        return process.name

    def keep(self, record: Record) -> None:
        """Counts a record and writes it."""
        self.counts[record.status] += 1
        if record.status in ("fail", "error"):
            case = record.case
            self.failed[f"{case.operation}, {case.backend}, {case.implementation}", record.check, record.status] += 1
        if self.writer:
            self.writer.record(record)

    @property
    def results(self) -> str:
        """The pattern of the run's result files."""
        return f"{self.directory}/results/{self.run}-*.jsonl"

    def conclude(self, exit_status: int, signal: str) -> None:
        """Writes what is to be said at the end, and closes the result file; a ``signal`` may have stopped the run."""
        self.notes += [f"stopped by {signal}"] if signal else []
        self.notes += self.baselines.notes(self.results if self.writer else "RESULT-FILES")
        if self.writer:
            for held in self.baselines.held():
                self.writer.held(held)
            for note in self.notes:
                self.writer.note(note)
            self.writer.end(exit_status, self.finished)
            self.writer.close()
            self.trouble += [self.writer.lost] if self.writer.lost else []

    def attempts(self) -> list[Attempt]:
        """The casebook on the selected backends; nothing where single functions are asked for."""
        chosen = {backend for backend, _ in self.selection.backends}
        return [] if self.selection.narrow else [a for a in attempts() if not chosen or a.backend in chosen]

    def keep_reproduction(self, reproduction: Reproduction) -> None:
        """Counts it and writes it, after what its entry says."""
        self.verdicts[reproduction.verdict] += 1
        if self.writer:
            if reproduction.entry not in self.told:
                self.told.add(reproduction.entry)
                self.writer.entry(catalogue(entries()[reproduction.entry]))
            self.writer.reproduction(reproduction)

    def note_absent(self, backend: str, reason: str, implementation: str = "", operation: str = "") -> None:
        """Remembers, and writes once, what could not be measured."""
        if (backend, implementation) not in self.absent:
            self.absent[backend, implementation] = reason
            if self.writer:
                self.writer.absent(backend, reason, implementation, operation)
