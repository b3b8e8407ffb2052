"""Every input of a format: ``python -m suite.sweep``.

Each result is compared with the correctly rounded one, shard by shard; finished shards are on disk, and an interrupted sweep is continued
with ``--resume``. The outcome is a result file like any other, and a report.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from suite import cluster, elementary, machine, records, search, shards, verdicts
from suite.backends import backends
from suite.floats import FORMATS
from suite.limitations import LimitationsError
from suite.model import Case, Operation, Record
from suite.operations import operations
from suite.processes import Absent, Processes, WorkerError
from suite.session import canonical, load_limitations
from suite.shards import ORDERS, Output

ROOT = Path(__file__).resolve().parent.parent
USUAL = ("sigmoid", "log_sigmoid", "softplus", "relu", "softmax", "binary_cross_entropy_with_logits")
"""What is swept over all of float32, and searched in float64, where no operation is asked for."""


class SweepError(Exception):
    """The sweep cannot begin or continue; the text names the option or the file."""


# The plan: which outputs


def pieces(operation: Operation, pairs: bool) -> list[int]:
    """Places of the operation's slices of one number, or of two."""
    return [i for i, s in enumerate(operation.slices) if (s.arity > 1) == pairs]


def planned(options: argparse.Namespace) -> list[Output]:
    """The outputs that the options select, backend by backend."""
    found = []
    for name, modes in options.backend.items():
        backend = backends()[name]
        for dtype in (d for d in options.dtype if d in backend.dtypes):
            for implementation in backend.implementations:
                if not _selected(options, name, implementation.operation, implementation.name, dtype) or dtype not in implementation.dtypes:
                    continue
                operation = operations()[implementation.operation]
                deepest = 1 if not backend.has_gradient else 3 if FORMATS[dtype].bits == 16 else 2
                cases = [Case(operation.name, name, implementation.name, m, dtype, options.device) for m in modes or backend.swept]
                found += [
                    Output(case, piece, order)
                    for case in cases
                    for piece in pieces(operation, options.pairs)
                    for order in range(min(deepest, len(operation.slices[piece].curves)))
                    if ORDERS[order] in options.only
                ]
    return found


def _selected(options: argparse.Namespace, backend: str, operation: str, implementation: str, dtype: str) -> bool:
    if options.operation:
        if operation not in options.operation:
            return False
    elif FORMATS[dtype].bits > 16 and operation not in USUAL:
        return False
    first = canonical(backend, operation)
    return options.all_implementations or (first is not None and first.name == implementation)


# The state: shards as they finish


