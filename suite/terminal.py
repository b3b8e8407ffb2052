"""What a run says on the terminal at its end, and how a failure is told: its message alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from suite import custom
from suite.judging import IDLE
from suite.state import State

NOTHING = "nothing to run: no check and no timing fits what --backend, --operation, --dtype and -m select"

MOST = 12
"""Functions that fail and are named one by one; a report has all of them."""


def hold(message: str) -> None:
    """Fails the test with a message, if there is one; where in the suite that happens, and what pytest makes of it, says nothing."""
    __tracebackhide__ = True
    if message:
        pytest.fail(message, pytrace=False)


def failing(failed: Counter[tuple[str, str, str]]) -> Iterator[str]:
    """A line for each function that fails: how often, by check."""
    functions: dict[str, dict[str, int]] = {}
    for (function, check, status), count in failed.items():
        functions.setdefault(function, {})[check if status == "fail" else f"{check} (error)"] = count
    ordered = sorted(functions.items(), key=lambda item: -sum(item[1].values()))
    for function, checks in ordered[:MOST]:
        yield f"fails: {function}: " + ", ".join(f"{check}{f' {n} times' if n > 1 else ''}" for check, n in checks.items())
    if len(ordered) > MOST:
        yield f"fails: {len(ordered) - MOST} more functions"


def summary(reporter: pytest.TerminalReporter, state: State) -> None:
    """What was found, what was known, what was absent, how to see the same again, where the report is."""
    lines = list(_lines(reporter, state))
    trouble = list(dict.fromkeys(state.trouble))
    if state.idle:
        reporter.write_line(f"ERROR: {NOTHING}", red=True)
    if lines or trouble:
        reporter.section("logitbench", sep="-")
    for line in lines:
        reporter.write_line(line)
    for reason in trouble:
        reporter.write_line(reason, red=True)


def _lines(reporter: pytest.TerminalReporter, state: State) -> Iterator[str]:
    if state.counts:
        yield "records: " + ", ".join(f"{n} {status}" for status, n in sorted(state.counts.items()))
    if state.verdicts:
        yield "casebook: " + ", ".join(f"{n} {verdict}" for verdict, n in sorted(state.verdicts.items()))
    yield from failing(state.failed)
    for (backend, implementation), reason in state.absent.items():
        fatal = "" if implementation or backend not in state.asked else "; it was asked for by name, so the run fails"
        yield f"absent: {backend}{' ' + implementation if implementation else ''}: {reason}{fatal}"
    skipped = (str(report.longrepr[2]) for report in reporter.stats.get("skipped", []) if isinstance(report.longrepr, tuple))
    for reason, count in Counter(reason for reason in skipped if reason.endswith(IDLE)).items():
        yield f"{reason.removeprefix('Skipped: ')}: {count} times"
    yield from filter(None, map(custom.unchecked, state.implementations))
    yield from dict.fromkeys(state.notes)
    if state.failed:
        yield f"replay: the same inputs with --hypothesis-seed={state.seed}"
    if state.report:
        yield f"report: {state.report}"
