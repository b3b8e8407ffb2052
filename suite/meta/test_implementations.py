"""A user's own functions: what a file declares is checked and nothing else, a fault is found, what cannot be meant is refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite import check_implementation, custom, loading
from suite.backends import backends
from suite.batch import Batch
from suite.cases import PROFILES, cases_of
from suite.meta.test_options import ROOT, USAGE_ERROR, Done, ids, suite
from suite.model import Limitation
from suite.peers import sound
from suite.processes import Processes
from suite.session import Session

needs_jax = pytest.mark.skipif(find_spec("jax") is None, reason="a gradient of one's own takes a framework that has them")

RIGHT = """
import numpy as np
from suite import implements

@implements("softplus", backend="numpy")
def softplus(x):
    return np.logaddexp(0.0, x.astype(np.float64)).astype(x.dtype)

@implements("softmax", backend="numpy")
def softmax(x, axis=-1, beta=1.0):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)

@implements("smooth_labels", backend="numpy")
def smooth(labels, **others):
    tenth = labels.dtype.type(0.1)
    return labels * (1 - tenth) + tenth / labels.shape[-1]
"""

BAND = """
import numpy as np
from suite import implements

@implements("softplus", backend="numpy")
def softplus(x):
    y = np.logaddexp(np.zeros_like(x), x)
    return np.where((x >= 3) & (x <= 3.001), y * (1 + 3 * np.finfo(x.dtype).eps), y)
"""

TIES = """
import jax
import jax.numpy as jnp
from suite import implements

@implements("logaddexp", backend="jax")
@jax.custom_vjp
def logaddexp(a, b):
    return jnp.logaddexp(a, b)

def backward(rest, g):
    a, b = rest
    return g * jax.nn.sigmoid(a - b) * (1 + (a == b)), g * jax.nn.sigmoid(b - a)

logaddexp.defvjp(lambda a, b: (logaddexp(a, b), (a, b)), backward)
"""

WRONG_RESULTS = """
import numpy as np
from suite import implements

@implements("softmax", backend="numpy")
def wide(x):
    return np.exp(x.astype(np.float64))

@implements("logsumexp", backend="numpy")
def unreduced(x):
    return np.exp(x)

@implements("relu", backend="numpy")
def nothing(x):
    pass
"""


def written(place: Path, source: str, name: str = "my_losses.py") -> Path:
    """A file of the user's."""
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    return path


def checked(path: Path, *arguments: str) -> Done:
    """A run of what a file declares."""
    return suite(f"--implementations={path}", "--no-report", "-q", "--hypothesis-seed=1", *arguments)


def reproduction(done: Done) -> str:
    """The first script of a run's output."""
    found = re.search(r"^from __future__.*?'not within the bound'$", done.stdout, re.MULTILINE | re.DOTALL)
    assert found, done.stdout
    return found[0]


