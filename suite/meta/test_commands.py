"""The commands beside pytest: what they say of wrong uses, their exit codes, and their help."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from reports import __main__ as reports
from suite import baselines, compare, sweep
from suite.commandline import INTERRUPTED, UNUSABLE

EARLIEST = str(Path(__file__).resolve().parent.parent.parent / "fixtures" / "earliest_results.jsonl")
SIDES = ("--old", "a", "--new", "b")


def compared(arguments: Sequence[str]) -> int:
    """As it is run."""
    return compare.main(list(arguments))


def swept(arguments: Sequence[str]) -> int:
    """As it is run."""
    return sweep.main(list(arguments))


@pytest.mark.parametrize(
    ("command", "arguments", "told"),
    [
        (reports.main, ("bulid", EARLIEST), ["build", "summary", "snippets"]),
        (reports.main, (), ["build", "summary", "snippets"]),
        (reports.main, ("summary", "nowhere.jsonl"), ["nowhere.jsonl: no such file or directory"]),
        (reports.main, ("summary", "README.md"), ["README.md:1: ", "not a line of JSON"]),
        (reports.main, ("summary", "suite/meta"), ["suite/meta: ", "holds no result file"]),
        (reports.main, ("build", EARLIEST, "--output", EARLIEST), [EARLIEST, "--output takes a directory"]),
        (reports.main, ("build", EARLIEST, "--out", "html"), ["unrecognized arguments: --out"]),
        (reports.main, ("snippets", EARLIEST, "--limit", "-1"), ["--limit: '-1' is not a whole number above 0"]),
        (reports.main, ("snippets", EARLIEST, "--jobs", "two"), ["--jobs: 'two' is not a whole number above 0"]),
        (reports.main, ("snippets", EARLIEST, "--timeout", "nan"), ["--timeout: 'nan' is not a number above 0"]),
        (reports.main, ("snippets", EARLIEST, "--backend", "jaxx"), ["--backend: these results have no jaxx"]),
        (swept, ("--backend", "jaxx"), ["--backend: unknown 'jaxx'", "numpy", "keras-jax"]),
        (swept, ("--backend", "jax:graph"), ["--backend: jax has no mode 'graph'", "eager, jit"]),
        (swept, ("--dtype", "float8"), ["--dtype: unknown 'float8'", "bfloat16"]),
        (swept, ("--operation", ""), ["--operation: an empty name", "sigmoid"]),
        (swept, ("--shards", "8:4"), ["--shards: '8:4' is not FIRST:LAST"]),
        (swept, ("--jobs", "-1"), ["--jobs: '-1' is not a number of processes"]),
        (swept, ("--resume", "--dtype", "float16"), ["--resume goes on with its own plan; leave out --dtype"]),
        (compared, ("--old", "jax==0.10.1"), ["required: --new"]),
        (compared, (*SIDES, "--minutes", "0"), ["--minutes: '0' is not a number above 0"]),
        (compared, (*SIDES, "--profile", "deep"), ["--profile: invalid choice: 'deep'", "nightly"]),
        (compared, (*SIDES, "--numerics-only", "--timing-only"), ["--timing-only: not allowed with argument --numerics-only"]),
        (compared, (*SIDES, "--report", "x", "--no-report"), ["--report and --no-report exclude each other"]),
        (compared, ("--old", "nowhere.py", "--new", "nowhere.py"), ["--old: nowhere.py: cannot be read: No such file or directory"]),
        (compared, ("--old", "README.md", "--new", "b", "--no-report"), ["--old: README.md is a file; allowed is"]),
        (baselines.main, ("write", "nowhere"), ["nowhere: no such file or directory"]),
        (baselines.main, ("show", "--baselines", EARLIEST), [EARLIEST, "no such directory"]),
    ],
)
def test_a_wrong_use_is_told_in_a_line(
    command: Callable[[Sequence[str]], int], arguments: tuple[str, ...], told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the option or the file, says what is allowed, and ends with the exit code of a wrong use."""
    try:
        code = command(arguments)
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    said = capsys.readouterr()
    assert code == UNUSABLE
    assert (said.err.count("\n"), said.out) == (1, "")
    assert all(text in said.err for text in ("error: ", *told)), said.err


def parsers() -> Iterator[argparse.ArgumentParser]:
    """Every command's, subcommands' too."""
    todo = [reports.parser(), sweep.parser(), compare.parser(), baselines._parser()]  # noqa: SLF001 - its only way in
    for parser in todo:
        below = [a.choices.values() for a in parser._actions if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001 - as argparse keeps them
        todo += [command for commands in below for command in commands]
        yield parser


@pytest.mark.parametrize("parser", list(parsers()), ids=lambda parser: parser.prog.removeprefix("python -m "))
def test_help_explains_everything(parser: argparse.ArgumentParser) -> None:
    """Each option in words, the exit codes, and the default of what takes a value."""
    text = " ".join(parser.format_help().split())
    assert re.search(rf"[Ee]xit codes: 0, .*{UNUSABLE}, unusable", text)
    for action in parser._actions:  # noqa: SLF001 - as argparse keeps them
        assert action.help or isinstance(action, argparse._SubParsersAction), action.dest  # noqa: SLF001


def test_exit_codes_are_the_same_everywhere() -> None:
    """Of the reports, which know nothing of the suite's commands, too."""
    assert (reports.INTERRUPTED, reports.UNUSABLE) == (INTERRUPTED, UNUSABLE)


def test_an_interrupted_report_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a traceback."""

    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(reports, "summary", interrupted)
    assert reports.main(["summary", EARLIEST]) == INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"
