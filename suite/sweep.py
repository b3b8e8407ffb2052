"""Every input of a format: ``python -m suite.sweep``.

Each result is compared with the correctly rounded one, shard by shard; finished shards are on disk, and an interrupted sweep is continued
with ``--resume``. The outcome is a result file like any other, and a report.
"""

from __future__ import annotations

from suite import interrupts

if __name__ == "__main__":
    interrupts.leave_quietly()  # before what takes seconds to import

import argparse
import contextlib
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from reports.progress import Progress
from suite import cluster, elementary, ending, machine, records, search, shards, verdicts
from suite.backends import backends
from suite.cases import canonical
from suite.commandline import INTERRUPTED, UNUSABLE, Parser, complain, listed, with_modes
from suite.floats import FORMATS
from suite.ledger import Ledger, SweepError
from suite.limitations import LimitationsError
from suite.model import Case, Operation, Record
from suite.operations import operations
from suite.processes import Absent, Processes, WorkerError
from suite.session import load_limitations
from suite.shards import ORDERS, Output

ROOT = Path(__file__).resolve().parent.parent
USUAL = ("sigmoid", "log_sigmoid", "softplus", "relu", "softmax", "binary_cross_entropy_with_logits")
"""What is swept over all of float32, and searched in float64, where no operation is asked for."""


# The plan: which outputs


def pieces(operation: Operation, pairs: bool) -> list[int]:
    """Places of the operation's slices of one number, or of two."""
    return [i for i, s in enumerate(operation.slices) if (s.arity > 1) == pairs]


def planned(options: argparse.Namespace) -> list[Output]:
    """The outputs that the options select, backend by backend."""
    found = []
    for name, modes in (options.backend or {name: backend.swept for name, backend in backends().items()}).items():
        backend = backends()[name]
        for dtype in (d for d in options.dtype if d in backend.dtypes):
            for implementation in backend.implementations:
                if not _selected(options, name, implementation.operation, implementation.name, dtype) or dtype not in implementation.dtypes:
                    continue
                operation = operations()[implementation.operation]
                deepest = 1 if not backend.has_gradient else 3 if FORMATS[dtype].bits == 16 else 2
                cases = [Case(operation.name, name, implementation.name, m, dtype, options.device) for m in modes]
                found += [
                    Output(case, piece, order)
                    for case in cases
                    for piece in pieces(operation, options.pairs)
                    for order in range(min(deepest, len(operation.slices[piece].curves)))
                    if not options.only or ORDERS[order] in options.only
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


# The run


def run(ledger: Ledger, address: str, jobs: int, directory: Path, command: list[str]) -> None:
    """Computes what is missing, with a progress bar on a terminal; where the results will not fit, nothing."""
    todo = ledger.tasks()
    total = len(todo) + len(ledger.done)
    with (
        Progress("starting the cluster", log=True) as told,
        cluster.connect(address, jobs) as client,
        tqdm(total=total, initial=len(ledger.done), unit=" shards", disable=None, smoothing=0.05, dynamic_ncols=True) as bar,
    ):
        ledger.open()
        with contextlib.closing(ledger.results(directory, command)) as writer:
            writer.require()
        try:
            for task, result in cluster.results(client, todo):
                ledger.keep(task, result)
                bar.set_description(task["group"], refresh=False)
                told.text = f"{len(ledger.done):,} of {total:,} shards, {task['group']}"
                bar.update()
        finally:
            interrupts.finish()  # or the cluster would be left half closed


@dataclass
class Written:
    """What a sweep's result file holds."""

    path: Path
    records: list[Record] = field(default_factory=list)
    environments: dict[str, Mapping[str, str]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    """Reasons by backend, or by API where the backend is there."""
    lost: str = ""
    """Why it ends too early, if it does."""

    def exit_code(self, named: Iterable[str]) -> int:
        """1 if anything fails that is not known to, or a backend that was ``named`` is absent."""
        return int(any(r.status in ("fail", "error") for r in self.records) or bool({*named} & {*self.absent} or self.lost))


def write(ledger: Ledger, directory: Path, command: list[str], complete: bool) -> Written:
    """Turns what is finished into a result file."""
    known = load_limitations()
    writer = ledger.results(directory, command)
    made = Written(writer.path)
    finished = 0
    for output, answers in ledger.finished():
        finished += 1
        case, place = output.case, ledger.place(shards.group(output))
        facts = ledger.places.get(place, {})
        if reason := next((a["absent"] for a in answers if "absent" in a), ""):
            made.absent[case.backend if "absent" in facts else f"{case.backend}, {case.implementation}"] = reason
            writer.absent(case.backend, reason, case.implementation, case.operation)
            continue
        environment = f"{place}-sweep"
        if environment not in made.environments:
            writer.environment(environment, case.backend, facts)
            made.environments[environment] = facts
        made.records.append(verdicts.record(output, answers, facts, environment, known, ledger.part))
        writer.record(made.records[-1])
    if complete:
        writer.end(made.exit_code(ledger.named), finished)
    writer.close()
    made.lost = writer.lost
    return made


# The command line


def _modes(text: str) -> list[tuple[str, str]]:
    """Backends with modes: those that are swept where none is named."""
    return [(name, m) for name, mode in with_modes(text) for m in ([mode] if mode else backends()[name].swept)]


def _part(text: str) -> tuple[int, int]:
    first, _, last = text.partition(":")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last) <= 512):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIRST:LAST with 0 <= FIRST < LAST <= 512")
    return int(first), int(last)