def run(script: str, place: Path) -> Done:
    """A script in a directory of its own, with the suite importable."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_what_is_declared_is_checked_and_nothing_else(tmp_path: Path) -> None:
    """Every case of it, every input of 16 bits too; nothing is timed; what a function does not take is said."""
    path = written(tmp_path, RIGHT)
    done = checked(path, "-rp")
    assert done.returncode == 0, done.stdout + done.stderr
    names = {line.partition("[")[2].rstrip("]") for line in done.stdout.splitlines() if line.startswith("PASSED")}
    assert all("-my_losses." in name for name in names)
    values = {f"value_within_bound-softplus-my_losses.softplus-eager-{dtype}" for dtype in backends()["numpy"].dtypes}
    assert values | {"softplus-my_losses.softplus-eager-float16: value"} <= names
    assert "my_losses.softmax: not checked, since it does not take them: where; left at their defaults: beta\n" in done.stdout
    assert "my_losses.smooth: not checked, since **others does not say which keywords it takes: axis, amount, any other\n" in done.stdout


def test_a_selection_narrows_what_is_declared(tmp_path: Path) -> None:
    """By operation and dtype, as ever."""
    found = ids(checked(written(tmp_path, RIGHT), "--operation", "softmax", "--dtype", "float64", "--collect-only"))
    assert {name.partition("-")[2] for name in found if "-" in name} == {"softmax-my_losses.softmax-eager-float64"}


def test_a_wrong_axis_is_found_at_every_dtype(tmp_path: Path) -> None:
    """In the quickest profile too."""
    wrong = RIGHT.replace("/ e.sum(", "* (1 + (axis == 0 and x.dtype != np.float32)) / e.sum(")
    done = checked(written(tmp_path, wrong), "--operation", "softmax", "-m", "stability")
    failed = {line.partition("]")[0].rpartition("-")[2] for line in done.stdout.splitlines() if line.startswith("FAILED")}
    assert failed == set(backends()["numpy"].dtypes) - {"float32"}, done.stdout


def test_a_band_of_three_units_is_found(tmp_path: Path) -> None:
    """Exit status 1, and a script that fails while the fault is there."""
    path = written(tmp_path, BAND)
    done = checked(path, "--dtype", "float32", "-m", "stability")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"replay: pytest --implementations={path} --hypothesis-seed=1 --backend numpy:eager" in done.stdout
    script = reproduction(done)
    wrong = run(script, tmp_path)
    assert (wrong.returncode, "AssertionError: not within the bound" in wrong.stderr) == (1, True), wrong.stderr
    written(tmp_path, RIGHT)
    assert run(script, tmp_path).returncode == 0


@needs_jax
def test_a_wrong_gradient_of_ones_own_is_found(tmp_path: Path) -> None:
    """At ties alone; its values are right. The script finds it outside the suite."""
    path = written(tmp_path, TIES)
    done = checked(path, "--backend", "jax:jit", "--dtype", "float32")
    assert done.returncode == 1, done.stdout + done.stderr
    found = {line.partition("[")[2].partition("-")[0] for line in done.stdout.splitlines() if line.startswith("FAILED")}
    assert {"gradient_within_bound", "logaddexp_slope_is_sigmoid"} <= found
    assert "value_within_bound" not in found
    wrong = run(reproduction(done), tmp_path)
    assert (wrong.returncode, "AssertionError: not within the bound" in wrong.stderr) == (1, True), wrong.stderr


def test_a_result_of_another_dtype_or_shape_fails(tmp_path: Path) -> None:
    """It says what came and what is wanted."""
    done = checked(written(tmp_path, WRONG_RESULTS), "--dtype", "float32", "-m", "stability")
    assert done.returncode == 1
    assert "my_losses.wide returned float64 of shape (32, 9); float32 of shape (32, 9) is wanted" in done.stdout
    assert "my_losses.unreduced returned float32 of shape (32, 9); float32 of shape (32,) is wanted" in done.stdout
    assert "my_losses.nothing returned NoneType; float32 of shape (256,) is wanted" in done.stdout


def test_a_file_that_raises_beside_its_framework_fails(tmp_path: Path) -> None:
    """With its own error, whatever is asked."""
    path = written(tmp_path, "import sys\nassert 'numpy' not in sys.argv, 'not here'\n" + RIGHT)
    done = checked(path, "--dtype", "float16", "--operation", "softplus")
    assert done.returncode == 1
    failed = f"ImportError: {path} raises, in the process of numpy, AssertionError: not here (line 2)"
    # Two laws judge what a function refuses: they fail, or hold, without its words.
    assert done.stdout.count(failed) >= done.stdout.count("FAILED ") - 2 > 1


DECLARED = "from suite import implements\n@implements({})\ndef f({}): return 0\n"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = 1", ["declares nothing", "@implements("]),
        ("def f(:", ["raises SyntaxError"]),
        ("\nimport nothing_of_that_name", ["raises ModuleNotFoundError", "nothing_of_that_name", "(line 2)"]),
        ("import os; os._exit(3)", ["Python ends with status 3"]),
        ("raise SystemExit('enough')", ["raises SystemExit: enough"]),
        (DECLARED.format("'sigmoyd', backend='jax'", "x"), ["unknown operation 'sigmoyd'", "sigmoid", "masked_mean"]),
        (DECLARED.format("'sigmoid', backend='jaxx'", "x"), ["unknown backend 'jaxx'", "keras-jax", "numpy"]),
        (DECLARED.format("'sigmoid'", "x"), ["TypeError", "'backend'"]),
        (DECLARED.format("'logaddexp', backend='jax'", "x"), ["f takes (x); logaddexp gives it by position: a, b"]),
        (DECLARED.format("'softmax', backend='jax'", "x, t, axis=-1"), ["f takes (x, t, axis=...)", "by keyword: axis, where"]),
        (
            DECLARED.format("'softmax', backend='jax'", "x, axis"),
            ["f takes (x, axis): axis needs a default, since not every call gives it"],
        ),
        (
            DECLARED.format("'sigmoid', backend='jax'", "x") + DECLARED.format("'relu', backend='numpy'", "x"),
            ["f for sigmoid on jax (line 2) is replaced by f for relu on numpy (line 5)"],
        ),
        (DECLARED.format("'sigmoid', backend='jax'", "x") + "def f(x): ...", ["f for sigmoid on jax (line 2) is replaced by f (line 4)"]),
        ("from suite import implements\nimplements('relu', backend='numpy')(lambda x: x)", ["<lambda> does not stand at the top level"]),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, source: str, words: list[str]) -> None:
    """It is named, with what is wrong or what is allowed."""
    path = written(tmp_path, source)
    with pytest.raises(custom.DeclarationError) as raised:
        custom.read(str(path), 60.0)
    assert all(word in str(raised.value) for word in (str(path), *words)), raised.value


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    """Files that could not be imported together, and functions that would be one case; the same file twice is one file."""
    paths = [str(written(tmp_path, DECLARED.format("'sigmoid', backend='jax'", "x"), f"{folder}/same.py")) for folder in "ab"]
    assert len(custom.read_all([paths[0], paths[0]], 60.0)) == 1
    with pytest.raises(custom.DeclarationError, match=r"b/same\.py and .*a/same\.py would both be imported as same: rename one"):
        custom.read_all(paths, 60.0)
    for folder in "ab":
        written(tmp_path, "", f"{folder}/__init__.py")
    with pytest.raises(custom.DeclarationError, match=r"same\.f of .*b/same\.py is also the name of a function in .*a/same\.py"):
        custom.read_all(paths, 60.0)
    written(tmp_path, DECLARED.format("'relu', backend='jax'", "x"), "b/same.py")
    assert len(custom.read_all(paths, 60.0)) == 2


def test_a_framework_that_is_absent_fails_the_run(tmp_path: Path) -> None:
    """Without ``--backend`` too: what declares a function for it asks for it."""
    path = written(tmp_path, DECLARED.format("'relu', backend='jax'", "x"))
    written(tmp_path, "raise ImportError('not for this machine')", "broken/jax.py")
    selected = ("--hypothesis-seed=1", "--no-report", "--dtype", "float32")
    done = suite(f"--implementations={path}", *selected, PYTHONPATH=str(tmp_path / "broken"))
    assert (done.returncode, "absent: jax: ImportError: not for this machine" in done.stdout) == (1, True), done.stdout


def test_a_refusal_is_a_usage_error(tmp_path: Path) -> None:
    """In one line, before anything runs."""
    done = checked(tmp_path / "missing.py")
    assert done.returncode == USAGE_ERROR
    assert f"ERROR: --implementations: {tmp_path / 'missing.py'}: cannot be read" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


NAMES = """
from functools import cache
from suite import implements
from .other import softplus

