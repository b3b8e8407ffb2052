"""The repository's own shape: who imports whom, what the tables name, how long things are."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite.backends import backends
from suite.checks import checks
from suite.operations import operations

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted(p for folder in ("suite", "reports") for p in (ROOT / folder).rglob("*.py") if "results" not in p.parts)
SUITE = [p for p in FILES if p.parts[len(ROOT.parts)] == "suite" and "meta" not in p.parts]
REPORTS = [p for p in FILES if p.parts[len(ROOT.parts)] == "reports"]

LAYERS = (
    {"suite.declared"},
    {"suite", "suite.model"},
    {"suite.floats", "suite.wire", "suite.batch", "suite.loading"},
    {"suite.operations", "suite.backends", "suite.expected", "suite.machine", "suite.memory"},
    {"suite.tally", "suite.lab", "suite.watch"},
    {
        "suite.oracle",
        "suite.inputs",
        "suite.workloads",
        "suite.worker",
        "suite.processes",
        "suite.records",
        "suite.environments",
        "suite.commandline",
        "suite.interrupts",
    },
    {"suite.elementary", "suite.totals", "suite.floor"},
    {"suite.reference"},
    {"suite.checks", "suite.limitations", "suite.reproduction", "suite.statistics", "suite.shards", "suite.platforms"},
    {"suite.casebook", "suite.cases", "suite.peers", "suite.differing", "suite.sampled", "suite.profiles"},
    {"suite.session", "suite.cluster", "suite.ledger", "suite.verdicts", "suite.baselines"},
    {"suite.judging", "suite.reproducing", "suite.timing", "suite.search", "suite.selection", "suite.release"},
    {"suite.custom", "suite.gate", "suite.ratchet", "suite.upgrade"},
    {"suite.state", "suite.sides", "suite.comparison"},
    {"suite.terminal"},
    {"suite.ending"},
    {"suite.plugin", "suite.sweep", "suite.compare"},
)
"""A module imports from layers above its own, and from its own package. A new module needs its place here."""

BESIDE_A_FRAMEWORK = (
    "model",
    "floats",
    "machine",
    "memory",
    "wire",
    "expected",
    "tally",
    "loading",
    "worker",
    "backends/__init__",
    "backends/base",
)
"""Modules that run in a framework's process: NumPy and that framework are all there is."""

LEAN = ("suite", "suite.declared", "suite.loading", "suite.floats", "suite.memory", "suite.wire", "suite.worker")
"""Those among them that import nothing else, not even inside a function."""

NEEDED = ("flint", "hypothesis", "scipy", "tensorflow", "jax", "keras", "pytest", "optax", "ml_dtypes")

TABLE = {
    **{f"{name}": ["tf.math.", "keras.ops.", "jax.numpy.", "numpy."] for name in ("exp", "expm1", "log", "log1p", "tanh")},
    "sigmoid": ["tf.", "keras.activations.", "keras.ops.", "jax.nn.", "jax.scipy.special.expit", "scipy.special.expit"],
    "log_sigmoid": ["tf.", "keras.activations.", "keras.ops.", "jax.nn.", "scipy.special.log_expit"],
    "softplus": ["tf.", "keras.activations.", "keras.ops.", "jax.nn."],
    "relu": ["tf.", "keras.activations.", "keras.ops.", "jax.nn."],
    "softmax": ["tf.nn.", "keras.ops.", "keras.activations.", "keras.layers.Softmax", "jax.nn.", "scipy.special."],
    "log_softmax": ["tf.nn.", "keras.ops.", "keras.activations.", "jax.nn.", "scipy.special."],
    "logsumexp": ["tf.reduce_logsumexp", "keras.ops.", "jax.", "scipy.special."],
    "logaddexp": ["keras.ops.", "jax.numpy.", "numpy."],
    "logaddexp2": ["keras.ops.", "jax.numpy.", "numpy."],
    "xlogy": ["tf.math.", "jax.scipy.special.", "scipy.special."],
    "binary_cross_entropy": ["keras.losses.", "keras.ops."],
    "binary_cross_entropy_with_logits": ["tf.nn.sigmoid_", "keras.losses.", "keras.ops.", "optax."],
    "weighted_binary_cross_entropy_with_logits": ["tf.nn.weighted_"],
    "categorical_cross_entropy": ["keras.losses.", "keras.ops."],
    "sparse_categorical_cross_entropy": ["keras.losses.", "keras.ops."],
    "softmax_cross_entropy_with_logits": ["tf.nn.", "keras.losses.", "keras.ops.", "optax.softmax_", "optax.safe_"],
    "sparse_softmax_cross_entropy_with_logits": ["tf.nn.", "keras.losses.", "keras.ops.", "optax."],
    "binary_focal_cross_entropy": ["keras.losses.", "optax."],
    "smooth_labels": ["optax."],
    "sigmoid_squared_error": ["tf.", "keras.", "optax.", "scipy.special."],
    "masked_mean": ["tf.", "keras.", "jax.numpy.", "numpy."],
}
"""Public APIs by operation that have to be there, by the beginning of their names."""


