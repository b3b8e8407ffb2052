"""Timings in the report: fits of time to size, the figures' data, what older result files lack."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reports import view
from reports.charts import figure_data, plots
from reports.html import build
from reports.merge import read
from reports.scaling import Fit, fits
from reports.timings import Timing, timings
from reports.view import View
from suite.meta.sample_results import Line, end, facts, record, run, timed, timing

Rows = Callable[..., list[Timing]]


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """What a report makes of lines."""

    def made(*lines: Line) -> list[Timing]:
        path = tmp_path / "results.jsonl"
        path.write_text("".join(f"{json.dumps(line)}\n" for line in (run(), facts(), *lines, end())), encoding="utf-8")
        return timings(View(read([path])).cases)

    return made


def of(rows: Rows, times: dict[int, float], **more: Any) -> Fit:
    """The one fit to times by size."""
    (found,) = fits(rows(*(timed(n, t, **more) for n, t in times.items())))
    return found


def test_a_line_is_found_again(rows: Rows) -> None:
    """5 µs a call, 2 ns an element: from 2,500 elements on they outweigh the dispatch."""
    found = of(rows, {n: 5e-6 + 2e-9 * n for n in (100, 1_000, 10_000, 1_000_000)})
    assert found.call == pytest.approx(5e-6)
    assert found.element == pytest.approx(2e-9)
    assert found.off < 1e-9
    assert found.dispatch == "2,500"


def test_relative_errors_are_what_counts(rows: Rows) -> None:
    """A tenth too much at the largest size does not drown the call, as it would by absolute errors."""
    found = of(rows, {100: 5.2e-6, 1_000: 7e-6, 1_000_000: 1.1 * 2.005e-3})
    assert found.call == pytest.approx(5e-6, rel=0.05)
    assert found.off < 0.1


@pytest.mark.parametrize(
    ("times", "call", "element", "dispatch", "exponent"),
    [
        ({100: 1e-7, 1_000: 1e-6, 10_000: 1e-5}, 0.0, 1e-9, "below 100", 1.0),
        ({100: 1e-6, 1_000: 2e-5, 10_000: 4e-4}, 0.0, None, "below 100", 1.3),  # ever slower: a call would take less than nothing
        ({100: 3e-6, 1_000: 3e-6, 10_000: 3e-6}, 3e-6, 0.0, "above 10,000", 0.0),
        ({100: 3e-6, 1_000: 2e-6, 10_000: 1e-6}, None, 0.0, "above 10,000", -0.24),  # ever faster, and so would an element
    ],
)
def test_neither_part_is_negative(
    rows: Rows, times: dict[int, float], call: float | None, element: float | None, dispatch: str, exponent: float
) -> None:
    """All elements, or all dispatch, at the ends of what was measured."""
    found = of(rows, times)
    assert call is None or found.call == pytest.approx(call, abs=1e-12)
    assert element is None or found.element == pytest.approx(element, abs=1e-15)
    assert found.dispatch == dispatch
    assert found.exponent == pytest.approx(exponent, abs=0.01)


def test_what_does_not_belong_together_is_not_fitted_together(rows: Rows) -> None:
    """Rows of another length, another pass, another dtype; two sizes are too few, and older files do not tell the row's length."""
    sizes = (100, 1_000, 10_000)
    mine = [timed(n, 1e-6 + 1e-9 * n, row=10) for n in sizes]
    others = [timed(20 * n, 1e-6, row=20) for n in sizes[:2]] + [timed(n, 1e-6, row=10, check="gradient") for n in sizes[:2]]
    old = [timing(str(n), value=1e-6, case={**mine[0]["case"], "dtype": "float16"}) for n in sizes]
    (found,) = fits(rows(*mine, *others, *old))
    assert [t.elements for t in found.timings] == [100.0, 1_000.0, 10_000.0]
    assert (found.check, found.row_length) == ("forward", 10.0)


