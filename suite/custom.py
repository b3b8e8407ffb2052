"""Implementations of a user's own: read from a file for ``--implementations``, or made into tests by :func:`check_implementation`."""

from __future__ import annotations

import atexit
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from suite.backends import backends
from suite.cases import PROFILES, Profile, cases_of, fitting, implementations, swept_outputs
from suite.checks import Check, checks
from suite.floats import FORMATS
from suite.judging import Outcome, judge, swept
from suite.loading import Declared, Definition, Nameless, definition, handed_over, name_in, origin, parameters
from suite.model import Case, Implementation, Operation
from suite.operations import operations
from suite.processes import Processes, python_path
from suite.session import Session
from suite.shards import Output

Parameters = Sequence[Sequence[Any]] | None
Question = Check | Output


class DeclarationError(ValueError):
    """A file, or what it declares, cannot be used; the text says why and what is allowed."""


# A file


def read(file: str, time_limit: float) -> list[Declared]:
    """What a file declares.

    Raises:
        DeclarationError: it cannot be read, it raises, it declares nothing, or what it declares cannot be meant.
    """
    answer = _described(file, time_limit)
    if "error" in answer:
        raise DeclarationError(f"{file}: {answer['error']}")
    if not answer["declared"]:
        raise DeclarationError(f'{file}: declares nothing; put @implements("sigmoid", backend="jax") or the like before a function')
    found = []
    for entry in answer["declared"]:
        given = entry.pop("parameters")
        found.append(_fitted(Declared(str(Path(file).resolve()), **entry), given))
    return found


def read_all(files: list[str], time_limit: float) -> tuple[Declared, ...]:
    """What several files declare.

    Raises:
        DeclarationError: as of :func:`read`, or there are two files, or functions, of one name.
    """
    found: dict[tuple[str, str, str], Declared] = {}
    for declared in (d for file in dict.fromkeys(files) for d in read(file, time_limit)):
        _add(found, declared)
    return tuple(found.values())


def _add(known: dict[tuple[str, str, str], Declared], declared: Declared) -> None:
    """Raises ``DeclarationError`` for a file that could not be imported beside another one, and for a function that would be one case."""
    mine = origin(declared.file)
    for file in dict.fromkeys(d.file for d in known.values()):
        if (theirs := origin(file)) != mine and theirs.stem == mine.stem:
            raise DeclarationError(f"{declared.file} and {file} would both be imported as {mine.stem}: rename one")
    other = known.setdefault((declared.backend, declared.operation, declared.name), declared)
    if other.file != declared.file:
        raise DeclarationError(f"{declared.name} of {declared.file} is also the name of a function in {other.file}: rename one")


def _described(file: str, time_limit: float) -> dict[str, Any]:
    """What a process of its own says of the file, in the environment of the backends that the file names."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return {"error": f"cannot be read: {getattr(error, 'strerror', None) or error}"}
    environment = dict(os.environ)
    for backend in reversed(backends().values()):
        if f'"{backend.name}"' in text or f"'{backend.name}'" in text:
            environment |= backend.environment("cpu", False)
    environment["PYTHONPATH"] = python_path()
    command = [sys.executable, "-m", "suite.loading", str(Path(file).resolve())]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=time_limit)
    except subprocess.TimeoutExpired:
        return {"error": f"its import takes longer than {time_limit:.0f} s"}
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {"error": "\n".join([f"Python ends with status {done.returncode} while it is imported", *done.stderr.splitlines()[-4:]])}
    return answer


def _fitted(declared: Declared, given: Parameters) -> Declared:
    """With what the function accepts and what its operation returns, once all names are known and it can be called.

    Raises:
        DeclarationError: a name is unknown or taken, or the parameters do not fit.
    """
    what = f"{declared.file}: {declared.attribute}"
    if declared.operation not in operations():
        raise DeclarationError(f"{what}: unknown operation {declared.operation!r}; known are {', '.join(operations())}")
    if declared.backend not in backends():
        raise DeclarationError(f"{what}: unknown backend {declared.backend!r}; known are {', '.join(backends())}")
    if (declared.backend, declared.operation, declared.name) in implementations():
        raise DeclarationError(f"{what}: {declared.name} is the name of an implementation in the tables; give the file another one")
    if given is None:
        raise DeclarationError(f"{what}: its parameters cannot be known; put it into a function of your own")
    operation = operations()[declared.operation]
    accepts, left = _taken(operation, given, what)
    return replace(declared, accepts=accepts, left=left, shape=operation.shape)


def _taken(operation: Operation, given: Sequence[Sequence[Any]], what: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keywords of the operation that a function takes, and the other parameters that it has beside the arrays."""
    arrays = [a.name for a in operation.arguments]
    positional = [name for name, kind, _ in given if kind.startswith("POSITIONAL")]
    kinds = {kind: name for name, kind, _ in given}
    beside = {name: kind for name, kind, _ in given if name not in positional[: len(arrays)] and not kind.startswith("VAR_")}
    known = (*operation.optional, *operation.options)
    accepts = tuple(name for name in known if beside.get(name, "POSITIONAL_ONLY") != "POSITIONAL_ONLY")
    always = set(accepts) & set(operation.options)
    needed = [name for name, _, optional in given if name in beside and not optional and name not in always]
    missing = len(positional) < len(arrays) and "VAR_POSITIONAL" not in kinds
    if needed or missing:
        takes = ", ".join(_STARS.get(kind, "") + name + ("=..." if optional else "") for name, kind, optional in given)
        if not missing and set(needed) <= set(accepts):
            raise DeclarationError(f"{what} takes ({takes}): {needed[0]} needs a default, since not every call gives it")
        keywords = f"; and, where it takes them, by keyword: {', '.join(known)}" if known else ""
        raise DeclarationError(f"{what} takes ({takes}); {operation.name} gives it by position: {', '.join(arrays)}{keywords}")
    others = [f"**{kinds['VAR_KEYWORD']}"] if "VAR_KEYWORD" in kinds else []
    return accepts, (*(name for name in beside if name not in accepts), *others)