@dataclass
class State:
    """The file of finished shards. Its first line is the plan, every other one a shard."""

    path: Path
    run: str
    outputs: list[Output]
    part: tuple[int, int] | None = None
    done: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def begin(cls, directory: Path, outputs: list[Output], part: tuple[int, int] | None) -> State:
        """A new one."""
        run = records.new_run_id()
        state = cls(directory / "sweeps" / f"{run}.jsonl", run, outputs, part)
        try:
            state.path.parent.mkdir(parents=True, exist_ok=True)
            plan = {"kind": "plan", "run": run, "machine": machine.facts(), "part": part, "outputs": [o.to_json() for o in outputs]}
            state._append(plan)
        except OSError as error:
            raise SweepError(f"--report: cannot write under {directory}: {error.strerror or error}") from error
        return state

    @classmethod
    def resume(cls, directory: Path) -> State:
        """The latest one, finished or not, without its shards that ended in an error. A last line that was cut off is dropped."""
        files = sorted((directory / "sweeps").glob("*.jsonl"))
        if not files:
            raise SweepError(f"--resume: there is no sweep under {directory / 'sweeps'}")
        path = files[-1]
        whole = _whole_lines(path)
        try:
            lines = [json.loads(line) for line in whole]
            plan = lines[0]
            outputs = [Output.from_json(o) for o in plan["outputs"]]
            part = tuple(plan["part"]) if plan.get("part") else None
            finished = (line for line in lines[1:] if not any("error" in o for o in line["outputs"]))
            done = {(line["group"], line["shard"]): line for line in finished}
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise SweepError(f"--resume: {path} is not a sweep's file: {error}") from error
        if plan["machine"] != machine.facts():
            raise SweepError(f"--resume: {path} was begun on another machine, or with other settings; begin a new sweep")
        return cls(path, plan["run"], outputs, part, done)

    def keep(self, task: dict[str, Any], result: dict[str, Any]) -> None:
        """Writes a finished shard."""
        line = {"kind": "shard", "group": task["group"], "shard": task["shard"], **result}
        self._append(line)
        self.done[task["group"], task["shard"]] = line

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def tasks(self) -> list[dict[str, Any]]:
        """What is still to be done; a backend that turned out to be absent is not asked again."""
        gone = {group for (group, _), line in self.done.items() if all("absent" in o for o in line["outputs"])}
        return [t for t in shards.tasks(self.outputs, set(self.done), self.part) if t["group"] not in gone]

    def finished(self) -> Iterator[tuple[Output, list[dict[str, Any]], list[dict[str, Any]]]]:
        """(output, its answers, the shards' lines), in the order of the inputs, for outputs whose shards are all there."""
        groups: dict[str, list[Output]] = {}
        for output in self.outputs:
            groups.setdefault(shards.group(output), []).append(output)
        for name, members in groups.items():
            lines = [self.done[key] for key in sorted(k for k in self.done if k[0] == name)]
            wanted = len(shards.numbers(members[0], self.part))
            for place, output in enumerate(members):
                answers = [line["outputs"][place] for line in lines]
                if len(lines) == wanted or any("absent" in a for a in answers):
                    yield output, answers, lines


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


# The run


def run(state: State, address: str, jobs: int) -> None:
    """Computes what is missing, with a progress bar on a terminal."""
    todo = state.tasks()
    total = len(todo) + len(state.done)
    with (
        cluster.connect(address, jobs) as client,
        tqdm(total=total, initial=len(state.done), unit=" shards", disable=None, smoothing=0.05, dynamic_ncols=True) as bar,
    ):
        for task, result in cluster.results(client, todo):
            state.keep(dict(task), result)
            bar.set_description(task["group"], refresh=False)
            bar.update()


def write(state: State, directory: Path, command: list[str], complete: bool) -> tuple[Path, list[Record], dict[str, Mapping[str, str]]]:
    """Turns what is finished into a result file; returns it, its records, and the facts of their environments."""
    known = load_limitations()
    path = directory / "results" / f"{state.run}-sweep.jsonl"
    path.unlink(missing_ok=True)
    writer = records.Writer(directory, state.run, "sweep")
    writer.begin("sweep", command, "sweep", 0, len(state.outputs))
    writer.environment("suite", "suite", machine.facts())
    made: list[Record] = []
    environments: dict[str, Mapping[str, str]] = {}
    finished = 0
    for output, answers, lines in state.finished():
        finished += 1
        case = output.case
        if reason := next((a["absent"] for a in answers if "absent" in a), ""):
            writer.absent(case.backend, reason, case.implementation, case.operation)
            continue
        facts: Mapping[str, str] = next((line["facts"] for line in lines if line["facts"]), {})
        environment = f"{case.backend}-sweep"
        if environment not in environments:
            writer.environment(environment, case.backend, facts)
            environments[environment] = facts
        made.append(verdicts.record(output, answers, facts, environment, known))
        writer.record(made[-1])
    if complete:
        writer.end(exit_code(made), finished)
    writer.close()
    return path, made, environments


def exit_code(made: Iterable[Record]) -> int:
    """1 if anything fails that is not known to."""
    return int(any(r.status in ("fail", "error") for r in made))


# The command line


def _listed(known: Iterable[str]) -> Any:
    names = list(known)

    def read(text: str) -> list[str]:
        found = [part.strip() for part in text.split(",")]
        for name in found:
            if name not in names:
                raise argparse.ArgumentTypeError(f"unknown {name!r}; known are {', '.join(names)}")
        return found

    return read