renamed = implements("softplus", backend="numpy")(softplus)

class Losses:
    @staticmethod
    @implements("relu", backend="numpy")
    def relu(x, *, axis=None): ...

@cache
@implements("sigmoid", backend="keras-jax")
@implements("sigmoid", backend="jax")
def twice(x): ...
"""


def test_names_are_those_that_stand_in_the_end(tmp_path: Path) -> None:
    """In packages with relative imports, in classes, behind further decorators, renamed; what another file declares is not among them."""
    written(tmp_path, "", "package/__init__.py")
    written(tmp_path, RIGHT, "package/other.py")
    found = custom.read(str(written(tmp_path, NAMES, "package/my_losses.py")), 60.0)
    names = ["my_losses.softplus", "my_losses.Losses.relu", "my_losses.twice", "my_losses.twice"]
    assert [(d.name, d.backend) for d in found] == list(zip(names, ["numpy", "numpy", "jax", "keras-jax"], strict=True))


# In a project of one's own

PROJECT = """
import numpy as np
from suite import check_implementation

def right(x):
    return np.logaddexp(0.0, x.astype(np.float64)).astype(x.dtype)

def wrong(x):
    return np.log1p(np.exp(x))

test_right = check_implementation(right, "softplus", backend="numpy", dtypes=["float16", "float32"])
test_wrong = check_implementation(wrong, "softplus", backend="numpy", dtypes="float64", seed=7)
"""


def test_another_project_has_tests_of_its_functions(tmp_path: Path) -> None:
    """Without the suite's plugin, with warnings as errors: one for each check, dtype and sweep; processes are ended."""
    written(tmp_path, PROJECT, "test_mine.py")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "--color=no", "-rA", "test_mine.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("PASSED", "FAILED"))]
    right = [line for line in lines if "::test_right[" in line]
    assert {line.partition(" ")[0] for line in right} == {"PASSED"}, done.stdout
    assert any("[value_within_bound-softplus-test_mine.right-eager-float32]" in line for line in right)
    assert any("[sweep softplus-test_mine.right-eager-float16: value]" in line for line in right)
    assert [line for line in lines if line.startswith("FAILED") and "value_within_bound" in line]
    assert "replay: the same test with seed=7" in done.stdout
    assert done.stderr == ""