_STARS = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}


@dataclass(frozen=True)
class Own(Implementation):
    """A user's own; ``left`` has the parameters that it is not given, a ``**others`` among them."""

    left: tuple[str, ...] = ()


def implementation(declared: Declared) -> Own:
    """What the main process knows of it; the function is called in the framework's process alone."""
    names = (declared.operation, declared.backend, declared.name)
    dtypes = tuple(backends()[declared.backend].dtypes)
    return Own(*names, _elsewhere, declared.accepts, dtypes, declared.file, declared.left)


def _elsewhere(*_: Any, **__: Any) -> Any:
    raise RuntimeError("a declared function is called in its framework's process")


def unchecked(found: Implementation) -> str:
    """A line on the keywords that a function does without, and on its parameters that are not given; empty if there are none."""
    operation = operations()[found.operation]
    left = found.left if isinstance(found, Own) else ()
    lacking = [name for name in (*operation.optional, *operation.options) if name not in found.accepts]
    # Known keywords are not tried on a **: one that drops them unread would fail at what its function never claimed to do.
    others = next((name for name in left if name.startswith("**")), "")
    defaults = [name for name in left if name != others]
    parts = []
    if others:
        parts.append(f"not checked, since {others} does not say which keywords it takes: {', '.join([*lacking, 'any other'])}")
    elif lacking:
        parts.append(f"not checked, since it does not take them: {', '.join(lacking)}")
    if defaults:
        parts.append(f"left at their defaults: {', '.join(defaults)}")
    return f"{found.name}: {'; '.join(parts)}" if parts else ""


def profile(name: str) -> Profile:
    """The profile as it is for declared functions: nothing is left out, and keywords are checked at every dtype."""
    return replace(PROFILES[name], breadth="all", form_dtypes=tuple(FORMATS))


def outputs_of(case: Case) -> list[Output]:
    """What is swept of a declared function: what is judged, which second derivatives are not."""
    return [output for output in swept_outputs(case) if output.order < 2]


# Tests


