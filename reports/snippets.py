"""The findings' snippets: listed, written to files, or run, to show that each fails with the framework alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from reports import text
from reports.findings import Finding, failures, known
from reports.view import View

REPRODUCES, PASSES, BREAKS, SLOW, NONE = "reproduces", "does not reproduce", "breaks", "takes too long", "has no snippet"
OUTCOMES = (REPRODUCES, PASSES, BREAKS, SLOW, NONE)
"""The snippet's own assertion fails, as it must; it runs through; it ends otherwise; it did not end; there is none."""


@dataclass(frozen=True)
class Snippet:
    """A finding with the code that shows it, and the case that it was made from."""

    finding: Finding

    @property
    def code(self) -> str:
        """The code; empty if there is none."""
        return self.finding.worst.reproduction

    @property
    def backend(self) -> str:
        """The backend that it needs."""
        return self.finding.example.case.backend

    @property
    def name(self) -> str:
        """What it shows, in one line."""
        return f"{self.backend}: {self.finding.title} ({self.finding.example.case.id}, {self.finding.worst.check})"

    @property
    def file(self) -> str:
        """A file name of its own."""
        return f"{text.slug(self.finding.name)}.py"


@dataclass(frozen=True)
class Outcome:
    """What came of running a snippet; ``said`` is the last line that it wrote."""

    snippet: Snippet
    outcome: str
    said: str = ""


def snippets(view: View, backends: Sequence[str] = (), limit: int | None = None) -> list[Snippet]:
    """One for each finding but errors, of these backends if any are named, and no more than ``limit`` of each backend."""
    found = [Snippet(f) for f in (*failures(view.cases), *known(view.cases)) if f.status != "error"]
    taken: Counter[str] = Counter()
    chosen = []
    for snippet in found:
        if (not backends or snippet.backend in backends) and (limit is None or taken[snippet.backend] < limit):
            taken[snippet.backend] += 1
            chosen.append(snippet)
    return chosen


def write(chosen: Sequence[Snippet], folder: Path) -> list[Path]:
    """Writes each to a file of its own; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for snippet in chosen:
        if snippet.code:
            path = folder / snippet.file
            path.write_text(f"# {' '.join(snippet.name.split())}\n{snippet.code.rstrip()}\n", encoding="utf-8")
            written.append(path)
    return written


def run(chosen: Sequence[Snippet], jobs: int, seconds: float, say: Callable[[str], None]) -> list[Outcome]:
    """Runs them, so many at a time, in processes of their own outside the checkout, and says of each how it ended."""
    done: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        for number, outcome in enumerate(pool.map(lambda snippet: _run(snippet, Path(folder), seconds), chosen), 1):
            done.append(outcome)
            said = f": {outcome.said}" if outcome.said and outcome.outcome != REPRODUCES else ""
            say(f"[{number}/{len(chosen)}] {outcome.outcome}  {outcome.snippet.name}{said}")
    return done


def _run(snippet: Snippet, folder: Path, seconds: float) -> Outcome:
    """In isolated mode: no ``PYTHONPATH``, no user's packages, and not even the folder that it lies in."""
    if not snippet.code:
        return Outcome(snippet, NONE)
    path = folder / snippet.file
    path.write_text(snippet.code, encoding="utf-8")
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    try:
        ended = subprocess.run(
            [sys.executable, "-I", str(path)], cwd=folder, env=quiet, capture_output=True, text=True, errors="replace",
            timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Outcome(snippet, SLOW)
    lines = ended.stderr.splitlines()
    raised = next((line for line in reversed(lines) if re.match(r"[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit)\b", line)), "")
    if ended.returncode == 0:
        return Outcome(snippet, PASSES, (ended.stdout.splitlines() or [""])[-1])
    # The traceback has to end in the snippet itself: frameworks have assertions of their own.
    frames = [line for line in lines if line.lstrip().startswith('File "')]
    own = raised.startswith("AssertionError") and bool(frames) and f'"{path}"' in frames[-1]
    return Outcome(snippet, REPRODUCES if own else BREAKS, raised or f"exit status {ended.returncode}")


def summary(done: Sequence[Outcome]) -> Iterator[str]:
    """How many ended how, by backend and altogether."""
    by_backend: dict[str, Counter[str]] = {}
    for outcome in done:
        by_backend.setdefault(outcome.snippet.backend, Counter())[outcome.outcome] += 1
    rows = {**dict(sorted(by_backend.items())), "all": sum(by_backend.values(), Counter())}
    for name, counts in rows.items():
        yield f"{name}: {', '.join(f'{counts[outcome]} {outcome}' for outcome in OUTCOMES if counts[outcome]) or 'nothing to run'}"