def _modes(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in text.split(","):
        name, _, mode = part.strip().partition(":")
        _listed(backends())(name)
        found.setdefault(name, [])
        if mode:
            if mode not in backends()[name].modes:
                raise argparse.ArgumentTypeError(f"{name} has no mode {mode!r}; it has {', '.join(backends()[name].modes)}")
            found[name].append(mode)
    return found


def _part(text: str) -> tuple[int, int]:
    first, _, last = text.partition(":")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last) <= 512):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIRST:LAST with 0 <= FIRST < LAST <= 512")
    return int(first), int(last)


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(prog="python -m suite.sweep", description=__doc__)
    made.add_argument("--operation", type=_listed(o.name for o in operations().values() if o.slices), metavar="NAMES", default=[],
                      help="operations; by default the usual ones at float32 and float64, every one at float16 and bfloat16")  # fmt: skip
    made.add_argument(
        "--backend", type=_modes, metavar="NAME[:MODE],…", default={name: [] for name in backends()}, help="backends, and modes"
    )
    made.add_argument("--dtype", type=_listed(FORMATS), metavar="NAMES", default=["float32"],
                      help="dtypes; by default float32. float64 has too many inputs: its worst ones are searched for")  # fmt: skip
    made.add_argument(
        "--only", type=_listed(ORDERS), metavar="NAMES", default=list(ORDERS), help=f"of {', '.join(ORDERS)}; by default all there are"
    )
    made.add_argument("--all-implementations", action="store_true", help="every API of a backend, not its most used one alone")
    made.add_argument("--pairs", action="store_true", help="all pairs of float16 or bfloat16 numbers, for operations on two of them")
    made.add_argument("--shards", type=_part, metavar="FIRST:LAST", help="a part of the shards (float32 and pairs have 512) alone")
    made.add_argument("--device", default="cpu", choices=("cpu", "gpu"), help="the device that every backend runs on")
    made.add_argument("--resume", action="store_true", help="continue the latest sweep under the report directory, with its own plan")
    made.add_argument("--dask", default="", metavar="ADDRESS", help="a Dask scheduler; by default a cluster on this machine")
    made.add_argument("--jobs", type=int, default=cluster.default_jobs(), metavar="N", help="processes of the cluster on this machine")
    made.add_argument("--write-elementary", action="store_true", help="put the errors found for exp, log, … into fixtures/elementary.json")
    made.add_argument("--seed", type=int, metavar="N", help="repeats the search in float64 that printed this number")
    made.add_argument("--report", type=Path, default=ROOT / "reports", metavar="DIR", help="directory for sweeps/, results/ and html/")
    return made


