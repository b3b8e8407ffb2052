"""Environments: what is asked for, what is added, what is kept, what is said when it cannot be had."""

from __future__ import annotations

import fcntl
import math
import os
import re
import sys
import threading
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from suite import environments
from suite.environments import COMPATIBILITY, EnvironmentsError, Row, default_cache, load, make, parse, pinned
from suite.processes import ROOT, Absent, Processes

FAKE_UV = """#!/bin/sh
if [ "$1" = venv ]; then
    for folder; do :; done
    mkdir -p "$folder/bin"
    ln -s "{python}" "$folder/bin/python"
elif [ "$1" = pip ]; then
    echo "$@" >> "{calls}"
    {install}
fi
"""
ROWS = tomllib.loads(COMPATIBILITY.read_text(encoding="utf-8"))["compatibility"]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts a uv on the path that installs nothing but runs a line of shell; returns the file of what it was asked to install."""

    def put(install: str = ":") -> Path:
        uv, calls = tmp_path / "bin" / "uv", tmp_path / "calls"
        uv.parent.mkdir(exist_ok=True)
        uv.write_text(FAKE_UV.format(python=sys.executable, calls=calls, install=install), encoding="utf-8")
        uv.chmod(0o755)
        monkeypatch.setenv("PATH", f"{uv.parent}{os.pathsep}{os.environ['PATH']}")
        return calls

    return put


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A distribution of nothing."""
    path = tmp_path / "logit_probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for name, text in {
            "METADATA": "Metadata-Version: 2.1\nName: Logit_Probe\nVersion: 1.0\n",
            "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }.items():
            file.writestr(f"logit_probe-1.0.dist-info/{name}", text)
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache that is not there yet."""
    return tmp_path / "cache"


def silent(line: str) -> None:
    """For what is said on the way."""


def kept(cache: Path) -> list[str]:
    """What is in the cache beside locks."""
    return [p.name for p in cache.iterdir() if p.suffix != ".lock"]


# What is asked for


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("jax==0.10.1", ["jax==0.10.1"]),
        ("tensorflow==2.20.0  keras == 3.12.4", ["tensorflow==2.20.0", "keras==3.12.4"]),
        ("jax[cpu] >=0.4, <0.5 numpy<2", ["jax[cpu]<0.5,>=0.4", "numpy<2"]),
        ("keras @ git+https://host.example/k@v3 jax", ["keras@ git+https://host.example/k@v3", "jax"]),
        ('scipy;python_version<"4"', ['scipy; python_version < "4"']),
    ],
)
def test_blanks_separate_requirements(wanted: str, found: list[str]) -> None:
    """And may stand within one, around its operators."""
    assert [str(part).replace(" @ ", "@ ") for part in parse(wanted)] == found


def test_a_local_file_is_a_requirement(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its path made absolute."""
    monkeypatch.chdir(wheel.parent)
    assert parse(f"./{wheel.name} numpy<2 {wheel.name}") == [wheel, Requirement("numpy<2"), wheel]


@pytest.mark.parametrize(
    "wanted", ["", " ", "jax>=", "jax==1,numpy", "-r", "--index-url=x", "./no.whl", "no.whl", "/no/environment", "~no/e"]
)
def test_what_is_no_requirement_is_refused(wanted: str, cache: Path) -> None:
    """The text says what it is, and what is allowed."""
    with pytest.raises(EnvironmentsError, match="allowed is the path of an environment") as raised:
        make(wanted, cache=cache, log=silent)
    assert wanted.strip() in str(raised.value)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("text", "version"), [("jax==0.4.23", "0.4.23"), ("jax==0.4.*", None), ("jax>=0.4.23", None), ("jax", None), ("jax>0.1,==0.2", "0.2")]
)
def test_only_an_exact_release_is_pinned(text: str, version: str | None) -> None:
    """A prefix leaves a choice."""
    found = pinned(Requirement(text))
    assert (found and str(found)) == version


# What is added


@pytest.mark.parametrize("entry", ROWS, ids=lambda e: f"{e['distribution']}{e.get('releases', '')}")
def test_every_row_is_well_formed(entry: dict[str, Any]) -> None:
    """Lists are lists, requirements requirements, and there is a reason."""
    assert set(entry) <= {"distribution", "releases", "requires", "unless", "reason"}
    assert entry["requires"]
    assert all(isinstance(entry.get(name, []), list) for name in ("requires", "unless"))
    assert all(Requirement(text).url is None for text in entry["requires"])
    assert entry["reason"].endswith(".")