def dotted(path: Path) -> str:
    """The module's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, nodes: Iterator[ast.AST] | None = None) -> set[str]:
    """Names of the modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in nodes or ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            package = node.module in ("suite", "reports")
            found |= {f"{node.module}.{a.name}" for a in node.names} if package else {node.module}
    return found


def at_import(path: Path) -> set[str]:
    """Names of the modules that importing the file imports."""
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    reached: list[ast.AST] = []
    while todo:
        node = todo.pop()
        reached.append(node)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            todo += ast.iter_child_nodes(node)
    return imported(path, iter(reached))


def unit(module: str) -> str:
    """What a module counts as: the package below ``suite``, or itself."""
    return ".".join(module.split(".")[:2])


def layer(module: str) -> int:
    """Its place in ``LAYERS``; tests come last."""
    if module.rpartition(".")[2].startswith("test_"):
        return len(LAYERS)
    return next(i for i, units in enumerate(LAYERS) if unit(module) in units)


def test_every_module_has_its_place() -> None:
    """A new module has to be put into a layer."""
    placed = set().union(*LAYERS)
    assert {unit(dotted(p)) for p in SUITE if not p.stem.startswith("test_")} <= placed


@pytest.mark.parametrize("path", SUITE, ids=dotted)
def test_imports_point_one_way(path: Path) -> None:
    """From later layers to earlier ones, or within a package."""
    own = dotted(path)
    for other in sorted(m for m in imported(path) if m.startswith("suite")):
        assert unit(other) == unit(own) or layer(other) < layer(own), f"{own} imports {other}"


def test_only_the_commands_know_the_reports() -> None:
    """They build one at the end of a run, or read what runs have left."""
    assert {dotted(p) for p in SUITE if any(m.startswith("reports") for m in imported(p))} <= {
        "suite.plugin",
        "suite.sweep",
        "suite.compare",
        "suite.ending",
        "suite.baselines",
    }


@pytest.mark.parametrize("path", REPORTS, ids=dotted)
def test_reports_read_files_alone(path: Path) -> None:
    """Of the suite they know the nouns, of the frameworks nothing, and NumPy they do without."""
    others = {m for m in imported(path) if m.split(".")[0] not in sys.stdlib_module_names and not m.startswith("reports")}
    assert {m for m in others if m.startswith("suite")} <= {"suite.model"}
    assert {m.split(".")[0] for m in others} <= {"suite", "jinja2", "markupsafe", "plotly"}


def test_the_nouns_need_the_standard_library_alone() -> None:
    """So that readers of result files need nothing."""
    for path in (ROOT / "suite" / "model").glob("*.py"):
        outside = {m for m in imported(path) if m.split(".")[0] not in sys.stdlib_module_names}
        assert {unit(m) for m in outside} <= {"suite.model"}