def main(arguments: list[str] | None = None, out: TextIO = sys.stdout) -> int:
    """Exit codes: 0, every result within its bound or failing as known; 1, not so; 2, interrupted; 4, unusable options or files."""
    options = parser().parse_args(arguments)
    directory = options.report.absolute()
    try:
        if options.pairs and "float32" in options.dtype:
            raise SweepError("--pairs: pairs of float32 numbers are too many; ask for --dtype float16,bfloat16")
        if "float64" in options.dtype:
            return _search(options, directory, out)
        state = State.resume(directory) if options.resume else State.begin(directory, planned(options), options.shards)
        if not state.outputs:
            raise SweepError("nothing to sweep: no implementation fits what --backend, --operation, --dtype and --pairs select")
        return _sweep(state, options, directory, ["python", "-m", "suite.sweep", *(arguments or sys.argv[1:])], out)
    except (SweepError, LimitationsError, cluster.ClusterError, records.ReportDirectoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 4


def _search(options: argparse.Namespace, directory: Path, out: TextIO) -> int:
    """The directed search in float64, one output after the other."""
    if options.dtype != ["float64"] or options.resume or options.pairs or options.shards or options.dask:
        raise SweepError("--dtype float64: searches alone, without other dtypes, --pairs, --shards, --resume and --dask")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    writer = records.Writer(directory, records.new_run_id(), "search")
    outputs = planned(options)
    writer.begin("search", ["python", "-m", "suite.sweep", *sys.argv[1:]], "search", seed, len(outputs))
    writer.environment("suite", "suite", machine.facts())
    print(f"{len(outputs)} outputs; repeat the search with --seed {seed}", file=out)
    counts: Counter[str] = Counter()
    processes = Processes(options.device)
    try:
        for output in tqdm(outputs, unit=" outputs", disable=None, dynamic_ncols=True):
            counts[_searched(processes, output, seed, writer)] += 1
    finally:
        processes.close()
    writer.end(1 if counts["error"] else 0, len(outputs))
    writer.close()
    _report(writer.path, counts, directory, out)
    return 1 if counts["error"] else 0


def _searched(processes: Processes, output: Output, seed: int, writer: records.Writer) -> str:
    """Searches one output, writes its record and returns its status."""
    case = output.case
    process = processes.of(case)
    try:
        described = processes.describe(case.backend, process.x64)
    except (Absent, WorkerError) as error:
        writer.absent(case.backend, str(error))
        return "absent"
    if reason := described["missing"].get(f"{case.operation} {case.implementation}"):
        writer.absent(case.backend, reason, case.implementation, case.operation)
        return "absent"
    writer.environment(process.name, case.backend, described["facts"])
    record = search.search(processes, output, seed, process.name)
    writer.record(record)
    return record.status


def _report(path: Path, counts: Mapping[str, int], directory: Path, out: TextIO) -> None:
    from reports.html import build

    print("records: " + ", ".join(f"{n} {status}" for status, n in sorted(counts.items())), file=out)
    print(f"results: {path}\nreport: {build([path], directory / 'html')}", file=out)


def _sweep(state: State, options: argparse.Namespace, directory: Path, command: list[str], out: TextIO) -> int:
    print(f"{len(state.outputs)} outputs; shards are kept in {state.path}", file=out)
    interrupted = False
    begin, before = time.monotonic(), len(state.done)
    try:
        run(state, options.dask, options.jobs)
    except KeyboardInterrupt:
        interrupted = True
    print(f"{len(state.done) - before} shards in {(time.monotonic() - begin) / 60:.1f} minutes", file=out)
    path, made, environments = write(state, directory, command, not interrupted)
    if options.write_elementary:
        print(f"{elementary.PATH}: {elementary.write(made, environments)} figures changed", file=out)
    print(*_costs(made), sep="\n", file=out)
    _report(path, Counter(r.status for r in made), directory, out)
    if interrupted:
        print("interrupted: continue with --resume", file=out)
        return 2
    return exit_code(made)


def _costs(made: list[Record]) -> Iterator[str]:
    """Nanoseconds an input that each backend's sweep has cost, beside the bare evaluation of the same inputs in the same chunks."""
    for backend in dict.fromkeys(r.case.backend for r in made):
        mine = [r for r in made if r.case.backend == backend and "seconds" in r.extra]
        inputs = sum(r.extra["inputs"] + r.extra["NaN expected"] for r in mine)
        if inputs:
            spent = {name: sum(r.extra["seconds"][name] for r in mine) for name in mine[0].extra["seconds"]}
            times = ", ".join(f"{name} {1e9 * seconds / inputs:.2f}" for name, seconds in spent.items())
            most = max(mine, key=lambda r: _ratio(r.extra["seconds"]))
            yield (
                f"{backend}: nanoseconds an input: {times}: {_ratio(spent):.2f} times the bare evaluation, "
                f"at most {_ratio(most.extra['seconds']):.2f} times ({most.case.id}, {most.check.removeprefix('sweep ')})"
            )


def _ratio(seconds: Mapping[str, float]) -> float:
    return sum(seconds.values()) / max(seconds["evaluating"], 1e-9)


if __name__ == "__main__":
    sys.exit(main())
