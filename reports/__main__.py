"""The reports' command line: ``python -m reports build FILES… --output DIR`` and ``python -m reports summary FILES…``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from reports.html import build
from reports.read import ResultsError
from reports.summary import summary

FOLDER = Path(__file__).parent


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    made = argparse.ArgumentParser(
        prog="python -m reports", description="Turns result files of the suite into reports.", allow_abbrev=False
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="{build,summary}")
    html = commands.add_parser("build", help="write an HTML report", description="Writes an HTML report that opens from disk.")
    short = commands.add_parser("summary", help="print a Markdown summary", description="Prints a Markdown summary, for a CI job's page.")
    for command in (html, short):
        command.add_argument(
            "files",
            nargs="+",
            type=Path,
            metavar="FILE_OR_DIR",
            help="result files (JSON lines), or directories that hold *.jsonl files",
        )
    html.add_argument("--output", type=Path, default=FOLDER / "html", metavar="DIR", help="where to write (default: %(default)s)")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; 0 when it is done, 2 when its input cannot be read or its output not be written."""
    options = parser().parse_args(arguments)
    try:
        if options.command == "build":
            print(build(options.files, options.output))
        else:
            sys.stdout.reconfigure(encoding="utf-8") if hasattr(sys.stdout, "reconfigure") else None
            print(summary(options.files), end="")
    except ResultsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = error.filename or getattr(options, "output", "standard output")
        print(
            f"error: {where}: cannot be written: {error.strerror or error}; --output takes a directory to write to",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
