"""Functions out of a user's file: imported, described, and made to return what they should. Standard library and the nouns only.

The main process has a file described by ``python -m suite.loading FILE``, a process of its own, so that neither a framework nor what
else a file does gets into it; a framework's process (:mod:`suite.worker`) imports the file beside the framework and calls the functions.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple

from suite.declared import CLAIMS, Claim, Loading
from suite.model import Implementation

Function = Callable[..., Any]

VARIABLE = "LOGITBENCH_IMPLEMENTATIONS"
"""Variable that tells a framework's process which functions there are beside the tables."""


class Nameless(Exception):
    """A function has no name under which it could be imported."""


@dataclass(frozen=True)
class Declared:
    """A function of a user's file, as plain data: where it is, what it claims, what it takes.

    ``attribute`` is its name in ``file``, ``accepts`` has the keywords that it is given beside the arrays, ``left`` the parameters that
    it is not given, a ``**others`` among them; ``shape`` is the operation's, ``path`` what ``sys.path`` needs for the file's own imports.
    """

    file: str
    attribute: str
    operation: str
    backend: str
    accepts: tuple[str, ...] = ()
    shape: str = "elementwise"
    path: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``my_losses.my_loss``."""
        return f"{label(self.file)}.{self.attribute}"


def label(file: str) -> str:
    """A file as it stands in the names of its functions: its stem, or the package whose ``__init__.py`` it is."""
    path = Path(file)
    return path.parent.name if path.stem == "__init__" else path.stem


def origin(file: str) -> Path:
    """What takes the name that a file is imported by: the file, or the outermost package that it is in."""
    path = Path(file)
    root, _ = _place(path)
    return root / path.relative_to(root).parts[0]


def handed_over(declared: Iterable[Declared]) -> dict[str, str]:
    """The variable for the frameworks' processes."""
    return {VARIABLE: plain(declared)}


def plain(declared: Iterable[Declared]) -> str:
    """As text, for another process."""
    return json.dumps([asdict(d) for d in declared])


def read_back(text: str) -> tuple[Declared, ...]:
    """The inverse of :func:`plain`."""
    entries: list[dict[str, Any]] = json.loads(text)
    return tuple(Declared(**entry | {k: tuple(v) for k, v in entry.items() if isinstance(v, list)}) for entry in entries)


# Importing


def load(file: str, path: Iterable[str] = ()) -> ModuleType:
    """Imports a file under the name that it has in its package, or by its stem; beside it stands what it imports."""
    with Loading(file):
        return _import(Path(file).resolve(), path)


def _import(file: Path, path: Iterable[str]) -> ModuleType:
    root, name = _place(file)
    sys.path[:0] = [entry for entry in dict.fromkeys([str(root), *path]) if entry not in sys.path]
    if "." in name:
        importlib.import_module(name.rpartition(".")[0])
    if name in sys.modules:
        found = sys.modules[name]
        if (origin := getattr(found, "__file__", None)) and Path(origin).resolve() == file:
            return found
        raise ImportError(f"the name {name} is taken by {origin or 'a module of Python'}: give the file another one")
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError("this is no Python file; its name has to end in .py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _place(file: Path) -> tuple[Path, str]:
    """The directory to import from, and the name: packages are what has an ``__init__.py``."""
    folder, parts = file.parent, [file.stem] if file.stem != "__init__" else []
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


# Describing


def described(file: str) -> list[dict[str, Any]]:
    """What a file declares: names, claims, and the parameters of the functions."""
    module = load(file)
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    claims = [claim for claim in CLAIMS if claim.module == module.__name__]
    for claim in claims:
        name = name_in(vars(module), claim.function, decorated=True)
        function = attrgetter(name)(module)
        _require_same(claim, name, function, claims)
        entry = {"attribute": name, "operation": claim.operation, "backend": claim.backend, "parameters": parameters(function)}
        found[name, claim.operation, claim.backend] = entry
    return list(found.values())


def _require_same(claim: Claim, name: str, function: Function, claims: Iterable[Claim]) -> None:
    """Raises ``Nameless`` if what stands under a claim's name is a later function, not what decorators made of the claim's own."""
    own, there = definition(claim.function), definition(function)
    if own and there and own.name == there.name and own != there:
        other = next((f" for {c.operation} on {c.backend}" for c in claims if definition(c.function) == there), "")
        first = f"{name} for {claim.operation} on {claim.backend} (line {own.line})"
        raise Nameless(f"{first} is replaced by {name}{other} (line {there.line}): rename one")


class Definition(NamedTuple):
    """A ``def``: its name with those around it, where it is."""

    name: str
    file: str
    line: int


def definition(function: Function) -> Definition | None:
    """What a function comes from, beneath decorators that tell; None if it is not known."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return Definition(code.co_qualname, code.co_filename, code.co_firstlineno) if isinstance(code, CodeType) else None


def name_in(names: Mapping[str, Any], function: Function, decorated: bool = False) -> str:
    """The name that a function has at a module's top level; with ``decorated``, also that of what was made of it.

    Raises:
        Nameless: it has none.
    """
    own = getattr(function, "__qualname__", None) or getattr(function, "__name__", None) or "this function"
    try:
        there = attrgetter(own)(SimpleNamespace(**names))
    except AttributeError:
        there = None
    if there is function:
        return str(own)
    if found := next((name for name, thing in names.items() if thing is function), None):
        return found
    if decorated and callable(there):
        return str(own)
    raise Nameless(f"{own} does not stand at the top level of its file, where a framework's process could import it")


def parameters(function: Function) -> list[tuple[str, str, bool]] | None:
    """(name, kind, has a default) of each; None if they cannot be known."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [(p.name, p.kind.name, p.default is not inspect.Parameter.empty) for p in found]


def reason(file: str, error: BaseException) -> str:
    """What a file raises, and in which of its lines."""
    own = [f.lineno for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).name == Path(file).name]
    where = f" (line {own[-1]})" if own else ""
    return f"{type(error).__name__}: {error}"[:1500] + where