def _jobs(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes, 1 or more")
    return int(text)


EXITS = (
    "exit codes: 0, every result is within its bound or fails as known; 1, one is not, or a backend asked for by name is absent; "
    "2, interrupted; 4, unusable options or files, or a cluster that fails. "
    "example: python -m suite.sweep --backend jax:jit --operation sigmoid,softplus"
)

SELECTING = ("operation", "backend", "dtype", "only", "all_implementations", "pairs", "shards", "device", "seed")
"""Options that choose what is swept; a sweep that is resumed has its own."""


def parser() -> argparse.ArgumentParser:
    """The options. Those that take names may be repeated."""
    made = Parser(prog="python -m suite.sweep", description=__doc__, epilog=EXITS)
    names: dict[str, Any] = {"action": "extend", "metavar": "NAMES"}
    made.add_argument("--operation", type=listed(o.name for o in operations().values() if o.slices), **names,
                      help="operations; by default the usual ones at float32 and float64, every one at float16 and bfloat16")  # fmt: skip
    made.add_argument("--backend", type=_modes, action="extend", metavar="NAME[:MODE],…",
                      help="backends, each perhaps in one mode: jax:jit; by default all, Keras in the mode that fit uses")  # fmt: skip
    made.add_argument("--dtype", type=listed(FORMATS), **names,
                      help="dtypes; by default float32. float64 has too many inputs: its worst ones are searched for")  # fmt: skip
    made.add_argument("--only", type=listed(ORDERS), **names, help=f"of {', '.join(ORDERS)}; by default all there are")
    made.add_argument("--all-implementations", action="store_true", help="every API of a backend, not its most used one alone")
    made.add_argument("--pairs", action="store_true", help="all pairs of float16 or bfloat16 numbers, for operations on two of them")
    made.add_argument(
        "--shards", type=_part, metavar="FIRST:LAST", help="a part of the shards alone: 0:64, the first 64; float32 and pairs have 512"
    )
    made.add_argument("--device", default="cpu", choices=("cpu", "gpu"), help="the device that every backend runs on (default: cpu)")
    made.add_argument("--resume", action="store_true", help="continue the latest sweep under the report directory, with its own plan")
    made.add_argument(
        "--dask", default="", metavar="ADDRESS", help="a Dask scheduler: tcp://scheduler:8786; by default a cluster on this machine"
    )
    made.add_argument("--jobs", type=_jobs, metavar="N", help="processes of the cluster on this machine; by default one for each core")
    made.add_argument("--write-elementary", action="store_true", help="put the errors found for exp, log, … into fixtures/elementary.json")
    made.add_argument("--seed", type=int, metavar="N", help="repeats the search in float64 that printed this number")
    made.add_argument(
        "--report", type=Path, default=ROOT / "reports", metavar="DIR", help="directory for sweeps/, results/ and html/ (default: reports)"
    )
    return made


def read(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options given; ``backend`` becomes the modes asked for of each backend.

    Raises:
        SweepError: some do not go together.
    """
    made = parser()
    options = made.parse_args(arguments)
    if options.resume and (given := [name for name in SELECTING if getattr(options, name) != made.get_default(name)]):
        raise SweepError(f"--resume goes on with its own plan; leave out {', '.join('--' + n.replace('_', '-') for n in given)}")
    for name in ("operation", "dtype", "only"):
        setattr(options, name, list(dict.fromkeys(getattr(options, name) or ())))
    options.dtype = options.dtype or ["float32"]
    modes = list(dict.fromkeys(options.backend or ()))
    options.backend = {name: [mode for n, mode in modes if n == name] for name, _ in modes}
    searching = "float64" in options.dtype
    if options.pairs and "float32" in options.dtype:
        raise SweepError("--pairs: pairs of float32 numbers are too many; ask for --dtype float16,bfloat16")
    if searching and (options.dtype != ["float64"] or any((options.pairs, options.shards, options.dask, options.write_elementary))):
        raise SweepError("--dtype float64: searches alone, without other dtypes, --pairs, --shards, --dask and --write-elementary")
    if options.seed is not None and not searching:
        raise SweepError("--seed: a sweep draws nothing; it goes with --dtype float64")
    if options.jobs and options.dask:
        raise SweepError("--jobs: how many workers there are is the cluster's affair; leave it out beside --dask")
    if options.write_elementary and options.shards:
        raise SweepError("--write-elementary: a part of the inputs says nothing of all; leave out --shards")
    return options


def main(arguments: list[str] | None = None, out: TextIO = sys.stdout) -> int:
    """Exit codes: 0, every result within its bound or failing as known; 1, not so; 2, interrupted; 4, unusable options or files."""
    with interrupts.caught():
        return _main(arguments, out)


def _main(arguments: list[str] | None, out: TextIO) -> int:
    try:
        options = read(arguments)
        directory = options.report.absolute()
        if options.resume:
            ledger = Ledger.resume(directory)
        else:
            outputs = planned(options)
            if not outputs:
                raise SweepError("nothing to sweep: no implementation fits what --backend, --operation, --dtype, --only and --pairs select")
            if "float64" in options.dtype:
                return _search(outputs, options, directory, out)
            last = options.shards[1] if options.shards else 0
            if short := next((o for o in outputs if last > len(shards.numbers(o, None))), None):
                raise SweepError(f"--shards: {last} is too large; {short.case.dtype} has {len(shards.numbers(short, None))}")
            ledger = Ledger.begin(directory, outputs, options.shards, options.backend)
        return _sweep(ledger, options, directory, ["python", "-m", "suite.sweep", *(arguments or sys.argv[1:])], out)
    except (SweepError, LimitationsError, records.ReportDirectoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print("interrupted before anything was swept", file=sys.stderr)
        return INTERRUPTED


def _search(outputs: list[Output], options: argparse.Namespace, directory: Path, out: TextIO) -> int:
    """The directed search in float64, one output after the other."""
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    writer = records.Writer(directory, records.new_run_id(), "search", complain)
    writer.begin("search", ["python", "-m", "suite.sweep", *sys.argv[1:]], "search", seed, len(outputs))
    writer.environment("suite", "suite", machine.facts())
    writer.operations({output.operation.name: output.operation for output in outputs}.values())
    writer.require()
    print(f"{len(outputs)} outputs; repeat the search with --seed {seed}", file=out)
    counts: Counter[str] = Counter()
    absent: dict[str, str] = {}
    processes = Processes(options.device)
    stopped = False
    try:
        with Progress("searching", log=True) as told:
            for number, output in enumerate(tqdm(outputs, unit=" outputs", disable=None, dynamic_ncols=True)):
                told.text = f"{number} of {len(outputs)} outputs, {output.id}"
                counts[_searched(processes, output, seed, writer, absent)] += 1
    except KeyboardInterrupt:
        stopped = True
        print("interrupted: what has been found is kept", file=out)
    finally:
        interrupts.finish()
        processes.close()
    code = INTERRUPTED if stopped else int(bool(counts["error"] or {*options.backend} & {*absent}))
    if not stopped:
        writer.end(code, len(outputs))
    writer.close()
    built = _report(writer.path, counts, absent, directory, out, writer.lost)
    return code or int(not built)


def _searched(processes: Processes, output: Output, seed: int, writer: records.Writer, absent: dict[str, str]) -> str:
    """Searches one output, writes its record and returns its status; what is ``absent`` is noted with its reason."""
    case = output.case
    process = processes.of(case)
    try:
        described = processes.describe(case.backend, process.x64)
    except Absent as error:
        writer.absent(case.backend, str(error))
        absent[case.backend] = str(error)
        return "absent"
    except WorkerError as error:
        writer.record(search.failed(output, str(error)))
        return "error"
    if reason := described["missing"].get(f"{case.operation} {case.implementation}"):
        writer.absent(case.backend, reason, case.implementation, case.operation)
        absent[f"{case.backend}, {case.implementation}"] = reason
        return "absent"
    writer.environment(process.name, case.backend, described["facts"])
    record = search.search(processes, output, seed, process.name)
    writer.record(record)
    return record.status


def _report(path: Path, counts: Mapping[str, int], absent: Mapping[str, str], directory: Path, out: TextIO, lost: str) -> bool:
    """Tells what was found and builds the report; whether all of it is on disk."""
    for name, reason in absent.items():
        print(f"absent: {name}: {reason}", file=out)
    print("records: " + ", ".join(f"{n} {status}" for status, n in sorted(counts.items())), file=out)
    return ending.tell(path, directory, out, lost)


def _sweep(ledger: Ledger, options: argparse.Namespace, directory: Path, command: list[str], out: TextIO) -> int:
    print(f"{len(ledger.outputs)} outputs; shards are kept in {ledger.path}", file=out)
    stopped, code = "", 0
    begin, before, jobs = time.monotonic(), len(ledger.done), options.jobs or cluster.default_jobs()
    try:
        run(ledger, options.dask, jobs, directory, command)
    except KeyboardInterrupt:
        stopped, code = "interrupted: continue with --resume", INTERRUPTED
    except cluster.ClusterError as error:
        stopped, code = f"error: {error}\ncontinue with --resume", UNUSABLE
    except SweepError as error:
        stopped, code = f"error: {error}", UNUSABLE
    if not ledger.done and stopped:
        print(stopped, file=sys.stderr)
        return code
    seconds = time.monotonic() - begin
    shares = "" if options.dask else _shares(ledger, before, seconds * jobs)
    print(f"{len(ledger.done) - before} shards in {seconds / 60:.1f} minutes{shares}", file=out)
    made = write(ledger, directory, command, not stopped)
    if options.write_elementary:
        print(f"{elementary.PATH}: {elementary.write(made.records, made.environments)} figures changed", file=out)
    print(*_costs(made.records), sep="\n", file=out)
    built = _report(made.path, Counter(r.status for r in made.records), made.absent, directory, out, made.lost)
    if stopped:
        print(stopped, file=out)
        return code
    return made.exit_code(ledger.named) or int(not built)


def _shares(ledger: Ledger, before: int, seconds: float) -> str:
    """What part of all processes' time went where: the rest is starting frameworks, handing over, waiting at a backend's end."""
    answers = [a for line in list(ledger.done.values())[before:] for a in line["outputs"] if "evaluating" in a]
    parts = {name: sum(a[name] for a in answers) / max(seconds, 1e-9) for name in ("evaluating", "comparing", "reference")}
    return ": " + ", ".join(f"{name} {share:.0%}" for name, share in parts.items()) if answers else ""


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
