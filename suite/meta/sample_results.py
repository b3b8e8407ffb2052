"""Result files to test readers with: lines by kind, and a run with one of everything."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from suite.model import Axis, Case, Figure, Panel, Record, Reproduction, Series, Statement, Status, Table

SCRIPT = "<script>alert(1)</script>"
REPRODUCTION = "import jax\nprint(jax.nn.sigmoid(17.0))  # <b> & ```\n"
Line = dict[str, Any]


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
    case = Case(operation, more.pop("backend", "jax"), more.pop("implementation", "jax.nn.sigmoid"), "jit", dtype)
    made = Record(case, "value_within_bound", "stability", "share of bound", status, 0.31, 1.0, environment="jax-cpu")
    return {**made.to_json(), **more}


def check(name: str = "value_within_bound", **more: Any) -> Line:
    """What a check states."""
    return {"kind": "check", "name": name, "family": "stability", "type": "bound", "statement": f"Near. {SCRIPT}", **more}


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


def sample() -> list[Line]:
    """A run with one of everything."""
    failing: Line = {"message": f"{SCRIPT} 3 times the bound", "reproduction": REPRODUCTION, "worst": {"x": "0x1.1p+4"}}
    return [
        run(command=["pytest", SCRIPT], selected=3),
        facts(XLA_FLAGS=SCRIPT),
        check(),
        check("never_measured"),
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
