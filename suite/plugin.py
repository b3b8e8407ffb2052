"""The pytest plugin: options, the selection of cases, records while the run goes, the report at its end."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from reports.progress import Progress
from suite import baselines, custom, ending, interrupts, ratchet, records, terminal, timing, watch
from suite.backends import backends
from suite.cases import PROFILES, depth, fitting, swept_outputs
from suite.checks import Check, checks
from suite.judging import Outcome, judge, swept
from suite.limitations import LimitationsError
from suite.loading import Declared, handed_over, plain, read_back
from suite.model import Case, Reproduction
from suite.processes import Absent, Processes, WorkerError, needs_x64
from suite.reproducing import Attempt, announce, message, reproduce
from suite.selection import add_options, device, known_profile, listed, profile_name, seed, selection
from suite.session import Session, load_limitations
from suite.shards import Output
from suite.state import State
from suite.workloads import Cell

FAMILIES = ("stability", "equivalence", "vanishing")
ROOT = Path(__file__).resolve().parent.parent
_STATE = pytest.StashKey[State]()

for _name, _profile in PROFILES.items():
    settings.register_profile(_name, max_examples=_profile.max_examples, deadline=None, print_blob=True)
settings.load_profile("quick")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suite's options."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Reads the options; a wrong one ends the session before anything runs."""
    stoppable = contextlib.ExitStack()
    stoppable.enter_context(interrupts.caught())
    config.add_cleanup(stoppable.close)
    known_profile(config)
    for family in FAMILIES:
        config.addinivalue_line("markers", f"{family}: the checks of that family")
    config.addinivalue_line("markers", "sweep: every input of the formats of 16 bits")
    config.addinivalue_line("markers", "casebook: the claims of the source documents")
    for option in ("report", "report_single_file", "history"):
        if config.getoption(option) and config.getoption("no_report"):
            raise pytest.UsageError(f"--{option.replace('_', '-')} and --no-report exclude each other")
    handed = getattr(config, "workerinput", {}).get("logitbench", {})
    directory = None if config.getoption("no_report") else Path(config.getoption("report") or ROOT / "reports").absolute()
    config.stash[_STATE] = State(
        selection=selection(config),
        device=device(config),
        seed=handed.get("seed") if handed else seed(config),
        run=handed.get("run") or os.environ.get("LOGITBENCH_RUN") or records.new_run_id(),
        process=os.environ.get("PYTEST_XDIST_WORKER", "main"),
        directory=directory,
        profile=profile_name(config),
        time_limit=config.getoption("time_limit"),
        declared=read_back(handed["declared"]) if handed else _declared(config),
        history=_history(config),
    )


def _history(config: pytest.Config) -> Path | None:
    """The directory of ``--history``, made if it is not there: at a run's end it would be too late to say that it cannot be."""
    if not config.getoption("history"):
        return None
    directory = Path(config.getoption("history")).absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise pytest.UsageError(f"--history: cannot keep results under {directory}: {error.strerror or error}") from error
    return directory


def _declared(config: pytest.Config) -> tuple[Declared, ...]:
    """What the files of ``--implementations`` declare."""
    try:
        return custom.read_all(listed(config, "implementations"), config.getoption("time_limit"))
    except custom.DeclarationError as error:
        raise pytest.UsageError(f"--implementations: {error}") from error


def pytest_configure_node(node: Any) -> None:
    """Hands xdist's workers the run, the seed and what is declared."""
    state = node.config.stash[_STATE]
    node.workerinput["logitbench"] = {"seed": state.seed, "run": state.run, "declared": plain(state.declared)}


pytest_configure_node = pytest.hookimpl(optionalhook=True)(pytest_configure_node)


