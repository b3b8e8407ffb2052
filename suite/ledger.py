"""The file that a sweep's finished shards are kept in, so that an interrupted sweep can go on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite import machine, records, shards
from suite.commandline import complain
from suite.shards import Output


class SweepError(Exception):
    """The sweep cannot begin or continue; the text names the option or the file."""


@dataclass
class Ledger:
    """The file of finished shards. Its first line is the plan, every other one a shard.

    ``named`` are the backends that were asked for by name, ``places`` what is known of where each backend's shards are computed,
    ``machine`` the facts of this one before a cluster has changed any variable.
    """

    path: Path
    run: str
    outputs: list[Output]
    part: tuple[int, int] | None = None
    named: tuple[str, ...] = ()
    done: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    places: dict[str, Mapping[str, str]] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=machine.facts)

    def __post_init__(self) -> None:
        self.groups = shards.grouped(self.outputs)

    @classmethod
    def begin(cls, directory: Path, outputs: list[Output], part: tuple[int, int] | None, named: Iterable[str] = ()) -> Ledger:
        """A new one, that is not on disk until :meth:`open`."""
        run = records.new_run_id()
        return cls(directory / "sweeps" / f"{run}.jsonl", run, outputs, part, tuple(named))

    def open(self) -> None:
        """Writes the plan, unless it stands there."""
        if self.path.exists():
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SweepError(f"--report: cannot write under {self.path.parent.parent}: {error.strerror or error}") from error
        plan = {"kind": "plan", "version": shards.VERSION, "run": self.run, "machine": self.machine, "part": self.part}
        self._append({**plan, "named": self.named, "outputs": [o.to_json() for o in self.outputs]})

    @classmethod
    def resume(cls, directory: Path) -> Ledger:
        """The latest one, finished or not, without its shards that ended in an error. A last line that was cut off is dropped."""
        files = sorted((directory / "sweeps").glob("*.jsonl"))
        if not files:
            raise SweepError(f"--resume: there is no sweep under {directory / 'sweeps'}")
        path = files[-1]
        whole = _whole_lines(path)
        try:
            lines = [json.loads(line) for line in whole]
            plan = {"version": 1, **lines[0]}
            outputs = [Output.from_json(o) for o in plan["outputs"]]
            part = tuple(plan["part"]) if plan.get("part") else None
            finished = (line for line in lines[1:] if not any("error" in o for o in line["outputs"]))
            done = {(line["group"], line["shard"]): line for line in finished}
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise SweepError(f"--resume: {path} is not a sweep's file: {error}") from error
        if plan["version"] != shards.VERSION:
            raise SweepError(f"--resume: {path} was begun by another version of this command, which counts otherwise; begin a new sweep")
        ledger = cls(path, plan["run"], outputs, part, tuple(plan["named"]), done)
        if plan["machine"] != ledger.machine:
            raise SweepError(f"--resume: {path} was begun on another machine, or with other settings; begin a new sweep")
        for line in done.values():
            ledger._check_place(line)
        return ledger

    def keep(self, task: Mapping[str, Any], result: dict[str, Any]) -> None:
        """Writes a finished shard.

        Raises:
            SweepError: it was computed with another release, setting or CPU than the others of its backend, or by another version of the
                suite.
        """
        line = {"kind": "shard", "group": task["group"], "shard": task["shard"], **result}
        self._check_place(line)
        self._append(line)
        self.done[task["group"], task["shard"]] = line

    def results(self, directory: Path, command: list[str]) -> records.Writer:
        """The sweep's result file, in place of one that there may be, with what comes before the records."""
        path = directory / "results" / f"{self.run}-sweep.jsonl"
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise SweepError(f"--report: cannot write {path}: {error.strerror or error}") from error
        writer = records.Writer(directory, self.run, "sweep", complain)
        writer.begin("sweep", command, "sweep", 0, len(self.outputs))
        writer.environment("suite", "suite", self.machine)
        writer.operations({output.operation.name: output.operation for output in self.outputs}.values())
        return writer

    def place(self, group: str) -> str:
        """What a group's environment goes by."""
        case = self.groups[group][0].case
        return f"{case.backend}-{case.device}"

    def _check_place(self, line: Mapping[str, Any]) -> None:
        """One digest over results of two releases or CPUs would say nothing of either."""
        named = f"shard {line['shard']} of {line['group']}"
        if line.get("version") != shards.VERSION:
            raise SweepError(f"{named} was computed by another version of the suite: workers need the same checkout")
        absent = all("absent" in o for o in line["outputs"])
        if not line["facts"] and not absent:
            return
        here = line["facts"] or {"absent": "yes"}
        there = self.places.setdefault(self.place(line["group"]), here)
        if differing := sorted(k for k in {*here, *there} if here.get(k) != there.get(k)):
            values = ", ".join(f"{k} ({there.get(k, '')[:40]!r} there, {here.get(k, '')[:40]!r} here)" for k in differing[:5])
            raise SweepError(
                f"{named} was computed elsewhere than others of its backend: {values}; a backend's shards need the same releases, settings "
                "and kind of CPU: begin a new sweep, on workers that are alike"
            )

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise SweepError(f"--report: cannot write {self.path}: {error.strerror or error}") from error

    def tasks(self) -> list[dict[str, Any]]:
        """What is still to be done; a backend that turned out to be absent is not asked again."""
        gone = {group for (group, _), line in self.done.items() if all("absent" in o for o in line["outputs"])}
        return [t for t in shards.tasks(self.groups, self.done, self.part) if t["group"] not in gone]

    def finished(self) -> Iterator[tuple[Output, list[dict[str, Any]]]]:
        """(output, its answers in the order of the inputs), for outputs whose shards are all there."""
        for name, members in self.groups.items():
            lines = [self.done[key] for key in sorted(k for k in self.done if k[0] == name)]
            wanted = len(shards.numbers(members[0], self.part))
            for place, output in enumerate(members):
                answers = [line["outputs"][place] for line in lines]
                if len(lines) == wanted or any("absent" in a for a in answers):
                    yield output, answers


def _whole_lines(path: Path) -> list[str]:
    """The file's complete lines; what a killed process left behind them is cut off."""
    try:
        data = path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end < len(data):
            with path.open("r+b") as file:
                file.truncate(end)
        return data[:end].decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SweepError(f"--resume: {path}: {error}") from error
