"""The reports' command line: ``python -m reports build``, ``summary`` and ``snippets``, each of result files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from reports import snippets
from reports.html import build
from reports.merge import read
from reports.progress import Progress
from reports.read import ResultsError
from reports.summary import summary
from reports.view import View

FOLDER = Path(__file__).parent
FAILS, INTERRUPTED, UNUSABLE = 1, 2, 4
"""Exit codes, as they are everywhere in the suite."""

EXITS = "exit codes: 0, done; 2, interrupted; 4, unusable options, input or output"
EXAMPLES = {
    "build": "example: python -m reports build reports/results --output reports/html",
    "summary": "example: python -m reports summary reports/results >> $GITHUB_STEP_SUMMARY",
    "snippets": "example: python -m reports snippets reports/results --backend jax --limit 5 --run",
}


class Parser(argparse.ArgumentParser):
    """A wrong option ends in one line, with the exit code that it has everywhere."""

    def error(self, message: str) -> NoReturn:
        """Says what is wrong, and where to look."""
        self.exit(UNUSABLE, f"error: {message}; see {self.prog} --help\n")


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    made = Parser(prog="python -m reports", description="Turns result files of the suite into reports.", epilog=EXITS, allow_abbrev=False)
    commands = made.add_subparsers(dest="command", required=True, metavar="{build,summary,snippets}")
    html = commands.add_parser("build", help="write an HTML report", description="Writes an HTML report that opens from disk.")
    short = commands.add_parser("summary", help="print a Markdown summary", description="Prints a Markdown summary, for a CI job's page.")
    code = commands.add_parser(
        "snippets",
        help="list, write or run the findings' code",
        description="Lists the code that shows each finding with the framework alone; writes it to files; or runs it.",
    )
    html.epilog, short.epilog = (f"{EXITS}. {EXAMPLES[name]}" for name in ("build", "summary"))
    code.epilog = f"{EXITS.replace('2,', '1, with --run: one does not fail as it must; 2,')}. {EXAMPLES['snippets']}"
    for command in (html, short, code):
        command.allow_abbrev = False
        command.add_argument(
            "files",
            nargs="+",
            type=Path,
            metavar="FILE_OR_DIR",
            help="result files (JSON lines), or directories that hold *.jsonl files",
        )
    html.add_argument("--output", type=Path, default=FOLDER / "html", metavar="DIR", help="where to write (default: %(default)s)")
    html.add_argument("--history", type=Path, metavar="DIR", help="result files of earlier runs, to be drawn over time")
    html.add_argument("--single-file", action="store_true", help="write the report as one file as well: report.html, beside index.html")
    code.add_argument("--output", type=Path, metavar="DIR", help="write each snippet into a file there; by default they are listed")
    code.add_argument("--run", action="store_true", help="run each in a plain interpreter; exits 1 unless every one fails as it must")
    code.add_argument(
        "--backend",
        type=lambda names: names.split(","),
        default=[],
        metavar="NAMES",
        help="those of these backends, with commas: jax,keras-jax; by default all",
    )
    code.add_argument("--limit", type=_count, metavar="N", help="no more than so many of each backend; by default all")
    code.add_argument("--jobs", type=_count, default=2, metavar="N", help="how many to run at a time (default: %(default)s)")
    code.add_argument("--timeout", type=_positive, default=300.0, metavar="SECONDS", help="longest time for one (default: %(default)g)")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; 0 when it is done, 1 when a snippet does not reproduce, 2 when interrupted, 4 when input or output is unusable."""
    options = parser().parse_args(arguments)
    sys.stdout.reconfigure(encoding="utf-8") if hasattr(sys.stdout, "reconfigure") else None
    try:
        if options.command == "snippets":
            return _snippets(options)
        if options.command == "build":
            with Progress("reading results and building the report"):
                built = build(options.files, options.output, options.history, options.single_file)
            print(built)
        else:
            with Progress("reading results"):
                told = summary(options.files)
            print(told, end="")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except ResultsError as error:
        print(f"error: {error}", file=sys.stderr)
        return UNUSABLE
    except OSError as error:
        where = error.filename or getattr(options, "output", None) or "standard output"
        print(
            f"error: {where}: cannot be written: {error.strerror or error}; --output takes a directory to write to",
            file=sys.stderr,
        )
        return UNUSABLE
    return 0


def _snippets(options: argparse.Namespace) -> int:
    view = View(read(options.files))
    chosen = snippets.snippets(view, options.backend, options.limit)
    if unknown := set(options.backend) - {case.case.backend for case in view.cases}:
        raise ResultsError(f"--backend: these results have no {', '.join(sorted(unknown))}")
    if options.output:
        print(f"{options.output}: {len(snippets.write(chosen, options.output))} snippets")
    if not options.run:
        print(*(snippet.name for snippet in chosen), sep="\n") if not options.output else None
        return 0
    done = snippets.run(chosen, options.jobs, options.timeout, lambda line: print(line, flush=True))
    print(*snippets.summary(done), sep="\n")
    return 0 if all(outcome.outcome == snippets.REPRODUCES for outcome in done) else FAILS


if __name__ == "__main__":
    sys.exit(main())