@pytest.mark.parametrize(
    ("wanted", "added"),
    [
        ("jax==0.4.23", {"jax[cpu]==0.4.23", "numpy<2", "scipy<1.13"}),
        ("JAX==0.4.25 jaxlib==0.4.25", {"numpy<2", "scipy<1.13"}),
        ("jax==0.4.29", {"jax[cpu]==0.4.29"}),
        ("jax==0.10.2", set()),
        ("jax", set()),
        ("optax==0.2.5", set()),
        ("keras", {"jax"}),
        ("keras==3.12.4", {"jax"}),
        ("keras==3.3.3 tensorflow==2.16.1", {"packaging"}),
        ("keras==3.12.4 jax[cpu]==0.10.1", set()),
    ],
)
def test_what_old_releases_need_is_added(wanted: str, added: set[str], fake: Callable[..., Path], cache: Path) -> None:
    """And told with its reason."""
    calls, lines = fake(), list[str]()
    make(wanted, cache=cache, log=lines.append)
    (asked,) = calls.read_text(encoding="utf-8").splitlines()
    assert set(asked.split()[4:]) == {str(r) for r in parse(wanted)} | added
    assert sum("adding" in line for line in lines) == sum(row.applies(map(Requirement, wanted.split())) for row in load(COMPATIBILITY))


def test_rows_know_names_however_they_are_spelt() -> None:
    """ml_dtypes is ML-Dtypes; a pre-release counts as a release."""
    row = Row("ML-Dtypes", ("x",), "", SpecifierSet("<0.4"), ("a-b",))
    assert row.applies([Requirement("ml_dtypes==0.3.0rc1")])
    assert not row.applies([Requirement("ml_dtypes==0.4")])
    assert not row.applies([Requirement("ml_dtypes==0.3"), Requirement("A_B")])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "KeyError"),
        ("[[compatibility", "TOMLDecodeError"),
        ('[[compatibility]]\ndistribution = "a"\nreason = "b"\nrequires = ["c"]\nversions = "1"', "versions"),
        ('[[compatibility]]\ndistribution = "a"\nreason = "b"\nrequires = ["c"]\nreleases = "1"', "InvalidSpecifier"),
        ('[[compatibility]]\nreason = "b"\nrequires = ["c"]', "distribution"),
    ],
)
def test_a_wrong_file_of_rows_is_named(text: str, said: str, tmp_path: Path) -> None:
    """With what is wrong in it."""
    path = tmp_path / "rows.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(EnvironmentsError, match=rf"rows.toml: .*{said}"):
        load(path)


# Interpreters


@pytest.mark.parametrize("wanted", [sys.executable, str(Path(sys.executable).parent.parent)])
def test_an_environment_is_used_as_it_is(wanted: str, cache: Path) -> None:
    """The running one lists what it has, by normalised names, and nothing is made."""
    found = make(wanted, cache=cache, log=silent)
    assert Path(found.python).parent == Path(sys.executable).parent
    assert found.versions["numpy"] == __import__("numpy").__version__
    assert found.versions["ml-dtypes"]
    assert not found.fresh
    assert not cache.exists()


@pytest.mark.parametrize(
    ("python", "said"), [("no/python", "no such interpreter"), ("3.99", "no such interpreter"), ("latest", "allowed is a version")]
)
def test_an_interpreter_that_is_not_there(python: str, said: str, tmp_path: Path) -> None:
    """Names the option."""
    with pytest.raises(EnvironmentsError, match=f"--python {python}: .*{said}"):
        make("jax", python, tmp_path, silent)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo broken >&2; exit 1", "does not run:\nbroken"),
        ("""echo '{"python": [3, 9], "identity": [], "versions": []}'""", "is Python 3.9; the suite needs 3.11 or later"),
    ],
)
def test_an_interpreter_that_will_not_do(script: str, said: str, tmp_path: Path) -> None:
    """Is told by what it says itself."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    for wanted, python in ((str(path), ""), ("jax", str(path))):
        with pytest.raises(EnvironmentsError, match=re.escape(said)):
            make(wanted, python, cache=tmp_path, log=silent)


def test_the_oldest_python_is_that_of_the_project() -> None:
    """``requires-python`` says the same."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=" + ".".join(map(str, environments.OLDEST))


# Making