def main() -> int:
    """Describes a file, as JSON on standard output; what the file prints goes to standard error."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as sink:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        answer: dict[str, Any]
        try:
            answer = {"declared": described(sys.argv[1])}
        except Nameless as error:
            answer = {"error": str(error)}
        except BaseException as error:  # noqa: BLE001 - whatever a user's file does is told to the user
            answer = {"error": f"raises {reason(sys.argv[1], error)}"}
        json.dump(answer, sink)
    return 0


# Calling, in a framework's process


def implementations(backend: str) -> list[Implementation]:
    """The functions that are handed over for a backend. One whose file fails here raises that error whenever it is called."""
    found = [d for d in read_back(os.environ.get(VARIABLE, "[]")) if d.backend == backend]
    return [Implementation(d.operation, d.backend, d.name, _adapter(d), d.accepts, file=d.file) for d in found]


def _adapter(declared: Declared) -> Function:
    """The function as the suite calls it: with the keywords that it takes, and no other result than what is wanted let through."""
    function: Function
    try:
        function = attrgetter(declared.attribute)(load(declared.file, declared.path))
    except BaseException as error:  # noqa: BLE001 - an import that fails is the result of every check
        function = _failing(f"{declared.file} raises, in the process of {declared.backend}, {reason(declared.file, error)}")

    def adapter(*tensors: Any, **keywords: Any) -> Any:
        result = function(*tensors, **{k: v for k, v in keywords.items() if k in declared.accepts})
        wanted = list(tensors[0].shape)
        if declared.shape == "scalar":
            del wanted[keywords.get("axis", -1)]
        _require(declared.name, result, tuple(wanted), _dtype(tensors[0]))
        return result

    return adapter


def _failing(text: str) -> Function:
    def raises(*_: Any, **__: Any) -> Any:
        raise ImportError(text)

    return raises


def _require(name: str, result: Any, shape: tuple[int, ...], dtype: str) -> None:
    """Raises ``TypeError`` if a result is no tensor of that shape and dtype; sizes that a graph does not know are let through."""
    wanted = f"{dtype} of shape {shape} is wanted"
    if not hasattr(result, "shape") or not hasattr(result, "dtype"):
        raise TypeError(f"{name} returned {_article(type(result).__name__)}; {wanted}")
    got = _shape(result)
    fits = got is None or (len(got) == len(shape) and all(g in (None, s) for g, s in zip(got, shape, strict=True)))
    if not fits or _dtype(result) != dtype:
        raise TypeError(f"{name} returned {_dtype(result)} of shape {'(unknown)' if got is None else got}; {wanted}")


def _article(noun: str) -> str:
    return noun if noun == "NoneType" else f"a {noun}"


def _dtype(tensor: Any) -> str:
    return str(getattr(tensor.dtype, "name", tensor.dtype))


def _shape(tensor: Any) -> tuple[Any, ...] | None:
    """The sizes; None where not even their number is known."""
    try:
        return tuple(tensor.shape)
    except ValueError:
        return None


if __name__ == "__main__":
    sys.exit(main())
