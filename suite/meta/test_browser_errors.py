"""The figures of errors in a real browser: bit patterns come back as the numbers that they stand for, and choices lead to data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports.html import build
from suite.floats import FORMATS, Format, from_ordinal, to_ordinal
from suite.meta.browsing import Visit, draw
from suite.meta.sample_results import Write, end, facts, record, run
from suite.profiles import literal

_POINTS = "document.querySelector('[data-plot=error]').data[0]"


def numbers(fmt: Format) -> list[float]:
    """The ends of the format's ranges, of either sign, and some between."""
    found = [fmt.eta, 3 * fmt.eta, fmt.tiny - fmt.eta, fmt.tiny, 1.0, 1.0 + 2 * fmt.u, np.pi, fmt.max]
    ordinals = to_ordinal(fmt, np.array([*found[:6], float(from_ordinal(fmt, to_ordinal(fmt, np.array([1.0])) + 7)[0]), fmt.max]))
    return [sign * float(x) for sign in (-1.0, 1.0) for x in from_ordinal(fmt, ordinals)]


def results(dtype: str) -> dict[str, Any]:
    """A record whose errors are at those numbers: 0 in place of each."""
    rows = [[i, 1 + i, [literal(x)], "-0x0p+0", literal(x)] for i, x in enumerate(numbers(FORMATS[dtype]))]
    made = {"axis": "x", "arguments": ["x"], "histogram": [1, 0, 0, len(rows)], "profile": rows}
    return record(dtype=dtype, extra={"sampled": {"value": made}})


@pytest.fixture
def page(browser: Any, write: Write, tmp_path: Path) -> Iterator[Any]:
    """The page of an operation with such errors in every format."""
    index = build([write(run(), facts(), *map(results, FORMATS), end())], tmp_path / "out")
    made = Visit(browser, index.parent)
    yield made.open("operations/sigmoid.html")
    made.close()
    assert made.problems == []


@pytest.mark.parametrize("dtype", FORMATS)
def test_patterns_come_back_as_numbers(page: Any, dtype: str) -> None:
    """Inputs and results bit for bit, each with the distance between them."""
    page.select_option("[data-errors] [name=dtype]", dtype)
    draw(page)
    texts, steps = page.evaluate(f"[[...{_POINTS}.text], [...{_POINTS}.y]]")
    assert all("<br>got -0x0p+0 (0)<br>" in text for text in texts)
    found = [[float.fromhex(x) for x in re.findall(r"-?0x[0-9a-f.]+p[-+]\d+", text)] for text in texts]
    distance = {x: abs(float(to_ordinal(FORMATS[dtype], np.array([x]))[0])) for x in numbers(FORMATS[dtype])}
    assert sorted(found) == [[x, 0.0, x] for x in sorted(distance)]
    assert [*map(float, steps)] == [distance[x] for x, *_ in found]
