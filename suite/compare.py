"""Before an upgrade: ``python -m suite.compare --old "jax==0.10.1" --new "jax==0.10.2"``.

A side is a list of requirements, for which an environment is made, the path of one, or a file with implementations of your own. Both
answer the same checks on the same inputs, and are timed in turns. What is found is on disk while the comparison goes.

Exit codes: 0, nothing is worse; 1, something is worse or slower, or could not be compared; 2, interrupted, with what was found until
then kept; 4, unusable options, or a side that cannot be made.
"""

from __future__ import annotations

from suite import interrupts

if __name__ == "__main__":
    interrupts.leave_quietly()  # before what takes seconds to import

import argparse
import random
import shlex
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from reports.progress import Progress
from suite import custom, ending, limitations, machine, records, timing
from suite.backends import backends
from suite.cases import PROFILES, all_cases, cases_of, depth
from suite.checks import checks
from suite.commandline import INTERRUPTED, UNUSABLE, Parser, complain, listed, positive, with_modes
from suite.comparison import Found, Numerics
from suite.floats import FORMATS
from suite.gate import Gate
from suite.model import Case, Change, Implementation, Limitation, Ratio, Side
from suite.operations import operations
from suite.release import Release
from suite.selection import DEVICES, Selection
from suite.session import LIMITATIONS
from suite.sides import Prepared, SideError, concerned, plain, prepare, twins
from suite.upgrade import Upgrade
from suite.workloads import Cell

ROOT = Path(__file__).resolve().parent.parent


# What is said


def groups(changes: Iterable[Change]) -> list[list[Change]]:
    """Changes of the same operation, implementation and check: those without any results first, then by how many are concerned."""
    found: dict[tuple[str, ...], list[Change]] = {}
    for change in changes:
        case = change.case
        found.setdefault((case.operation, case.backend, case.implementation, change.check), []).append(change)
    return sorted(found.values(), key=lambda group: (all(c.elements for c in group), -sum(c.elements for c in group)))


def summary(found: Found) -> Iterator[str]:
    """What is told on the terminal: what is worse, one of them in full; what is better; how many other bits there are."""
    for direction, text in (("worse", "worse"), ("better", "better"), ("changed", "other bits of the same quality")):
        mine = groups(c for c in found.changes if c.direction == direction)
        if direction == "changed":
            yield f"{text}: {len({(c.case.operation, c.case.backend, c.case.implementation) for group in mine for c in group})} functions"
            continue
        yield f"{text}: {len(mine) or 'nothing'}"
        yield from (f"  {_line(group)}" for group in mine)
    if worst := next(iter(groups(c for c in found.changes if c.direction == "worse")), None):
        first = max(worst, key=lambda c: (bool(c.reproduction), c.elements))
        yield f"\n{first.message}\n\n{first.reproduction}"
    if found.ratios:
        counts = {v: sum(r.verdict == v for r in found.ratios) for v in dict.fromkeys(r.verdict for r in found.ratios)}
        yield "time: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        yield from (f"  {_timed(r)}" for r in found.ratios if r.verdict in ("slower", "not measured"))
    yield from (f"absent: {name}: {reason}" for name, reason in found.absent.items())
    yield from (f"not compared: {text}" for text in dict.fromkeys(found.unmeasured))


def _line(group: list[Change]) -> str:
    case = group[0].case
    modes, dtypes, outputs = (
        ", ".join(dict.fromkeys(names)) for names in zip(*((c.case.mode, c.case.dtype, c.output) for c in group), strict=True)
    )
    elements, compared = sum(c.elements for c in group), sum(c.compared for c in group)
    count = f": {elements} of {compared} results" if compared else ""
    details = "; ".join(filter(None, (modes, dtypes, outputs)))
    return f"{case.operation}, {case.backend}, {case.implementation}: {group[0].check} ({details}){count}"


def _timed(ratio: Ratio) -> str:
    times = ratio.message
    if ratio.ratio and ratio.low and ratio.high:
        times = f"{ratio.ratio:.3g} times as long ({ratio.low:.3g} to {ratio.high:.3g})"
    return f"{ratio.case.id}, {ratio.what}, {ratio.workload}: {ratio.verdict}: {times}"


# The command line