@pytest.mark.parametrize("uv", [True, False], ids=["uv", "pip"])
def test_a_wheel_is_installed(uv: bool, wheel: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With uv where it is there, with pip where it is not; alone, whatever this process sees; and once."""
    if uv and not environments._uv():  # noqa: SLF001 - what the module itself asks
        pytest.skip("uv is not installed")
    if not uv:
        monkeypatch.setattr(environments, "_uv", str)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    first, second = (make(str(wheel), cache=cache, log=silent) for _ in range(2))
    assert first.versions["logit-probe"] == "1.0"
    assert "numpy" not in first.versions
    assert (first.fresh, second.fresh, second.python) == (True, False, first.python)
    assert kept(cache) == [Path(first.python).parent.parent.name]


def test_what_the_resolver_says_is_passed_on(fake: Callable[..., Path], cache: Path) -> None:
    """Nothing is kept of it, so that it is tried again."""
    calls = fake("echo 'no version of jax==99'; exit 1")
    for _ in range(2):
        with pytest.raises(EnvironmentsError, match=r"jax==99: cannot be installed\nno version of jax==99"):
            make("jax==99", cache=cache, log=silent)
    assert kept(cache) == []
    assert len(calls.read_text(encoding="utf-8").splitlines()) == 2


def test_an_interrupted_one_leaves_nothing(fake: Callable[..., Path], cache: Path, tmp_path: Path) -> None:
    """Interrupted while it downloads; the tool is ended, too, which would sleep on."""
    pid = tmp_path / "pid"
    fake(f"echo $$ > {pid}; echo Downloading; exec sleep 600")

    def interrupt(line: str) -> None:
        if line == "Downloading":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make("jax", cache=cache, log=interrupt)
    assert kept(cache) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    fake()
    assert make("jax", cache=cache, log=silent).fresh


def test_what_a_killed_process_left_is_no_environment(fake: Callable[..., Path], cache: Path) -> None:
    """It is removed, and made anew."""
    fake()
    folder = Path(make("jax", cache=cache, log=silent).python).parent.parent
    folder.rename(folder.with_name(f"{folder.name}.unfinished"))
    assert make("jax", cache=cache, log=silent).fresh
    assert kept(cache) == [folder.name]


def test_two_runs_make_one(fake: Callable[..., Path], cache: Path) -> None:
    """The second waits until the first, here this test, has made it."""
    fake()
    folder = Path(make("jax", cache=cache, log=silent).python).parent.parent
    waits, found = threading.Event(), list[environments.Environment]()
    with (cache / f"{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        other = threading.Thread(target=lambda: found.append(make("jax", cache=cache, log=lambda _: waits.set())))
        other.start()
        assert waits.wait(60)
        assert found == []
    other.join(60)
    assert [f.fresh for f in found] == [False]


# The cache


def test_what_decides_the_result_decides_the_name(
    fake: Callable[..., Path], wheel: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requirements in any order and spelling, a file's age, the interpreter, the day."""
    fake()

    def name(wanted: str) -> str:
        return Path(make(wanted, cache=cache, log=silent).python).parent.parent.name[-12:]

    first, file = name("jax==0.10.1 numpy"), name(str(wheel))
    assert name("numpy jax == 0.10.1") == first
    os.utime(wheel, ns=(0, 0))
    others = [name("jax==0.10.1"), name("jax==0.10.2 numpy"), name(str(wheel)), file]
    monkeypatch.setattr(environments, "_look", lambda _: {"identity": ["another"], "versions": {}})
    assert len({first, name("jax==0.10.1 numpy"), *others}) == 6


def test_environments_last_for_a_day_and_are_removed_later(fake: Callable[..., Path], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of yesterday is not used, but may be in use; nothing else in the directory is touched."""
    fake()
    (cache / "2001-notes").mkdir(parents=True)
    days = ["2001-01-01", "2001-01-02", "2001-01-04"]
    for day in days:
        monkeypatch.setattr(environments, "_day", lambda ago=0, day=day: f"{day[:-1]}{int(day[-1]) - ago}")
        assert make("jax", cache=cache, log=silent).fresh
    assert sorted(n[:10] for n in kept(cache)) == ["2001-01-02", "2001-01-04", "2001-notes"]
    assert len(list(cache.glob("*.lock"))) == 2


def test_the_default_cache_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As XDG has it; where there is no home, a directory that lasts as long as the run."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "logitbench" / "environments"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative, which counts for nothing")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache() == tmp_path / ".cache" / "logitbench" / "environments"
    monkeypatch.setenv("HOME", str(tmp_path / "none"))
    assert default_cache().is_dir()
    assert default_cache() == default_cache()


def test_a_cache_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    """Here it is a file."""
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentsError, match=r"jax: cannot be kept in .*file"):
        make("jax", cache=tmp_path / "file", log=silent)


# Beside old releases


@pytest.mark.parametrize(("tensorflow", "keras", "said"), [("2.13.1", "2.13.1", "2.14 on"), ("2.15.1", "2.15.0", "that of Keras 3")])
def test_a_release_that_is_too_old_is_absent(
    tensorflow: str, keras: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason, instead of an error for each case."""
    config = "class config:\n    list_physical_devices = staticmethod(lambda kind: [type('Device', (), {'name': kind})])\n"
    (tmp_path / "tensorflow.py").write_text(f"__version__ = '{tensorflow}'\n{config}", encoding="utf-8")
    (tmp_path / "keras.py").write_text(f"__version__ = '{keras}'\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    processes = Processes(time_limit=60.0)
    try:
        with pytest.raises(Absent, match=said):
            processes.describe("keras-tensorflow")
    finally:
        processes.close()


@pytest.mark.parametrize(("release", "more"), [((0, 4, 26), {"initial": -math.inf}), ((0, 4, 27), {}), ((0, 10, 2), {})])
def test_a_mask_goes_with_what_a_release_of_jax_needs_beside_it(
    release: tuple[int, ...], more: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing goes with none."""
    monkeypatch.setattr("suite.backends.jax.jax", SimpleNamespace(__version_info__=release))
    monkeypatch.setattr("suite.backends.jax.jnp", SimpleNamespace(inf=math.inf))
    from suite.backends.jax import _mask

    assert _mask(True) == {"where": True, **more}
    assert _mask(None) == {"where": None}