def pytest_report_header(config: pytest.Config) -> str:
    """The seed, first of all."""
    state = config.stash[_STATE]
    return f"logitbench: profile {state.profile}, replay the generated inputs with --hypothesis-seed={state.seed}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every check of the module's family with every selected case that it says anything about."""
    if {"check", "case"} <= set(metafunc.fixturenames):
        family = next((f for f in FAMILIES if metafunc.definition.get_closest_marker(f)), None)
        state = metafunc.config.stash[_STATE]
        cases = state.cases()
        family_checks = [k for k in checks().values() if k.family == family]
        declared = {(i.backend, i.operation, i.name): i for i in state.implementations}
        known = [(c, declared.get((c.backend, c.operation, c.implementation))) for c in cases]
        pairs = [(k, c) for k in family_checks for c, own in known if fitting(k, c, own) and state.takes(k, c)]
        ids = [f"{k.name}-{c.id}" for k, c in pairs]
        groups = [pytest.mark.xdist_group(f"{c.backend}-{'x64' if c.dtype == 'float64' else 'x32'}") for _, c in pairs]
        metafunc.parametrize("check,case", [pytest.param(k, c, marks=g) for (k, c), g in zip(pairs, groups, strict=True)], ids=ids)

    if {"output", "every_input"} <= set(metafunc.fixturenames):
        state = metafunc.config.stash[_STATE]
        every = custom.outputs_of if state.selection.declared else swept_outputs
        outputs = [o for c in state.cases() for o in every(c) if state.takes_sweep(o)]
        groups = [pytest.mark.xdist_group(f"{o.case.backend}-x32") for o in outputs]
        metafunc.parametrize(
            "output", [pytest.param(o, marks=g) for o, g in zip(outputs, groups, strict=True)], ids=[o.id for o in outputs]
        )

    if {"attempt", "reproduced"} <= set(metafunc.fixturenames):
        chosen = metafunc.config.stash[_STATE].attempts()
        groups = [pytest.mark.xdist_group(f"{a.backend}-{'x64' if a.x64 else 'x32'}") for a in chosen]
        metafunc.parametrize("attempt", [pytest.param(a, marks=g) for a, g in zip(chosen, groups, strict=True)], ids=[a.id for a in chosen])

    if "cell" in metafunc.fixturenames:
        state = metafunc.config.stash[_STATE]
        everything = metafunc.config.getoption("all_workloads") or state.selection.narrow
        found = [] if state.declared else [c for c in timing.cells(state.device, everything) if c.case in state.selection]
        found.sort(key=lambda c: list(backends()).index(c.case.backend))
        metafunc.parametrize("cell", found, ids=[c.id for c in found])


def _params(items: list[pytest.Item]) -> Iterator[dict[str, Any]]:
    """What the tests are about."""
    for item in items:
        yield item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Timings come last: by then the checks' work, announced to all processes at once, has been done, and the machine is quiet.

    What a file declares is not timed. What pytest puts in place of a test without parameters goes; where nothing else is left that is an
    error of usage, which a process of xdist's leaves to the one that started it.
    """
    state = config.stash[_STATE]
    gone = [i for i in items if state.selection.declared and i.get_closest_marker("benchmark")]
    empty = [i for i in items if _is_ours(i) and _is_empty(i)]
    state.idle = bool(empty) and len(empty) == len(items)
    gone += empty if not state.idle or _in_worker() else []
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [i for i in items if i not in gone]
    items.sort(key=lambda item: item.get_closest_marker("benchmark") is not None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Opens the result file and announces all work to the frameworks' processes, once it is known that something will run."""
    config = session.config
    state = config.stash[_STATE]
    relevant = [i for i in session.items if _is_ours(i) and not _is_empty(i)]
    if state.idle and not _in_worker():
        raise pytest.UsageError(terminal.NOTHING)
    if config.option.collectonly or not relevant or _is_controller(config):
        return
    try:
        known = load_limitations()
        state.baselines = baselines.load(Path(config.getoption("baselines")))
    except LimitationsError as error:
        raise pytest.UsageError(str(error)) from error
    except baselines.BaselineError as error:
        raise pytest.UsageError(f"--baselines: {error}") from error
    try:
        state.start(config, len(relevant))
    except records.ReportDirectoryError as error:
        raise pytest.UsageError(f"--report: {error}") from error
    memory = watch.bytes_of(config.getoption("memory_limit"))
    processes = Processes(state.device, state.time_limit, handed_over(state.declared), memory_limit=memory)
    assert settings.default is not None
    deep = custom.profile(state.profile) if state.declared else depth(PROFILES[state.profile], state.selection.narrow)
    command = shlex.join(["pytest", *(f"--implementations={f}" for f in dict.fromkeys(d.file for d in state.declared))])
    state.session = Session(processes, deep, state.seed, settings.default.max_examples, known, state.implementations, command)
    with _told(config, f"preparing {len(relevant):,} tests") as told:
        _announce(state.session, list(_params(relevant)), told)