def parser() -> argparse.ArgumentParser:
    """The options. Those that take names may be repeated."""
    made = Parser(prog="python -m suite.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names: dict[str, Any] = {"action": "extend", "default": [], "metavar": "NAMES"}
    sides = 'requirements ("jax==0.10.1 numpy<2"), the path of an environment, or a file with @implements'
    made.add_argument("--old", required=True, metavar="SIDE", help=sides)
    made.add_argument("--new", required=True, metavar="SIDE", help="the same")
    made.add_argument(
        "--python",
        default="",
        metavar="PYTHON",
        help="interpreter of the environments that are made: a version, 3.12, or a path; by default this one",
    )
    alone = made.add_mutually_exclusive_group()
    alone.add_argument("--numerics-only", action="store_true", help="time nothing")
    alone.add_argument("--timing-only", action="store_true", help="check nothing")
    made.add_argument("--minutes", type=positive, default=10.0, metavar="N", help="longest time to spend on timing (default: 10)")
    made.add_argument("--all-cores", action="store_true", help="time on every core, as in use; by default on one, which is far steadier")
    made.add_argument("--profile", choices=PROFILES, default="ci", help="how deep (default: ci)")
    made.add_argument("--backend", type=with_modes, **{**names, "metavar": "NAME[:MODE],…"}, help="backends, and modes")
    made.add_argument("--operation", type=listed(operations()), **names, help="operations: sigmoid,softmax; by default all")
    made.add_argument("--dtype", type=listed(FORMATS), **names, help="dtypes: float32,bfloat16; by default all")
    made.add_argument("--device", default="cpu", choices=DEVICES, help="the device that every backend runs on (default: cpu)")
    made.add_argument("--seed", type=int, metavar="N", help="replays the generated inputs of the comparison that printed this number")
    made.add_argument("--time-limit", type=positive, default=300.0, metavar="SECONDS",
                      help="longest wait for one answer of a framework (default: 300)")  # fmt: skip
    made.add_argument("--memory-limit", type=positive, metavar="GIB",
                      help="most memory for a framework's process, in GiB (default: half of what there is, but at least 2)")  # fmt: skip
    made.add_argument("--report", type=Path, metavar="DIR", help="directory for results/ and html/ (default: reports)")
    made.add_argument("--no-report", action="store_true", help="write no results and no report")
    return made


def main(arguments: list[str] | None = None, out: TextIO = sys.stdout) -> int:
    """Exit codes: see the module."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        options = parser().parse_args(given)
    except SystemExit as stopped:
        return int(stopped.code or 0)
    try:
        with interrupts.caught():
            return _compare(options, ["python", "-m", "suite.compare", *given], out)
    except (SideError, limitations.LimitationsError, records.ReportDirectoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print("interrupted before anything was compared", file=sys.stderr)
        return INTERRUPTED


def _compare(options: argparse.Namespace, command: list[str], out: TextIO) -> int:
    if options.no_report and options.report:
        raise SideError("--report and --no-report exclude each other")
    known = limitations.load(LIMITATIONS, checks(), operations())
    with Progress("making environments"):
        old, new = (prepare(n, getattr(options, n), options, lambda line: print(line, file=out, flush=True)) for n in ("old", "new"))
    plan = _planned(options, old, new, known)
    directory = None if options.no_report else (options.report or ROOT / "reports").absolute()
    found = Found(records.Writer(directory, records.new_run_id(), "compare", complain) if directory else None)
    if found.writer:
        found.writer.begin("compare", command, options.profile, plan.seed, len(plan.cases))
        found.writer.environment("suite", "suite", machine.facts())
        found.writer.catalogue(checks().values())
        found.writer.side(old.side)
        found.writer.side(new.side)
        found.writer.require()
    print(*_headline(old.side, new.side, plan), sep="\n", file=out, flush=True)
    code = INTERRUPTED
    try:
        there = _numerics(plan, found, start_only=options.timing_only)
        if not options.numerics_only:
            time_cells(plan, there, found, 60.0 * options.minutes, options.all_cores)
        code = found.exit_code
    except KeyboardInterrupt:
        print("interrupted: what has been found until now is kept", file=out)
    interrupts.finish()
    return _finish(found, code, len(plan.cases), directory, out)


@dataclass(frozen=True)
class Plan:
    """What is compared."""

    old: Prepared
    new: Prepared
    selection: Selection
    cases: list[Case]
    profile: str
    seed: int
    known: tuple[Limitation, ...]
    twins: dict[tuple[str, str, str], Implementation]
    command: str


def _planned(options: argparse.Namespace, old: Prepared, new: Prepared, known: tuple[Limitation, ...]) -> Plan:
    """What the options select of what both sides could have; raises ``SideError`` if that is nothing."""
    same = twins(old, new)
    selection = Selection(tuple(options.backend), tuple(options.operation), tuple(options.dtype), declared=bool(old.declared))
    if old.declared:
        cases = [c for i in old.implementations for c in cases_of(i, options.device) if c in selection]
    else:
        touched = concerned(old.side, new.side)
        cases = [c for c in all_cases(options.device) if c in selection and (selection.backends or touched(c))]
    if not cases:
        raise SideError("nothing to compare: no implementation fits what --backend, --operation and --dtype select, in these environments")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    command = shlex.join(["python", "-m", "suite.compare", "--old", options.old, "--new", options.new, f"--profile={options.profile}"])
    return Plan(old, new, selection, cases, options.profile, seed, known, same, f"{command} --numerics-only --seed={seed}")


def _numerics(plan: Plan, found: Found, start_only: bool) -> set[Case]:
    """Compares numerics; returns the cases that both sides have. Processes end with it."""
    narrow, profile = plan.selection.narrow, PROFILES[plan.profile]
    deep = custom.profile(plan.profile) if plan.old.declared else depth(profile, narrow)

    def release(side: Prepared) -> Release:
        return Release(side.launch(), deep, plan.seed, deep.max_examples, plan.known, side.implementations, plan.command)

    old, new = release(plan.old), replace(release(plan.new), twins=plan.twins)
    numerics = Numerics(Upgrade(old, new), plan.cases, found, profile, narrow)
    try:
        with Progress("starting the processes of both releases"):
            numerics.start()
        if not start_only:
            with Progress("comparing numerics", log=True):
                numerics.run()
    finally:
        old.processes.close()
        new.processes.close()
    return set(numerics.cases)


def time_cells(plan: Plan, there: Collection[Case], found: Found, seconds: float, all_cores: bool = False) -> None:
    """Times both releases in turns, cell by cell, and keeps what is known when it ends, be it interrupted.

    What is timed are the representative cells: of what is asked for by name, all of them, else of the most used functions at float32.
    """
    usual = (
        (c for case in there for c in timing.cells_of(case))
        if plan.selection.narrow
        else timing.cells(plan.cases[0].device, everything=False)
    )
    cells = [c for c in usual if c.case in there]

    def called(side: int, cell: Cell) -> str:
        case = cell.case
        twin = plan.twins.get((case.backend, case.operation, case.implementation)) if side else None
        return twin.name if twin else case.implementation

    gate = Gate(cells, plan.old.launch, plan.new.launch, seconds, called, all_cores)
    try:
        with (
            Progress(f"timing {len(cells)} cells", log=True) as said,
            tqdm(total=len(cells), unit=" cells", disable=None, dynamic_ncols=True) as bar,
        ):

            def told(launches: int, still_open: int) -> None:
                bar.set_description(f"{launches} launches", refresh=False)
                said.text = f"timing: {launches} launches, {still_open} of {len(cells)} cells still open"
                bar.update(len(cells) - still_open - bar.n)

            gate.run(told)
    finally:
        found.keep(*gate.ratios())


def _headline(old: Side, new: Side, plan: Plan) -> Iterator[str]:
    """What is compared, and how to do so again."""
    known = {d for backend in backends().values() for d in backend.distributions}
    names = [n for n in sorted({*old.versions, *new.versions}) if old.versions.get(n) != new.versions.get(n)]
    telling = [f"{n} {old.versions.get(n, '–')} → {new.versions.get(n, '–')}" for n in names if plain(n) in known]
    differing = ", ".join([*telling, *([f"and {len(names) - len(telling)} others"] if len(telling) < len(names) else [])])
    chosen = ", ".join(dict.fromkeys(c.backend for c in plan.cases))
    yield f"old: {old.wanted}\nnew: {new.wanted}"
    yield f"differing: {differing or 'nothing'}; backends: {chosen}; replay the generated inputs with --seed={plan.seed}"


def _finish(found: Found, code: int, cases: int, directory: Path | None, out: TextIO) -> int:
    """Tells what was found and builds the report."""
    print(*summary(found), sep="\n", file=out)
    if found.writer and directory:
        if code != INTERRUPTED:
            found.writer.end(code, cases)
        found.writer.close()
        whole = ending.tell(found.writer.path, directory, out, found.writer.lost)
        return code or int(not whole)
    return code


if __name__ == "__main__":
    sys.exit(main())
