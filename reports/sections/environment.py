"""Where the results come from: runs, files, and the facts under which each backend was measured."""

from __future__ import annotations

from collections.abc import Iterator

from reports.page import Page, Section
from reports.view import View, is_machine


def pages(view: View) -> Iterator[Page]:
    """Runs and environments, the machine's first."""
    environments = sorted(view.results.environments, key=lambda e: (not is_machine(e), e.backend, e.label))
    yield Page("environment.html", "environment.j2", "Environment", {"environments": environments})


SECTION = Section("Environment", 40, pages)