def _announce(session: Session, params: list[dict[str, Any]], told: Progress) -> None:
    """Queues the work; where it is all done by this process, waits until the first framework has been started."""
    if not _in_worker():
        session.announce((p["check"], p["case"]) for p in params if isinstance(p.get("check"), Check))
        for attempt in (p["attempt"] for p in params if isinstance(p.get("attempt"), Attempt)):
            announce(session.processes, attempt)
    session.announce_sweeps(p["output"] for p in params if isinstance(p.get("output"), Output))
    cases = [p["case"] for p in params if isinstance(p.get("case"), Case)]
    if cases and not _in_worker():
        told.text = f"starting {', '.join(dict.fromkeys(c.backend for c in cases))}"
        with contextlib.suppress(Absent, WorkerError):  # told by each test that it concerns
            session.processes.describe(cases[0].backend, needs_x64(cases[0]))


@contextlib.contextmanager
def _told(config: pytest.Config, text: str) -> Iterator[Progress]:
    """Says what is under way where pytest has nothing to say; what it captures would not be seen."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext(), Progress(text, log=_in_worker()) as told:
        yield told


def _is_ours(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(m) for m in (*FAMILIES, "sweep", "casebook", "benchmark"))


def _is_empty(item: pytest.Item) -> bool:
    """Whether this is what pytest puts in place of a test without parameters."""
    return not any(isinstance(p, Attempt | Case | Cell | Output) for params in _params([item]) for p in params.values())


def _is_controller(config: pytest.Config) -> bool:
    """Whether xdist's workers run the tests."""
    return bool(getattr(config.option, "numprocesses", None)) and not _in_worker()


def _in_worker() -> bool:
    """Whether this is a process of xdist's."""
    return "PYTEST_XDIST_WORKER" in os.environ


@pytest.fixture
def judged(check: Check, case: Case, request: pytest.FixtureRequest) -> Outcome:
    """The outcome of a check on a case, already on record; skips, with the reason, what is absent and where nothing could be judged."""
    held = request.config.stash[_STATE].baselines
    return _on_record(request, case, lambda s, environment: ratchet.hold(held, s, check, case, judge(s, check, case, environment)))


@pytest.fixture
def every_input(output: Output, request: pytest.FixtureRequest) -> Outcome:
    """The outcome of a sweep, already on record; skips, with the reason, what is absent."""
    held = request.config.stash[_STATE].baselines
    return _on_record(request, output.case, lambda s, environment: ratchet.hold_sweep(held, s, output.case, swept(s, output, environment)))


def _on_record(request: pytest.FixtureRequest, case: Case, work: Callable[[Session, str], Outcome]) -> Outcome:
    state = request.config.stash[_STATE]
    assert state.session is not None
    request.node.user_properties += asdict(case).items()
    environment = ""
    try:
        environment = state.environment(case.backend, needs_x64(case))
    except Absent as error:
        state.note_absent(case.backend, str(error))
        pytest.skip(f"{case.backend} is absent: {error}")
    except WorkerError:
        pass  # it is the same error that the work meets, which puts it on record
    outcome = work(state.session, environment)
    for record in outcome.records:
        state.keep(record)
    if outcome.absent and not outcome.failures:
        state.note_absent(case.backend, outcome.absent, case.implementation, case.operation)
        pytest.skip(outcome.absent)
    if outcome.idle and not outcome.failures:
        pytest.skip(outcome.idle)
    return outcome


