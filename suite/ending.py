"""How a run ends, whatever has ended it: processes gone, results closed, the report built or the reason told."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from reports.progress import Progress
from suite import interrupts
from suite.commandline import INTERRUPTED
from suite.state import State


def report(files: Iterable[Path], directory: Path, history: Path | None = None, single_file: bool = False) -> tuple[Path | None, str]:
    """Builds the report of result files under a directory; its first page, or none, and why."""
    from reports.history import keep
    from reports.html import build
    from reports.read import ResultsError
    from reports.single import NAME

    found, output = list(files), directory / "html"
    command = shlex.join(["python", "-m", "reports", "build", *map(str, found), "--output", str(output)])
    try:
        with interrupts.droppable():
            if history:
                keep(found, history)
            built = build(found, output, history, single_file)
    except KeyboardInterrupt:
        return None, f"no report: interrupted; the results are kept: {command}"
    except ResultsError as error:
        return None, f"no report: {error}"
    except OSError as error:
        where = error.filename or output
        return None, f"no report: {where}: {error.strerror or error}; elsewhere: {command}"
    return built.with_name(NAME) if single_file else built, ""


def tell(results: Path, directory: Path, out: TextIO, lost: str = "") -> bool:
    """Builds the report of a command's results, and says where both are, or what is ``lost`` of them; whether all of it is there."""
    with Progress("building the report"):
        page, reason = report([results], directory)
    print(f"results: {results}", f"report: {page}" if page else reason, sep="\n", file=out)
    if lost:
        print(lost, file=out)
    return page is not None and not lost


def conclude(state: State, exit_status: int) -> int:
    """Ends the processes of a session of pytest and closes its results; returns its exit status."""
    interrupts.finish()
    if state.session is not None:
        state.session.processes.close()
    if exit_status == 0:
        exit_status = INTERRUPTED if interrupts.cause() else int(state.lacks)
    state.conclude(exit_status, interrupts.cause())
    return exit_status


def build(state: State, exit_status: int, single_file: bool) -> int:
    """Builds its report; returns its exit status, which tells of everything that could not be written."""
    files = sorted((state.directory / "results").glob(f"{state.run}-*.jsonl")) if state.directory else []
    if files and state.directory:
        state.report, reason = report(files, state.directory, state.history, single_file)
        state.trouble += [reason] if reason else []
    if exit_status == 0 and state.trouble:
        return INTERRUPTED if interrupts.again() else 1
    return exit_status