@pytest.mark.parametrize("path", [p for p in SUITE if dotted(p) in LEAN], ids=dotted)
def test_what_runs_beside_a_framework_needs_numpy_alone(path: Path) -> None:
    """Not even inside a function does it import more."""
    outside = {m.split(".")[0] for m in imported(path)} - set(sys.stdlib_module_names)
    assert outside <= {"numpy", "suite"}


@pytest.mark.parametrize("path", [p for p in SUITE if p.parent.name == "backends"], ids=dotted)
def test_tables_of_backends_are_read_without_their_framework(path: Path) -> None:
    """At import a backend's module needs NumPy; its framework waits for ``start``."""
    outside = {m.split(".")[0] for m in at_import(path)} - set(sys.stdlib_module_names)
    assert outside <= {"numpy", "suite"}
    assert {unit(m) for m in imported(path) if m.startswith("suite.")} <= {"suite.model", "suite.floats", "suite.backends"}


@pytest.mark.parametrize("module", ["suite.worker", "suite.backends", "suite.floats"])
def test_a_worker_starts_with_numpy_alone(module: str) -> None:
    """Tables read, protocol ready: no framework, no oracle, no generator of inputs."""
    code = f"import {module}, suite.backends, sys; suite.backends.backends(); print(*{{m.split('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert not set(done.stdout.split()) & set(NEEDED)
    assert "numpy" in done.stdout.split()


def test_reading_results_needs_the_standard_library_alone() -> None:
    """``reports`` merges files of machines without NumPy."""
    code = "import reports.read, reports.merge, sys; print(*{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert not set(done.stdout.split()) & {*NEEDED, "numpy", "jinja2", "plotly"}


def test_every_operation_of_the_specification_is_there() -> None:
    """Neither more nor less; a new operation names its APIs here."""
    assert set(operations()) == set(TABLE)


@pytest.mark.parametrize("operation", TABLE)
def test_every_api_of_the_specification_is_there(operation: str) -> None:
    """For each operation an implementation whose name begins so."""
    names = [i.name for b in backends().values() for i in b.implementations if i.operation == operation]
    assert [start for start in TABLE[operation] if not any(name.startswith(start) for name in names)] == []


@pytest.mark.parametrize("name", backends())
def test_what_a_backend_names_is_known(name: str) -> None:
    """Operations, keywords and dtypes exist; no implementation stands twice; it is the backend's own."""
    backend = backends()[name]
    for found in backend.implementations:
        assert found.operation in operations(), found.name
        operation = operations()[found.operation]
        assert set(found.accepts) <= {*operation.optional, *operation.options, *(("axes",) if "axis" in operation.optional else ())}, (
            found.name
        )
        assert set(found.dtypes) & set(backend.dtypes), found.name
        assert found.backend == name
    assert [k for k, n in Counter((i.operation, i.name) for i in backend.implementations).items() if n > 1] == []


def test_keras_has_one_table() -> None:
    """On TensorFlow and on JAX the same APIs are measured."""
    on = [{(i.operation, i.name) for i in backends()[f"keras-{b}"].implementations} for b in ("tensorflow", "jax")]
    assert on[0] == on[1]


def test_names_are_fit_for_options_and_files() -> None:
    """Lower case and unique; the tables of :func:`operations` and the like would hide a second one of the same name."""
    for names in (list(operations()), list(checks())):
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", n) for n in names)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", n) for n in backends())
    defined = [n for p in SUITE if p.parent.name == "operations" for n in _named(p, "Operation")]
    assert sorted(defined) == sorted(operations())


def _named(path: Path, constructor: str) -> Iterator[str]:
    names = dict(re.findall(r'^(\w+) = "(\w+)"$', path.read_text(encoding="utf-8"), re.MULTILINE))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == constructor:
            first = node.args[0]
            yield str(first.value) if isinstance(first, ast.Constant) else names.get(ast.unparse(first), "?")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_is_too_long(path: Path) -> None:
    """Files up to 400 lines, functions up to 60, test functions up to 20 without their decorators."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= (20 if node.name.startswith("test_") else 60), f"{node.name} has {length} lines"
