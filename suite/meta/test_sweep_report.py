"""The report of sweeps: what it shows of a record, and that no record breaks it."""

from __future__ import annotations

import json
import math
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from reports.html import build
from reports.merge import read
from reports.operations import accuracy
from reports.points import Point, pattern, point
from reports.view import View
from suite.meta.sample_results import DIGEST, SCRIPT, SWEPT, Line, end, facts, record, run, sweep

ODD: tuple[Any, ...] = (None, True, -1, 10**400, 1e300, math.inf, math.nan, "x", "0x1p+99999", "nan", [], [[]], [1, 2, 3], {}, [None, {}])


def written(folder: Path, *lines: Line) -> Path:
    """A result file."""
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in (run(), facts(), *lines, end())), encoding="utf-8")
    return path


def pages(folder: Path, *lines: Line) -> dict[str, str]:
    """A report: its pages by their names, with nothing that allows a break."""
    root = build([written(folder, *lines)], folder / "out").parent
    return {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8").replace("<wbr>", "") for p in root.rglob("*.html")}


def test_results_without_a_sweep_say_so(tmp_path: Path) -> None:
    """In one sentence, without a page for an operation."""
    made = pages(tmp_path, record())
    assert "<p>These results hold no sweep.</p>" in made["sweeps.html"]
    assert not [name for name in made if name.startswith("sweeps/")]


def test_an_output_is_shown_whole(tmp_path: Path) -> None:
    """Worst input, frontier, counts, digest; on the first page how much was compared, with a link to the output."""
    made = pages(tmp_path, sweep(), sweep("sweep value", dtype="float16"))
    lead = "2 outputs of 2 cases were computed at every input of float16 and float32:\n8,556,380,162 results compared"
    assert lead in made["sweeps.html"]
    assert 'href="sweeps/sigmoid.html#gradient-float32-' in made["sweeps.html"]
    text = made["sweeps/sigmoid.html"]
    for shown in (DIGEST, DIGEST[:12] + "<", "0x1.e8p+2", "7.625", "4,278,190,000", "first at 0.375", "2046.5", "sigmoid-saturates"):
        assert shown in text
    assert 'from x = 17.3286 <code class="soft">0x1.1542p+4</code>, true zero from 103.972' in text


def test_texts_are_escaped(tmp_path: Path) -> None:
    """Whatever a record says shows as text, on the pages and in the figures' data."""
    extra = {**SWEPT, "slice": SCRIPT, "limitations": [SCRIPT], "digest": SCRIPT, "frontier": [SCRIPT, None], "firsts": {SCRIPT: SCRIPT}}
    line = sweep(f"sweep {SCRIPT}", operation=SCRIPT, implementation=SCRIPT, backend=SCRIPT, extra=extra, worst={"x": SCRIPT})
    made = pages(tmp_path, line)
    assert not [name for name, text in made.items() if SCRIPT in text]
    text, drawn = (next(text for name, text in made.items() if name.startswith(folder)) for folder in ("sweeps/", "operations/"))
    block = drawn.split('application/json">')[1].split("</script>")[0]
    assert SCRIPT in json.loads(block)["texts"]
    assert unescape(text.split("<tbody")[1]).count(SCRIPT) >= 3


@pytest.mark.parametrize("dtype", ["float32", "float64", "float7"])
def test_odd_fields_break_nothing(tmp_path: Path, dtype: str) -> None:
    """Any field may be missing, or be of another type."""
    lines = [sweep(dtype=dtype, extra={}, worst={}, value=None)]
    for i, odd in enumerate(ODD):
        profile = [odd, [0, 1, odd], [odd, 1, "0x1p+0"], [0, odd, "0x1p+0"], [9999, 1, "0x1p+0"]]
        lines.append(sweep(dtype=dtype, extra=dict.fromkeys(SWEPT, odd), worst={"x": odd}, implementation=f"f{i}"))
        lines.append(sweep(dtype=dtype, extra={**SWEPT, "profile": profile, "frontier": [odd, odd]}, implementation=f"g{i}"))
    made = pages(tmp_path, *lines)
    assert made["sweeps/sigmoid.html"].count("<tr data-s=") == len(lines)
    drawn = made["operations/sigmoid.html"].split('application/json">')[1:]
    assert bool(drawn) == (dtype != "float7")
    assert all(json.loads(block.split("</script>")[0], parse_constant=pytest.fail) for block in drawn)


def test_an_output_that_raised_is_counted_apart(tmp_path: Path) -> None:
    """It has no inputs that were compared."""
    made = pages(tmp_path, sweep(), sweep(status="error", extra={}, value=None, worst={}, implementation="f", message="TypeError"))
    assert "1 output of 1 case was computed" in made["sweeps.html"]
    assert "1 output could not be compared." in made["sweeps.html"]


def test_sampled_accuracies_stay_apart(tmp_path: Path) -> None:
    """A sweep's gradient is not a sample's gradient, and its profile is not spelled out among the records."""
    results = read([written(tmp_path, sweep(), record())])
    found = accuracy(View(results).cases[0], "gradient")
    assert found.bound is None
    assert not [value for value in found.measures.values() if value is not None]
    made = pages(tmp_path, sweep())
    assert "No check of this operation was run on samples." in made["operations/sigmoid.html"]
    assert 'href="../sweeps/sigmoid.html"' in made["operations/sigmoid.html"]
    assert "0x1.8000020000000p+0" not in made["records/sigmoid.html"]


def test_pages_are_bounded(tmp_path: Path) -> None:
    """Many outputs are continued on further pages, those together that should be the same; the first page links them all."""
    profile = [[b, 1 + b, (1.0 + b / 1024).hex()] for b in range(1024)]
    lines = [
        sweep(f"sweep {what}", implementation=f"f{i}", extra={**SWEPT, "profile": profile[i:]})
        for what in ("value", "gradient")
        for i in range(60)
    ]
    made = pages(tmp_path, *lines)
    assert max(map(len, made.values())) < 1_000_000
    found = {name: text for name, text in made.items() if name.startswith("sweeps")}
    assert sum(text.count("<tr data-s=") for text in found.values()) == len(lines)
    links = re.findall(r'href="(sweeps/[^"#]+)#([^"]+)"', made["sweeps.html"])
    assert len(links) == 2
    assert all(f'id="{anchor}"' in made[name] for name, anchor in links)


@pytest.mark.parametrize(
    ("dtype", "number", "expected"),
    [
        ("float32", 1.0, 0x3F800000), ("float32", -1.5, 0xBFC00000), ("float32", 2.0**-149, 1), ("float32", 2.0**-126, 0x00800000),
        ("float32", math.inf, 0x7F800000), ("float32", -0.0, 0x80000000), ("float32", 1e39, None), ("float32", 0.1, None),
        ("float16", 65504.0, 0x7BFF), ("float16", 2.0**-24, 1), ("float16", 65536.0, None), ("bfloat16", 1.0, 0x3F80),
        ("bfloat16", -math.inf, 0xFF80), ("bfloat16", math.nan, None), ("bfloat16", 0.0, 0), ("float16", 5e-324, None),
    ],
)  # fmt: skip
def test_patterns(dtype: str, number: float, expected: int | None) -> None:
    """As the formats define them."""
    assert pattern(dtype, number) == expected


def test_points_are_short_and_exact() -> None:
    """Zeros at the end of a literal are left out, and nothing is lost by that."""
    shown = point(["0x1.0200000000000p+126", "-0x0.0p+0"])
    assert shown == Point((float.fromhex("0x1.02p+126"), 0.0))
    assert shown.hexadecimal == "(0x1.02p+126, -0x0p+0)"
    assert point("0x1.8p-149") == Point((1.5 * 2.0**-149,))


def test_a_search_is_shown_as_what_it_is(tmp_path: Path) -> None:
    """In a table of its own, escaped, beside no claim that every input was tried."""
    found = {**sweep(f"search {SCRIPT}"), "family": "search", "value": 32.0, "extra": {"evaluations": 68096, "seed": 1}}
    page = pages(tmp_path, found)["sweeps.html"]
    assert "Searched, not swept" in page
    assert "68096" in page
    assert SCRIPT not in page
    assert "computed at every input" not in page


def test_a_part_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    """Neither in the first sentence nor beside the others: digests of different inputs are not compared."""
    part = sweep("sweep gradient, shards 3 to 5 alone", extra={**SWEPT, "digest": DIGEST[::-1]})
    (tmp_path / "alone").mkdir()
    alone = unescape(pages(tmp_path / "alone", part)["sweeps.html"])
    assert "at every input of" not in alone
    assert "1 output was looked at on a part of the inputs alone" in alone
    both = pages(tmp_path, sweep(), part)["sweeps.html"]
    assert "1 output of 1 case was computed at every input of float32" in unescape(both)
    assert both.count('<th scope="row" class="what">') == 2