def test_the_figures_data_has_every_timing_and_fit(rows: Rows) -> None:
    """In the order and the units that the script reads: µs, ms, times the floor, ULP; µs a call, ns an element."""
    found = rows(*(timed(n, 5e-6 + 2e-9 * n) for n in (100, 1_000, 10_000)))
    data = figure_data(found, fits(found))
    texts = data["texts"]
    ((*names, times, lines),) = data["cases"]
    assert [texts[i] for i in names] == ["sigmoid", "jax", "jit", "jax.nn.sigmoid", "float32"]
    assert [texts[i] for i in times[0][:2]] == ["100", "forward"]
    assert times[0][2:] == [5.2, 250, 3.25, 1.75, 0.375]
    assert data["sizes"][times[2][0]] == [10_000.0, 0.0]
    assert [texts[lines[0][0]], *lines[0][1:]] == ["forward", 0.0, 5, 2]
    assert plots(found) == ["floor", "accuracy"]


def test_what_is_no_number_is_no_point(rows: Rows) -> None:
    """An infinite error, memory that is not known; exact results are points."""
    found = rows(timed(1, 1e-6, extra={"max ulp": "inf", "peak extra memory (bytes)": None}), timed(2, 1e-6, extra={"max ulp": 0.0}))
    ((*_, times, _),) = figure_data(found)["cases"]
    assert [t[5] for t in times] == [None, 0]
    assert math.isfinite(found[1].per_element or math.nan)


@pytest.fixture
def page(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """The pages of a report by name."""

    def made(*lines: Line) -> dict[str, str]:
        path = tmp_path / "results.jsonl"
        path.write_text("".join(f"{json.dumps(line)}\n" for line in (run(), facts(), *lines, end())), encoding="utf-8")
        index = build([path], tmp_path / "out")
        return {p.name: p.read_text(encoding="utf-8") for p in index.parent.rglob("*.html")}

    return made


def test_the_page_shows_what_stands_beside_a_time(page: Callable[..., dict[str, str]]) -> None:
    """Times the floor, bytes a second, memory, error, in the table; each figure; the fits on their own page."""
    pages = page(*(timed(n, 5e-6 + 2e-9 * n) for n in (100, 1_000, 10_000)))
    cells = re.findall(r'<td class="num">([^<]*)</td>', pages["benchmarks.html"])
    assert cells[:8] == ["5.2 µs", "0 ns", "52", "250 ms", "3.25", "154 MB", "4.2 MB", "1.75"]
    assert re.findall(r'data-plot="(\w+)"', pages["benchmarks.html"]) == ["median", "first", "floor", "accuracy", "scaling"]
    assert re.findall(r'<td class="num">([^<]*)</td>', pages["scaling.html"])[:3] == ["5 µs", "2", "2,500"]
    assert 'href="scaling.html"' in pages["benchmarks.html"]


def test_results_of_before_are_read(page: Callable[..., dict[str, str]]) -> None:
    """They have no floor, no memory, no error: dashes, and the figures that they have."""
    pages = page(timing())
    assert re.findall(r'data-plot="(\w+)"', pages["benchmarks.html"]) == ["median", "first", "scaling"]
    assert re.findall(r'<td class="num">([^<]*)</td>', pages["benchmarks.html"])[-4:] == ["–"] * 4
    assert "scaling.html" not in pages


def test_a_whole_run_stays_below_a_megabyte_a_page(page: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirteen thousand timings, all of them listed."""
    monkeypatch.setattr(view, "ROOM", 100_000_000)
    cases = [record(implementation=f"module.name_{i}", backend="keras-tensorflow")["case"] for i in range(1_300)]
    lines = [timed(n, 5.1234e-6 + 2.0001e-9 * n, case=c, check=check) for c in cases for check in ("forward", "gradient")
             for n in (100, 1_000, 10_000, 100_000, 1_000_000)]  # fmt: skip
    pages = page(*lines)
    sizes = {name: len(text.encode()) for name, text in pages.items()}
    assert max(size for name, size in sizes.items() if name.startswith(("benchmarks", "scaling"))) < 1_000_000
    assert sum(text.count("<tr data-s") for name, text in pages.items() if name.startswith("scaling")) == 2_600