def check_implementation(
    function: Callable[..., Any],
    operation: str,
    *,
    backend: str,
    modes: Sequence[str] | None = None,
    dtypes: Sequence[str] | None = None,
    seed: int = 0,
) -> Callable[..., None]:
    """A pytest test of a function that claims to compute an operation, one for each check, mode and dtype.

    ``test_my_loss = check_implementation(my_loss, "softplus", backend="jax")``. The function stands at the top level of a file, since
    the framework's process imports it from there; it takes the operation's array arguments by position, as tensors of the backend,
    and returns the results unreduced, in the dtype that it is given.

    Args:
        modes: the backend's modes to check it in; all of them if not given.
        dtypes: the same for dtypes.
        seed: of the generated inputs: the same from run to run unless another is given.

    Raises:
        ValueError: a name is unknown or taken, the function cannot be imported, or its parameters do not fit.
    """
    frame = inspect.currentframe()
    caller = frame.f_back.f_globals if frame is not None and frame.f_back is not None else {}
    declared = _fitted(_found(function, operation, backend, caller), parameters(function))
    _running.add(declared, definition(function))
    found = implementation(declared)
    cases = list(_chosen(found, modes, dtypes))
    pairs: list[tuple[Question, Case]] = [(check, case) for check in checks().values() for case in cases if fitting(check, case, found)]
    pairs += [(output, case) for case in cases for output in outputs_of(case)]

    @pytest.mark.parametrize("asked", [pytest.param(pair, id=_id(*pair)) for pair in pairs])
    def test(asked: tuple[Question, Case]) -> None:
        """The check holds for the function, for every input tried."""
        outcome = _running.ask(seed, *asked)
        if outcome.absent:
            pytest.fail(f"{asked[1].backend} is absent: {outcome.absent}", pytrace=False)
        if outcome.failures:
            pytest.fail("\n\n".join(outcome.failures), pytrace=False)
        if outcome.idle:
            pytest.skip(outcome.idle)

    return test


def _found(function: Callable[..., Any], operation: str, backend: str, caller: Mapping[str, Any]) -> Declared:
    """Where a function is: in the module that it says it is from, or in the caller's."""
    own = sys.modules.get(getattr(function, "__module__", None) or "")
    reasons = []
    for names in (vars(own) if own is not None else {}, caller):
        try:
            name = name_in(names, function)
        except Nameless as error:
            reasons.append(str(error))
            continue
        if file := names.get("__file__"):
            return Declared(str(Path(file).resolve()), name, operation, backend, path=tuple(p for p in sys.path if p))
        reasons.append(f"{name} is in no file that a framework's process could import")
    raise DeclarationError(reasons[0])


def _chosen(found: Implementation, modes: Sequence[str] | None, dtypes: Sequence[str] | None) -> Iterator[Case]:
    backend = backends()[found.backend]
    chosen = []
    for what, given, known in (("mode", modes, backend.modes), ("dtype", dtypes, backend.dtypes)):
        names = known if given is None else (given,) if isinstance(given, str) else tuple(given)
        if (wrong := [name for name in names if name not in known]) or not names:
            raise DeclarationError(f"{backend.name} has no {what} {wrong[0] if wrong else ''!r}; it has {', '.join(known)}")
        chosen.append(names)
    yield from (case for case in cases_of(found) if case.mode in chosen[0] and case.dtype in chosen[1])


def _id(question: Question, case: Case) -> str:
    return f"{question.name}-{case.id}" if isinstance(question, Check) else f"sweep {question.id}"


class _Running:
    """The processes of all tests together, one for each backend, from the first test to the end; a session for each seed."""

    def __init__(self) -> None:
        self._declared: dict[tuple[str, str, str], Declared] = {}
        self._defined: dict[tuple[str, str], tuple[Definition | None, str]] = {}
        self._sessions: dict[int, Session] = {}
        self._announced: set[tuple[int, Case]] = set()
        self._processes: Processes | None = None

    def add(self, declared: Declared, defined: Definition | None) -> None:
        """Before the first test as a rule; processes that do not know of it are given up."""
        first, operation = self._defined.setdefault((declared.file, declared.attribute), (defined, declared.operation))
        if first != defined:
            what = f"{declared.attribute} for {operation} is replaced by {declared.attribute} for {declared.operation}"
            raise DeclarationError(f"{declared.file}: {what}: rename one")
        _add(self._declared, declared)
        if self._processes is not None:
            self.close()

    def ask(self, seed: int, question: Question, case: Case) -> Outcome:
        """What a check, or a sweep, says of a case."""
        session = self._session(seed)
        environment = session.processes.of(case).name
        if isinstance(question, Check):
            return judge(session, question, case, environment)
        if (seed, case) not in self._announced:
            self._announced.add((seed, case))
            session.announce_sweeps(outputs_of(case))
        return swept(session, question, environment)

    def _session(self, seed: int) -> Session:
        if self._processes is None:
            self._processes = Processes(variables=handed_over(self._declared.values()))
        if seed not in self._sessions:
            mine = tuple(implementation(d) for d in self._declared.values())
            quick = profile("quick")
            self._sessions[seed] = Session(self._processes, quick, seed, quick.max_examples, declared=mine, command="")
        return self._sessions[seed]

    def close(self) -> None:
        """Ends the processes."""
        if self._processes is not None:
            self._processes.close()
        self._processes = None
        self._sessions.clear()
        self._announced.clear()


_running = _Running()
atexit.register(_running.close)
