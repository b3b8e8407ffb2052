"""Series of a history as rows of tables and as the data of figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from reports.history import SPEED, Run, Series, Track


@dataclass(frozen=True)
class Row:
    """A row of a table: the series of one track, of accuracy by metric."""

    track: Track
    series: dict[str, Series]

    @property
    def runs(self) -> int:
        """In how many runs there is a value."""
        return max(len(each.values) for each in self.series.values())

    @property
    def steps(self) -> int:
        """How often a level changes."""
        return sum(len(each.steps) for each in self.series.values())


def rows(series: Iterable[Series], speed: bool) -> list[Row]:
    """The rows of the table of times, or of that of accuracies."""
    found: dict[Track, dict[str, Series]] = {}
    for each in series:
        if (each.track.metric == SPEED) == speed:
            found.setdefault(each.track._replace(metric=""), {})[each.track.metric] = each
    return [Row(track, metrics) for track, metrics in found.items()]


def figure_data(runs: Sequence[Run], series: Iterable[Series]) -> dict[str, Any]:
    """What the figures' script needs: the runs, texts once, and for each series the indices of its texts, its values, its steps.

    Values are pairs (place of a run, value), one after the other in one list; one that repeats the value before it is left out, and
    ``null`` begins a gap. The last entry is the place of the last run that has a value.
    """
    texts: dict[str, int] = {}
    coded = []
    for each in series:
        track = each.track
        names = (track.metric, track.backend, track.implementation, track.mode, track.dtype, track.what, track.workload)
        places = [texts.setdefault(name, len(texts)) for name in names]
        coded.append([places, _changes(each), [each.runs[place] for place in each.steps]])
    return {"runs": [[run.when, run.id, _versions(run)] for run in runs], "texts": list(texts), "rows": coded}


def _changes(series: Series) -> list[float | None]:
    found: list[float | None] = []
    before: tuple[int, float] | None = None
    for run, value in zip(series.runs, series.values, strict=True):
        rounded = float(f"{value:.4g}")
        if before and run != before[0] + 1:
            found += [before[0] + 1, None]
        if before is None or run != before[0] + 1 or rounded != before[1]:
            found += [run, rounded]
        before = (run, rounded)
    return [*found, series.runs[-1]]


def _versions(run: Run) -> str:
    """The versions that a run has been made with, each once."""
    facts = {name: fact for facts in run.facts.values() for name, fact in facts.items()}
    names = ("tensorflow", "keras", "jax", "jaxlib", "optax", "numpy", "scipy")
    return ", ".join(f"{name} {facts[name]}" for name in names if name in facts)