@pytest.fixture
def reproduced(attempt: Attempt, request: pytest.FixtureRequest) -> str:
    """Why an entry of the casebook is not reproduced, empty if it is, already on record; skips, with the reason, what is absent."""
    state = request.config.stash[_STATE]
    assert state.session is not None
    try:
        environment = state.environment(attempt.backend, attempt.x64)
        found = reproduce(state.session.processes, attempt, environment)
    except Absent as error:
        state.note_absent(attempt.backend, str(error))
        pytest.skip(f"{attempt.backend} is absent: {error}")
    except WorkerError as error:
        found = Reproduction(attempt.entry.id, attempt.backend, error=str(error))
    state.keep_reproduction(found)
    return message(found)


class Timed:
    """Times cells and keeps their records."""

    def __init__(self, state: State) -> None:
        self._state = state

    def run(self, cell: Cell, fixture: Any) -> float | None:
        """Times a cell; returns the seconds of its first call. Skips, with the reason, what is absent."""
        state = self._state
        assert state.session is not None
        case = cell.case
        try:
            environment = state.environment(case.backend, needs_x64(case))
            if reason := state.session.missing(case):
                state.note_absent(case.backend, reason, case.implementation, case.operation)
                pytest.skip(reason)
            first = timing.run(cell, state.session.processes.of(case), fixture)
        except Absent as error:
            state.note_absent(case.backend, str(error))
            pytest.skip(f"{case.backend} is absent: {error}")
        except WorkerError as error:
            state.keep(timing.failed(cell, str(error)))
            raise
        if record := timing.record(cell, fixture, environment):
            state.keep(record)
        return first


@pytest.fixture
def timed(request: pytest.FixtureRequest) -> Timed:
    """What times cells."""
    return Timed(request.config.stash[_STATE])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Between the phases of a test an interrupt waits: other plugins take it for a fault of their own there."""
    with interrupts.deferred():
        done = yield
    if signal := interrupts.cause():
        item.session.shouldstop = f"stopped by {signal}"
    return done


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup() -> Iterator[None]:
    """Where the work is done it may be interrupted."""
    with interrupts.at_once():
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call() -> Iterator[None]:
    """The same for timings, which run in the test."""
    with interrupts.at_once():
        return (yield)


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Counts what has been run, so that a report can say what is missing."""
    if _is_ours(item):
        item.config.stash[_STATE].finished += 1


@pytest.hookimpl(tryfirst=True)
def pytest_keyboard_interrupt() -> None:
    """From here on nothing interrupts what keeps the results."""
    interrupts.finish()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Iterator[None]:
    """Ends the workers, closes the result file, builds the report: after all other plugins, and whatever becomes of them."""
    try:
        return (yield)
    finally:
        config = session.config
        if state := config.stash.get(_STATE, None):
            status = int(pytest.ExitCode.USAGE_ERROR) if state.idle and _is_controller(config) else int(exitstatus)
            session.exitstatus = status = ending.conclude(state, status)
            if hasattr(config, "workeroutput"):
                config.workeroutput["logitbench"] = state.handed_over()
            else:
                with _told(config, "building the report"):
                    session.exitstatus = ending.build(state, status, config.getoption("report_single_file"))


def pytest_testnodedown(node: Any) -> None:
    """Takes over what xdist's workers have to say."""
    if told := getattr(node, "workeroutput", {}).get("logitbench"):
        node.config.stash[_STATE].take_over(told)


pytest_testnodedown = pytest.hookimpl(optionalhook=True)(pytest_testnodedown)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Iterator[None]:
    """Last of all, so that it is what one sees: what was found, and where the report is."""
    yield
    terminal.summary(terminalreporter, config.stash[_STATE])
