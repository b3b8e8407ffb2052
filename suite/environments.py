"""Environments with the releases that are asked for: made by uv if it is there, else by ``venv`` and pip, or given by their path.

uv and pip read their own configuration and variables. What is made is kept in a cache for the day: requirements leave versions open, of
dependencies at least, and two releases are compared fairly only with the same ones beside them. Made anew, an environment takes uv seconds.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from atexit import register
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

COMPATIBILITY = Path(__file__).resolve().parent.parent / "fixtures" / "compatibility.toml"

OLDEST = (3, 11)
"""The oldest Python that the suite's workers run on."""

KEPT = 2
"""Days after which an environment is removed from the cache."""

ALLOWED = (
    'allowed is the path of an environment or of its interpreter, or requirements separated by blanks: "jax==0.10.1 numpy<2.4", '
    '"keras @ git+https://…", "./a.whl"'
)
_ARCHIVES = (".whl", ".zip", ".gz")
_LAST_LINES = 12

_LOOK = """
import json, sys
from importlib import metadata
found = [[d.metadata["Name"], d.version] for d in metadata.distributions()]
print(json.dumps({"python": sys.version_info[:2], "identity": [sys.version, sys.base_exec_prefix], "versions": found}))
"""

Log = Callable[[str], None]


class EnvironmentsError(Exception):
    """An environment cannot be had; the text says why, in the resolver's own words where it is the resolver that refuses."""


@dataclass(frozen=True)
class Environment:
    """An interpreter and all distributions that it finds, by normalised name (``ml-dtypes``); ``fresh`` if it was made by this call."""

    wanted: str
    python: str
    versions: Mapping[str, str]
    fresh: bool = False


@dataclass(frozen=True)
class Row:
    """What a distribution's releases require beyond their metadata, see ``fixtures/compatibility.toml``."""

    distribution: str
    requires: tuple[str, ...]
    reason: str
    releases: SpecifierSet | None = None
    unless: tuple[str, ...] = ()

    def applies(self, asked: Iterable[Requirement]) -> bool:
        """Whether one of the requirements asks for such a release, and none for what makes the row needless."""
        names = {canonicalize_name(r.name): r for r in asked}
        own = names.get(canonicalize_name(self.distribution))
        if own is None or names.keys() & set(self.unless):
            return False
        version = pinned(own)
        return self.releases is None or (version is not None and self.releases.contains(version, prereleases=True))


def make(wanted: str, python: str = "", cache: Path | None = None, log: Log = print) -> Environment:
    """The environment that is wanted: a path, which is used as it is, or requirements, which are installed if they are not in the cache.

    Args:
        wanted: see :data:`ALLOWED`.
        python: version (``3.12``) or path of the interpreter to make it with; by default the running one.
        cache: directory to keep environments in; by default ``logitbench/environments`` in the user's cache.
        log: is told, line by line, what is done and downloaded.

    Raises:
        EnvironmentsError: wrong options, no such interpreter, or a requirement that cannot be installed.
    """
    if given := _interpreter(wanted):
        return Environment(wanted, given, _look(given)["versions"])
    asked = parse(wanted)
    named = [part for part in asked if isinstance(part, Requirement)]
    base = _base(python)
    identity = _look(base)["identity"]
    added = [row for row in load(COMPATIBILITY) if row.applies(named)]
    for row in added:
        log(f"{wanted}: adding {' '.join(row.requires)}. {row.reason}")
    required = sorted({*map(str, asked), *(_narrowed(text, named) for row in added for text in row.requires)})
    key = json.dumps([required, [_changed(part) for part in asked if isinstance(part, Path)], identity])
    home = default_cache() if cache is None else cache
    folder = home / _name(wanted, key)
    try:
        home.mkdir(parents=True, exist_ok=True)
        _prune(home)
        with _locked(home / f"{folder.name}.lock", lambda: log(f"{wanted}: waiting for another run, which is making it")):
            if fresh := not folder.exists():
                _build(folder, base, required, log)
    except OSError as error:
        raise EnvironmentsError(f"{wanted}: cannot be kept in {home}: {error}") from error
    interpreter = str(folder / "bin" / "python")
    return Environment(wanted, interpreter, _look(interpreter)["versions"], fresh)


