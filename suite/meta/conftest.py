"""Fixtures that several of the suite's own tests share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.html import build
from suite.meta.browsing import ARGUMENTS, VARIABLE, Visit, installed
from suite.meta.sample_results import Line, Write, earlier, everything


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes lines into a result file."""

    def write_lines(*lines: Line, name: str = "a.jsonl", tail: str = "") -> Path:
        path = tmp_path / "results" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines) + tail, encoding="utf-8")
        return path

    return write_lines


@pytest.fixture(scope="session")
def whole_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a report with every kind of page and figure."""
    folder = tmp_path_factory.mktemp("whole")
    for kind, files in (("results", everything()), ("history", earlier())):
        (folder / kind).mkdir()
        for number, lines in enumerate(files):
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (folder / kind / f"{number}.jsonl").write_text(text, encoding="utf-8")
    return build([folder / "results"], folder / "html", folder / "history").parent


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium. One that is missing is a reason to skip, but where the environment asks for it."""
    path = installed()
    if not path and VARIABLE in os.environ:
        pytest.fail(f"{VARIABLE}={os.environ[VARIABLE]}: no such browser")
    if not path:
        pytest.skip("no Chromium here: install it as a package (apt-get install chromium), or name a browser in LOGITBENCH_BROWSER")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: tox -e tests brings it")
    pytest.importorskip("axe_playwright_python", reason="axe-core is not installed: tox -e tests brings it")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield started
        started.close()


@pytest.fixture
def visit(browser: Any, whole_report: Path) -> Iterator[Visit]:
    """A reader of the report, to whom nothing bad may happen."""
    made = Visit(browser, whole_report)
    yield made
    made.close()
    assert made.problems == []
