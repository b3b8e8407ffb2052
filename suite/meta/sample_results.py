"""Result files to test readers with: lines by kind, and a run with one of everything."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from suite.model import (
    Axis,
    Case,
    Change,
    Direction,
    Figure,
    Panel,
    Ratio,
    Record,
    Reproduction,
    Series,
    Speed,
    Statement,
    Status,
    Table,
)

SCRIPT = "<script>alert(1)</script>"
REPRODUCTION = "import jax\nprint(jax.nn.sigmoid(17.0))  # <b> & ```\n"
Line = dict[str, Any]

Write = Callable[..., Path]
"""The fixture ``write``: of lines, perhaps with a ``name``, or a ``tail`` that is no line."""


def run(name: str = "r1", started: str = "2026-11-20T13:45:01+00:00", **more: Any) -> Line:
    """The first line of a file."""
    return {"kind": "run", "format": 1, "run": name, "process": "main", "started": started, "selected": 1, **more}


def end(name: str = "r1", **more: Any) -> Line:
    """The last line of a file."""
    return {"kind": "end", "run": name, "exit": 0, "seconds": 1.5, "finished": 1, **more}


def facts(**more: str) -> Line:
    """An environment."""
    return {"kind": "environment", "id": "jax-cpu", "backend": "jax", "facts": {"jax": "0.10.2", **more}}


def record(status: Status = "pass", operation: str = "sigmoid", dtype: str = "float32", **more: Any) -> Line:
    """A record of a check; ``more`` replaces its fields."""
    case = Case(operation, more.pop("backend", "jax"), more.pop("implementation", "jax.nn.sigmoid"), more.pop("mode", "jit"), dtype)
    made = Record(case, "value_within_bound", "stability", "share of bound", status, 0.31, 1.0, environment="jax-cpu")
    return {**made.to_json(), **more}


def check(name: str = "value_within_bound", **more: Any) -> Line:
    """What a check states."""
    return {"kind": "check", "name": name, "family": "stability", "type": "bound", "statement": f"Near. {SCRIPT}", **more}


def operation(name: str = "sigmoid", **more: Any) -> Line:
    """What an operation is; ``more`` replaces its fields."""
    argument = {"name": "x", "role": "real", "differentiable": True, "rows": False}
    bounds = {"value": ["1/(1 + e^−x).", f"Twice. {SCRIPT}"], "gradient": ["s(1 − s)."]}
    texts = {"name": name, "formula": f"σ(x) {SCRIPT}", "source": "standard model", "shape": "elementwise"}
    ranges = {"range": [0.0, 1.0], "gradient range": ["-inf", "inf"]}
    return {"kind": "operation", **texts, "arguments": [argument], "options": {"gamma": 2.0}, **ranges, "bounds": bounds, **more}


def kills(*mutants: Line) -> Line:
    """Mutants, each with the checks that reject it."""
    one: Line = {"mutant": "softmax: no maximum", "operation": "softmax", "dtype": "float32", "form": "where"}
    return {"kind": "kills", "mutants": [{**one, "meant": ["value_within_bound"], "also": [SCRIPT], **mutant} for mutant in mutants]}


def entry(name: str = "C1", **more: Any) -> Line:
    """What an entry of the casebook says."""
    texts = {"title": "Title", "document": "000_0123456789abcdef.txt", "claim": f"It is so. {SCRIPT}", "method": "As it was."}
    return {"kind": "entry", "entry": name, **texts, "cannot": {"tensorflow": "it has no way"}, "data": [["points", "0" * 16]], **more}


def reproduction(name: str = "C1", holds: bool = True, backend: str = "jax", **more: Any) -> Line:
    """What came of it: a statement, a curve that is stepped through, a surface, a network, a table."""
    axis = Axis(f"x {SCRIPT}")
    panels = (
        Panel("Curve", (Series("c", (1.0, float("nan")), (2.0, 3.0), frames=((1.0, 2.0), (2.0, 3.0))),), axis, Axis("y", log=True)),
        Panel("Surface", (Series("s", (0.0, 1.0), (0.0, 1.0), ((0.0, 1.0), (1.0, 2.0)), "surface"),), axis, axis, Axis("z")),
        Panel("Network", (Series("n", (0.0, 1.0), (0.0, 0.0), style="points", texts=("x", SCRIPT)),)),
    )
    statements = (Statement(f"It is {SCRIPT}", True, "1", "1"), Statement("A limit", holds, "2", "≤ 3", "limit"))
    table = Table("Numbers", ("what", "how many"), (("a", "1"), ("b", SCRIPT)))
    made = Reproduction(name, backend, statements, (Figure("Figure", panels, ("0", "15")),), (table,), environment="jax-cpu")
    plain = json.loads(json.dumps(asdict(made)).replace("NaN", '"nan"'))
    return {"kind": "reproduction", "verdict": made.verdict, **plain, **more}


def timing(workload: str = "1000", **more: Any) -> Line:
    """A record of a benchmark."""
    extra = {"workload": workload, "elements": 1000, "min": 9e-6, "stddev": 1e-7, "first call (s)": 0.2}
    fields: Line = {"check": "forward", "family": "benchmark", "metric": "median time (s)", "value": 1e-5, "limit": None}
    return record("grade", **{**fields, "extra": extra, **more})


def timed(elements: int, seconds: float, row: float = 0, **more: Any) -> Line:
    """A timing of that many elements, with all that is measured beside it."""
    extra = {
        "workload": str(elements), "elements": elements, "row length": row, "stddev": 0.0, "first call (s)": 0.25, "bytes": 8 * elements,
        "bytes per s": 8 * elements / seconds, "copy bandwidth (bytes per s)": 1e10, "times the memory floor": 3.25,
        "peak extra memory (bytes)": 4_200_000, "max ulp": 1.75, "mean ulp": 0.375,
    }  # fmt: skip
    return timing(value=seconds, **{"extra": extra | more.pop("extra", {}), **more})


DIGEST = "17f8ae22e41f87674940a01952b7c28e71657b57b3985d7c7643d7c44f0725b7"
SWEPT: Line = {
    "slice": "", "order": 1, "inputs": 4278190081, "histogram": [4278190000, 70, 10, 1], "mean ulp": 0.25, "correctly rounded": 0.875,
    "max ulp": 2046.5, "descents": 3, "outside": 0, "flushed in": 5, "flushed out": 7, "premature zeros": 9, "non-finite": 0,
    "NaN expected": 0, "NaN lost": 0, "firsts": {"descents": "0x1.8000000000000p-2"}, "frontier": ["0x1.1542000000000p+4", None],
    "true zero": ["0x1.9fe3000000000p+6", "-0x1.9fe3000000000p+6"], "digest": DIGEST, "share of bound": 0.5,
    "profile": [[254, 1, "0x1.0000000000000p+0"], [255, 2, "0x1.8000020000000p+0"], [512, 3, "-0x0.0p+0"]],
    "limitations": ["sigmoid-saturates"], "seconds": {"evaluating": 1.0},
}  # fmt: skip
"""What a sweep has counted."""


def sweep(check: str = "sweep gradient", **more: Any) -> Line:
    """A record of a sweep; ``more`` replaces its fields."""
    fields: Line = {"check": check, "family": "sweep", "metric": "max error (ulp)", "value": 4093.0, "limit": None, "extra": SWEPT}
    return record(more.pop("status", "known"), **{**fields, "worst": {"x": "0x1.e800000000000p+2"}, **more})


def graded(ulp: float, share: float = 0.25, **more: Any) -> Line:
    """A record with the grades of a boundary grid, beside those of all inputs."""
    return record(extra={"max ulp": 99.0, "grid": {"inputs": "0", "max ulp": ulp, "share of bound": share}}, **more)


def side(name: str, version: str, **more: Any) -> Line:
    """One of two releases of JAX."""
    versions = {"jax": version, "jaxlib": version, "numpy": "2.4.0"}
    return {"kind": "side", "name": name, "wanted": f"jax=={version}", "python": "", "versions": versions, "error": "", **more}


def change(direction: Direction = "worse", operation: str = "xlogy", dtype: str = "float32", mode: str = "jit", **more: Any) -> Line:
    """What differs in a result of theirs; ``more`` replaces its fields."""
    case = Case(operation, "jax", more.pop("implementation", f"jax.scipy.special.{operation}"), mode, dtype)
    grades = {"old max ulp": 0.5, "new max ulp": 1.5, "results that differ": 3.0, "largest difference (ulp)": 1.0}
    made = Change(case, "value_within_bound", direction, "value", 3, 512, {"x": "0x1.8p+1"}, 0.5, 0.75, 0.5, 0.125, extra=grades)
    return {**made.to_json(), **more}


def ratio(verdict: Speed = "same", value: float | None = 1.01, operation: str = "softmax", **more: Any) -> Line:
    """The time of a cell of theirs; ``more`` replaces its fields."""
    case = Case(operation, "jax", f"jax.nn.{operation}", "jit", "float32")
    made = Ratio(case, "forward", "1024x1000", verdict, launches=13)
    numbers = {"ratio": value, "low": 0.98 * value, "high": 1.02 * value, "old": 1e-5, "new": value * 1e-5} if value else {}
    return {**made.to_json(), **numbers, **more}


def comparison() -> list[Line]:
    """A run of ``suite.compare`` that found one of everything, as JAX 0.10.1 and 0.10.2 would show it the other way round."""
    nan: Line = {"worst": {"x": "0x0.0p+0", "y": "nan"}, "old": "nan", "new": 0.0, "exact": "nan", "limit": 0.0}
    told: Line = {"message": f"{SCRIPT} lost NaN", "reproduction": REPRODUCTION}
    return [
        run("c1", command=["suite.compare", "--old", "jax==0.10.2"], selected=0),
        side("old", "0.10.2"),
        side("new", "0.10.1"),
        change(**nan, **told),
        change(dtype="bfloat16", **nan),
        change(dtype="bfloat16", mode="eager", **nan),
        change("better", "softmax", implementation=f"jax.nn.{SCRIPT}", old="inf"),
        change("changed", "sigmoid", dtype="float16"),
        ratio("slower", 1.25),
        ratio("faster", 0.8, "sigmoid"),
        ratio(),
        ratio("cannot tell", 1.04, needed=41),
        ratio("not measured", None, message=f"new: died {SCRIPT}"),
        {"kind": "absent", "backend": "jax", "implementation": "jax.nn.silu", "operation": "silu", "reason": f"gone {SCRIPT}"},
        end("c1", exit=1, finished=0),
    ]


def sample() -> list[Line]:
    """A run with one of everything."""
    failing: Line = {"message": f"{SCRIPT} 3 times the bound", "reproduction": REPRODUCTION, "worst": {"x": "0x1.1p+4"}}
    return [
        run(command=["pytest", SCRIPT], selected=3),
        facts(XLA_FLAGS=SCRIPT),
        check(),
        check("never_measured"),
        operation(),
        operation(SCRIPT),
        kills({}, {"mutant": f"softmax: {SCRIPT}", "rounding": ["never_measured"]}),
        {"kind": "absent", "backend": "tensorflow", "implementation": "", "reason": f"not installed {SCRIPT}"},
        record(),
        record("fail", SCRIPT, value=3.0, **failing),
        record("known", dtype="float16", **failing, extra={"limitation": "sigmoid-saturates", "url": "javascript:alert(1)"}),
        record("error", "softmax", value=None, message="TypeError: axis"),
        timing(),
        entry(),
        reproduction(),
        reproduction(holds=False, backend="keras-jax"),
        end(exit=1, finished=3),
    ]


def everything() -> list[list[Line]]:
    """Result files of which a report has every kind of page, of figure and of status."""
    names: list[Line] = [{}, {"implementation": SCRIPT}, {"backend": "numpy", "implementation": "scipy.special.expit", "mode": "eager"}]
    grades: Line = {"max ulp": 2.5, "mean ulp": 0.5, "premature zeros": 3.0, "frontier": 17.5, "correctly rounded": 0.75}
    sizes = {n: 5e-6 + 2e-9 * n for n in (1_000, 10_000, 1_000_000)}
    more = [
        run("r2", selected=9),
        facts(),
        *(record(dtype=dtype, **name, extra=grades) for dtype in ("float16", "float32") for name in names),
        *(record(check="gradient_within_bound", **name, extra=grades) for name in names),
        *(timed(n, t, **name, check=what) for n, t in sizes.items() for name in names for what in ("forward", "gradient")),
        *(timed(n, t, operation="softmax") for n, t in sizes.items()),
        *(sweep(f"sweep {of}", dtype=dtype, **name) for of in ("value", "gradient") for dtype in ("float16", "float32") for name in names),
        {**sweep("search value"), "family": "search", "value": 32.0, "extra": {"evaluations": 68096, "seed": 1}},
        end("r2", finished=9),
    ]  # fmt: skip
    *compared, last = comparison()
    return [sample(), more, [*compared, ratio(operation=SCRIPT), last]]


def earlier() -> list[list[Line]]:
    """Runs, a day apart, after three of which an error has grown."""
    found = []
    for day in range(1, 7):
        ulp = 1.0 if day < 4 else 4.0
        lines = [
            graded(ulp, ulp / 8),
            graded(ulp, implementation=SCRIPT),
            graded(ulp, dtype="float16"),
            timing(),
            timing(backend="numpy", implementation="numpy.exp"),
        ]
        found.append([run(f"h{day}", f"2026-11-{day:02}T00:00:00+00:00"), facts(), *lines, end(f"h{day}")])
    return found