def here(x: Any) -> Any:
    """A function at the top level of a file."""
    return x


def power(x: Any, to: int) -> Any:
    """One that takes more than is given."""
    return x**to


another_name = partial(power, to=2)


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        (here, {"operation": "sigmoyd"}, ["sigmoyd", "sigmoid"]),
        (here, {"backend": "jaxx"}, ["jaxx", "keras-jax"]),
        (here, {"modes": ["graph"]}, ["jax has no mode 'graph'", "eager, jit"]),
        (here, {"dtypes": "float8"}, ["jax has no dtype 'float8'", "bfloat16"]),
        (here, {"dtypes": []}, ["jax has no dtype ''"]),
        (here, {"operation": "logaddexp"}, ["here takes (x)", "a, b"]),
        (lambda x: x, {}, ["<lambda> does not stand at the top level"]),
        (max, {}, ["max is in no file"]),
    ],
)
def test_what_cannot_be_checked_is_a_value_error(function: Callable[..., Any], arguments: dict[str, Any], words: list[str]) -> None:
    """It says what is known."""
    given = {"operation": "sigmoid", "backend": "jax", **arguments}
    with pytest.raises(ValueError, match=re.escape(words[0])) as raised:
        check_implementation(function, **given)
    assert all(word in str(raised.value) for word in words)


def test_a_name_in_the_callers_file_will_do() -> None:
    """For what another module defines."""
    (mark,) = check_implementation(another_name, "relu", backend="numpy", dtypes="float32").pytestmark
    assert {p.id.partition("-")[2] for p in mark.args[1]} == {"relu-test_implementations.another_name-eager-float32"}


def test_a_later_function_of_the_same_name_is_a_value_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the one that a framework's process would import."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    tested = "def f(x): ...\ncheck_implementation(f, '{}', backend='numpy')\n"
    source = f"from suite.custom import check_implementation\n{tested.format('relu')}{tested.format('exp')}"
    with pytest.raises(ValueError, match=r"twice\.py: f for relu is replaced by f for exp: rename one"):
        loading.load(str(written(tmp_path, source, "twice.py")))


# What the suite knows of the frameworks is not the user's


def _session(processes: Processes) -> tuple[Session, list[Any]]:
    found = custom.implementation(loading.Declared("/somewhere/my_losses.py", "f", "sigmoid", "numpy"))
    everywhere = Limitation("id", "sigmoid", ("*",), "a reason")
    return Session(processes, PROFILES["quick"], 0, 1, (everywhere,), (found,)), list(cases_of(found))


def test_no_known_failure_excuses_a_user() -> None:
    """Though its patterns match everything."""
    processes = Processes()
    session, cases = _session(processes)
    assert [session.known_of(case) for case in cases] == [()] * len(backends()["numpy"].dtypes)
    assert len(session.known_of(next(cases_of(backends()["jax"].implementations[5])))) == 1


def test_nothing_is_judged_by_a_peer_that_is_wrong_itself() -> None:
    """It is NaN there, which identities leave out."""
    processes = Processes(time_limit=60.0)
    session, cases = _session(processes)
    table = next(i for i in backends()["numpy"].implementations if i.operation == "softplus")
    peer = session.subject(next(c for c in cases_of(table) if c.dtype == cases[1].dtype))
    batch = Batch("peer", {"x": np.array([[0.0, 1.0, 2.0]])})
    value = peer.values(batch)
    off = type(peer)(**{**vars(peer), "evaluate": lambda *_: {"value": (value * [1.0, 1.0 + 1e-5, 1.0]).reshape(1, 3)}})
    got = sound(off).values(batch)
    processes.close()
    assert np.array_equal(got, [value[0], np.nan, value[2]], equal_nan=True)