# What is asked for


def parse(wanted: str) -> list[Requirement | Path]:
    """The requirements, and the local files and directories among them, absolute; raises :class:`EnvironmentsError`."""
    joined = re.sub(r"\s*([<>=!~]=+|[<>@,])\s*", r"\1", wanted)  # blanks separate requirements, within one they go
    found = [_parsed(text) for text in joined.split()]
    if not found:
        raise EnvironmentsError(f"nothing is asked for; {ALLOWED}")
    return found


def _parsed(text: str) -> Requirement | Path:
    if text.startswith((".", "/", "~")) or text.endswith(_ARCHIVES):
        if path := _existing(text):
            return path
        raise EnvironmentsError(f"there is no {text}; {ALLOWED}")
    if (path := _existing(text)) and path.is_file():  # not a distribution of that name, which anyone may have published
        raise EnvironmentsError(f"{text} is a file; {ALLOWED}")
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise EnvironmentsError(f"{text} is no requirement ({str(error).splitlines()[0]}); {ALLOWED}") from None


def pinned(requirement: Requirement) -> Version | None:
    """The one version that a requirement allows; None if it leaves a choice."""
    exact = [s for s in requirement.specifier if s.operator == "==" and not s.version.endswith(".*")]
    return Version(exact[0].version) if exact else None


def _narrowed(text: str, asked: Iterable[Requirement]) -> str:
    """A requirement, to the releases that are asked for if it is of the same distribution: pip would download one after the other."""
    requirement = Requirement(text)
    for other in asked:
        if canonicalize_name(other.name) == canonicalize_name(requirement.name):
            requirement.specifier &= other.specifier
    return str(requirement)


def load(path: Path) -> tuple[Row, ...]:
    """The rows of a file; raises :class:`EnvironmentsError` if it cannot be used."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["compatibility"]
        return tuple(_row(entry) for entry in entries)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, InvalidSpecifier, InvalidRequirement, KeyError, TypeError) as error:
        raise EnvironmentsError(f"{path}: {type(error).__name__}: {error}") from error


def _row(entry: dict[str, Any]) -> Row:
    releases = {"releases": SpecifierSet(entry["releases"])} if "releases" in entry else {}
    lists = {name: tuple(entry.get(name, ())) for name in ("requires", "unless")}
    return Row(**entry | lists | releases)


# Interpreters


def _interpreter(text: str) -> str:
    """The interpreter of an environment that is given by its path, or by the interpreter itself; empty if it is neither."""
    path = _existing(text)
    if path and (inside := path / "bin" / "python").exists():
        return str(inside)
    program = path and path.is_file() and os.access(path, os.X_OK) and not text.endswith(_ARCHIVES)
    return str(path) if program else ""


def _existing(text: str) -> Path | None:
    """The file or directory that a text names, if there is one; absolute, but links stay, since an environment's interpreter is one."""
    try:
        path = Path(text).expanduser().absolute()
        return path if text.strip() and path.exists() else None
    except (OSError, RuntimeError):  # too long for a name; ~ where there is no home
        return None


