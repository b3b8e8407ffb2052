"""A comparison of two releases while it goes: case by case, and what has been found until now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tqdm import tqdm

from suite import custom, records
from suite.cases import Profile, fitting, in_thin_sweep, swept_outputs, taken
from suite.checks import Check, checks
from suite.checks.accuracy import CHECKS as ACCURACY
from suite.model import Case, Change, Ratio
from suite.processes import Absent, WorkerError, needs_x64
from suite.release import Release
from suite.shards import Output
from suite.upgrade import Upgrade

AHEAD = 4
"""Cases whose work is announced before it is waited for, so that both releases compile meanwhile."""


@dataclass
class Found:
    """What has been found so far, as it stands on disk; ``unmeasured`` says what could not be compared."""

    writer: records.Writer | None
    changes: list[Change] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    unmeasured: list[str] = field(default_factory=list)

    def keep(self, *found: Change | Ratio) -> None:
        """Writes changes, and ratios."""
        for one in found:
            if isinstance(one, Change):
                self.changes.append(one)
            else:
                self.ratios.append(one)
            if self.writer:
                self.writer.record(one)

    def note_absent(self, backend: str, reason: str, implementation: str = "", operation: str = "") -> None:
        """Writes, once, what is not compared."""
        key = ", ".join(filter(None, (backend, operation, implementation)))
        if key not in self.absent:
            self.absent[key] = reason
            if self.writer:
                self.writer.absent(backend, reason, implementation, operation)

    @property
    def exit_code(self) -> int:
        """Whether an upgrade has anything against it."""
        slower = any(r.verdict in ("slower", "not measured") for r in self.ratios)
        return int(slower or bool(self.unmeasured) or any(c.direction == "worse" for c in self.changes))


@dataclass
class Numerics:
    """The comparison of numerics over the selected cases."""

    upgrade: Upgrade
    cases: list[Case]
    found: Found
    profile: Profile
    narrow: bool

    def start(self) -> None:
        """Starts all processes, writes what they are, and leaves out the cases of those that cannot be started."""
        needed = list(dict.fromkeys((c.backend, needs_x64(c)) for c in self.cases))
        sides = {"old": self.upgrade.old, "new": self.upgrade.new}
        with ThreadPoolExecutor(len(sides)) as pool:
            reasons = dict(zip(sides, pool.map(lambda release: [_reason(release, *one) for one in needed], sides.values()), strict=True))
        for side, release in sides.items():
            for (backend, x64), reason in zip(needed, reasons[side], strict=True):
                if reason:
                    self.found.note_absent(backend, f"{side}: {reason}")
                    self.found.unmeasured.append(f"{backend} cannot be started in the {side} release: {reason}")
                    self.cases = [c for c in self.cases if (c.backend, needs_x64(c)) != (backend, x64)]
                elif self.found.writer:
                    name = f"{side} {release.processes.process(backend, x64).name}"
                    self.found.writer.environment(name, backend, release.processes.describe(backend, x64)["facts"])
        self.keep_what_is_there()

    def keep_what_is_there(self) -> None:
        """Leaves out the cases whose implementation one of the releases lacks, and says so of those that the other has."""
        self.cases = [c for c in self.cases if self._is_there(c)]
        if not self.cases:
            self.found.unmeasured.append("nothing of what is selected is there in both releases")

    def _is_there(self, case: Case) -> bool:
        """Whether both releases have the implementation. One that the new release lacks is worse than any of its results."""
        old, new = self.upgrade.old.missing(case), self.upgrade.new.missing(case)
        key = f"{case.backend}, {case.operation}, {case.implementation}"
        if bool(old) != bool(new) and key not in self.found.absent:
            self.found.note_absent(case.backend, f"old: {old}" if old else f"new: {new}", case.implementation, case.operation)
            if new:
                self.found.keep(Change(case, "is there", "worse", message=f"{case.implementation} is gone: {new}"))
        return not (old or new)

    def work(self, case: Case) -> tuple[list[tuple[Check, Case]], list[Output]]:
        """The checks and sweeps that the profile takes; those of accuracy first."""
        own = self.upgrade.old.implementation(case)
        every = bool(own.file)
        mine = [k for k in checks().values() if fitting(k, case, own) and (every or taken(self.profile, k, case, self.narrow))]
        outputs = custom.outputs_of(case) if every else list(swept_outputs(case))
        outputs = [o for o in outputs if every or self.narrow or not self.profile.thin or in_thin_sweep(o)]
        return [(k, case) for k in sorted(mine, key=lambda k: k not in ACCURACY)], outputs

    def run(self) -> None:
        """Compares case by case, and keeps what is found; a progress bar on a terminal."""
        todo = [(case, *self.work(case)) for case in self.cases]
        try:
            with tqdm(total=sum(len(w) + len(o) for _, w, o in todo), unit=" checks", disable=None, dynamic_ncols=True) as bar:
                for place, (case, pairs, outputs) in enumerate(todo):
                    for _, checked, swept in todo[place + AHEAD - 1 : place + AHEAD] if place else todo[:AHEAD]:
                        self.upgrade.announce(checked, swept)
                    bar.set_description(case.id, refresh=False)
                    for changes in self._compared(pairs, outputs):
                        self.found.keep(*changes)
                        bar.update()
                    if place + 1 == len(todo) or todo[place + 1][0].operation != case.operation:
                        self.upgrade.forget({c for c, *_ in todo[: place + 1]})
        finally:
            self.found.unmeasured += self.upgrade.dead

    def _compared(self, pairs: Iterable[tuple[Check, Case]], outputs: Iterable[Output]) -> Iterator[list[Change]]:
        for check, case in pairs:
            yield self.upgrade.compare(check, case)
        for output in outputs:
            yield self.upgrade.compare_sweep(output)


def _reason(release: Release, backend: str, x64: bool) -> str:
    """Why a process cannot be used; empty if it can."""
    try:
        release.processes.describe(backend, x64)
    except (Absent, WorkerError) as error:
        return str(error)
    return ""