def _base(python: str) -> str:
    """The interpreter that ``--python`` names."""
    if not python:
        return sys.executable
    if found := _interpreter(python):
        return found
    if re.fullmatch(r"3(\.\d+){1,2}", python):
        if uv := _uv():
            done = subprocess.run([uv, "python", "find", "--no-project", python], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return done.stdout.strip()
        if found := shutil.which(f"python{python}") or "":
            return found
    raise EnvironmentsError(f"--python {python}: there is no such interpreter; allowed is a version such as 3.12, or a path")


def _look(python: str) -> dict[str, Any]:
    """What an interpreter is (``identity``), and the ``versions`` of the distributions that it finds."""
    command = [python, "-c", _LOOK]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=_variables() | {"PYTHONSAFEPATH": "1"})
    except OSError as error:
        raise EnvironmentsError(f"{python} does not run: {error}") from error
    if done.returncode:
        raise EnvironmentsError("\n".join([f"{python} does not run:", *done.stderr.strip().splitlines()[-_LAST_LINES:]]))
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if tuple(found["python"]) < OLDEST:
        raise EnvironmentsError(f"{python} is Python {_dotted(found['python'])}; the suite needs {_dotted(OLDEST)} or later")
    # Of a distribution that is there twice, the first on the path is what gets imported.
    versions = {canonicalize_name(name): version for name, version in reversed(found["versions"]) if name}
    return {**found, "versions": dict(sorted(versions.items()))}


def _dotted(version: Iterable[int]) -> str:
    return ".".join(map(str, version))


def _variables() -> dict[str, str]:
    """This process' own, but for those that let another environment's modules in."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


# Making one


def _uv() -> str:
    """The path of uv, be it on the path or beside the running interpreter; empty if it is not there."""
    return shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent)) or ""


def _build(folder: Path, base: str, required: Sequence[str], log: Log) -> None:
    """Makes it under another name, which it loses when it is complete. Nothing stays of one that fails or is interrupted."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
    python = str(unfinished / "bin" / "python")
    log(f"{' '.join(required)}: making {folder}")
    try:
        if uv := _uv():
            _run([uv, "venv", "--no-project", "--relocatable", "--python", base, str(unfinished)], log)
            _run([uv, "pip", "install", "--python", python, *required], log)
        else:
            _run([base, "-m", "venv", str(unfinished)], log)
            _run([python, "-m", "pip", "install", *required], log)
        unfinished.rename(folder)
    except EnvironmentsError as error:
        raise EnvironmentsError(f"{' '.join(required)}: cannot be installed\n{error}") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _run(command: Sequence[str], log: Log) -> None:
    """Runs uv or pip; what they say of downloads is logged. Raises :class:`EnvironmentsError` with their last lines."""
    tail: deque[str] = deque(maxlen=_LAST_LINES)
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=_variables()
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                tail.append(line.rstrip())
                if line.lstrip().startswith(("Downloading", "Building")):
                    log(line.strip())
        except BaseException:
            process.kill()
            process.wait()
            raise
    if process.returncode:
        raise EnvironmentsError("\n".join(tail) or f"{command[0]} ended with exit status {process.returncode}")


# The cache


def default_cache() -> Path:
    """In the user's cache directory (XDG Base Directory Specification); without a home that can be written to, one for this run."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if named.is_absolute():
        return named / "logitbench" / "environments"
    home = _existing("~")
    return home / ".cache" / "logitbench" / "environments" if home and os.access(home, os.W_OK) else _temporary()


@cache
def _temporary() -> Path:
    folder = tempfile.mkdtemp(prefix="logitbench-")
    register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _name(wanted: str, key: str) -> str:
    """The day, for :func:`_prune` and for whoever looks into the cache what is wanted, and a hash of all that decides what comes of it."""
    readable = re.sub(r"[^\w.]+", "-", wanted)[:40].strip("-.")
    return f"{_day()}-{readable}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def _day(ago: int = 0) -> str:
    return (datetime.now(UTC) - timedelta(days=ago)).date().isoformat()


def _changed(path: Path) -> int:
    """When a local file, or the youngest in a directory, was last changed, in nanoseconds."""
    return max(p.lstat().st_mtime_ns for p in (path, *path.rglob("*")))


def _prune(home: Path) -> None:
    """Removes what is older than :data:`KEPT` days."""
    oldest = _day(ago=KEPT)
    for path in home.glob("????-??-??-*"):
        if path.name < oldest:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """While the block runs no other process makes the same environment; ``waiting`` is called if one does now."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
