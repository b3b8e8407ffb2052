"""Known failures: read from ``fixtures/limitations.toml``, matched with cases, turned into regions and witnesses."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from suite import machine
from suite.backends import backends
from suite.batch import FORMS, PLAIN, Batch, Form
from suite.floats import FORMATS, Floats, Format, round_to
from suite.model import Case, Limitation, Operation

Arrays = Mapping[str, NDArray[Any]]

_LISTS = ("check", "implementation", "backend", "mode", "dtype", "form", "cpu")
_TABLES = ("region", "witness", "releases")
_NO_CLASS = "no_loss_for_no_class"
"""The check of labels that name no class, whose witnesses have such labels."""

FEATURES = ("distance", "dominance", "depth", "spread", "largest", "smallest", "label margin")
"""Features beside the arguments: the ``distance`` of two numbers; of a row the ``dominance`` of an entry over the largest other one, its
``depth`` below the maximum, the row's ``spread``, its ``largest`` and ``smallest`` entry, and by how much the labelled class exceeds the
largest other (``label margin``)."""


class LimitationsError(Exception):
    """The file of limitations cannot be used; the text names the file, the entry and what is allowed."""


def load(path: Path, checks: Iterable[str], known: Mapping[str, Operation]) -> tuple[Limitation, ...]:
    """Reads and validates the file: every name has to be known, every pattern has to match something, ids are unique."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LimitationsError(f"{path}: {error}") from error
    if unknown := set(content) - {"limitation"}:
        raise LimitationsError(f"{path}: unknown {', '.join(sorted(unknown))}; allowed is limitation")
    entries = content.get("limitation", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise LimitationsError(f"{path}: limitation has to be a list of tables, each under [[limitation]]")
    found = [_parse(path, entry, list(checks), known) for entry in entries]
    ids = [entry.id for entry in found]
    if twice := {i for i in ids if ids.count(i) > 1}:
        raise LimitationsError(f"{path}: id used twice: {', '.join(sorted(twice))}")
    return tuple(found)


def _parse(path: Path, entry: Mapping[str, Any], checks: list[str], known: Mapping[str, Operation]) -> Limitation:
    name = entry.get("id", "(without id)")
    try:
        _check_fields(entry)
        if entry["operation"] not in known:
            raise ValueError(f"unknown operation {entry['operation']}; known are {', '.join(known)}")
        operation = known[entry["operation"]]
        lists = {k: tuple([entry[k]] if isinstance(entry[k], str) else entry[k]) for k in _LISTS if k in entry}
        _check_names(lists, checks, operation)
        _check_environment(lists.get("cpu", ()), entry.get("releases", {}), lists.get("backend", ("*",)))
        region = _read_region(entry.get("region", {}), operation)
        nowhere = {c for c in checks if _any(c, lists["check"])} == {_NO_CLASS}
        _check_witness(entry["witness"], operation, _form_of_witness(lists.get("form", ("*",)), entry["witness"], operation), nowhere)
    except ValueError as error:
        raise LimitationsError(f"{path}: {name}: {error}") from error
    return Limitation(**{**entry, **lists, "region": region})


# What is wrong with an entry: each function raises ``ValueError``, which says it.


def _check_fields(entry: Mapping[str, Any]) -> None:
    """Which fields there are, and that each holds what it is made for."""
    allowed = {f.name for f in fields(Limitation)}
    if unknown := set(entry) - allowed:
        raise ValueError(f"unknown field {', '.join(sorted(unknown))}; allowed are {', '.join(sorted(allowed))}")
    if missing := {"id", "operation", "check", "reason", "witness"} - set(entry):
        raise ValueError(f"missing {', '.join(sorted(missing))}")
    for name, value in entry.items():
        if name in _LISTS:
            names = value if isinstance(value, list) else [value]
            if not names or not all(isinstance(n, str) for n in names):
                raise ValueError(f"{name} has to be a name or a list of names, not {value!r}")
        elif name in _TABLES:
            if not isinstance(value, dict):
                raise ValueError(f"{name} has to be a table, not {value!r}")
        elif name == "ceiling":
            if not isinstance(value, float) or not value > 1.0:
                raise ValueError(f"ceiling has to be a number above 1 such as 4.0, not {value!r}")
        elif not isinstance(value, str) or not value:
            raise ValueError(f"{name} has to be a text, not {value!r}")


def _check_names(lists: Mapping[str, tuple[str, ...]], checks: list[str], operation: Operation) -> None:
    """Every word matches something, by itself and beside the entry's other words: what never applies would pass for an entry."""
    for pattern in lists["check"]:
        if not _any_in(checks, (pattern,)):
            raise ValueError(f"no check matches {pattern}; known are {', '.join(checks)}")
    found = _names(operation)
    for form in lists.get("form", ()):
        if form not in (names := [f.name for f in FORMS if any(f.name in one["form"] for one in found)]):
            raise ValueError(f"unknown form {form}; known are {', '.join(names)}")
    for others, so in (({}, "; known are"), (lists, " beside the entry's other fields; there are")):
        for field in _FOUND:
            left = [one for one in found if all(_any_in(one[k], others.get(k, ("*",))) for k in _FOUND if k != field)]
            names = list(dict.fromkeys(n for one in left for n in one[field]))
            # Without names the other fields contradict each other, so that one of those is wrong.
            if names and (wrong := [p for p in lists.get(field, ()) if not _any_in(names, (p,))]):
                raise ValueError(f"no {field} matches {wrong[0]}{so} {', '.join(names)}")


_FOUND = ("implementation", "backend", "mode", "dtype", "form")


def _names(operation: Operation) -> list[dict[str, Sequence[str]]]:
    """For each implementation of an operation, by field, the names that patterns can match."""
    rows = operation.has_rows
    return [
        {
            "implementation": [i.name],
            "backend": [backend.name],
            "mode": backend.modes,
            "dtype": [d for d in backend.dtypes if d in i.dtypes],
            "form": [f.name for f in FORMS if set(f.needs) <= set(i.accepts) and (rows or f.view != "transposed")],
        }
        for backend in backends().values()
        for i in backend.implementations
        if i.operation == operation.name
    ]


def _check_environment(cpu: Iterable[str], releases: Mapping[str, Any], backend: tuple[str, ...]) -> None:
    """CPUs may have such extensions; the backends' processes tell of such releases."""
    for extension in cpu:
        if not extension.removeprefix("!").startswith(machine.EXTENSIONS):
            raise ValueError(f"no CPU has {extension}; names begin with {', '.join(machine.EXTENSIONS)}")
    known = list(dict.fromkeys(d for b in backends().values() if _any(b.name, backend) for d in b.distributions))
    for distribution, specifier in releases.items():
        if distribution not in known:
            raise ValueError(f"no backend of the entry tells the release of {distribution}; known are {', '.join(known)}")
        try:
            SpecifierSet(specifier if isinstance(specifier, str) else "no text")
        except InvalidSpecifier:
            raise ValueError(f'the releases of {distribution} have to be a text such as ">=1.2,<2", not {specifier!r}') from None


def _read_region(given: Mapping[str, Any], operation: Operation) -> dict[str, tuple[float | str, float | str]]:
    """The region, once its features and their intervals make sense."""
    features = (*(a.name for a in operation.arguments), *_features(operation))
    for feature, interval in given.items():
        if feature not in features and feature not in [f"|{f}|" for f in features]:
            raise ValueError(f"unknown feature {feature}; known are {', '.join(features)}")
        if not isinstance(interval, list) or len(interval) != 2:
            raise ValueError(f"the region of {feature} has to be [low, high]")
        for bound in interval:
            _check_number(bound)
        low, high = (resolve(bound, FORMATS["float32"]) for bound in interval)
        if not (low <= high or (np.isnan(low) and np.isnan(high))):
            raise ValueError(f"the region of {feature} is empty")
    return {feature: (low, high) for feature, (low, high) in given.items()}


def _check_number(number: Any) -> None:
    try:
        if isinstance(number, bool) or not isinstance(number, (int, float, str)):
            raise ValueError
        resolve(number, FORMATS["float32"])
    except (ValueError, OverflowError):
        raise ValueError(f"{number!r} is no number, and no multiple of tiny, max, u or saturation") from None


def _check_witness(given: Mapping[str, Any], operation: Operation, form: Form, nowhere: bool) -> None:
    """It gives what the form of call takes, rows of one length; a label is a class of its row unless it may be ``nowhere``."""
    needed = [*(a.name for a in operation.arguments), *form.extra]
    beside = ["cotangent"] if operation.shape == "row" and operation.gradient is not None else []
    if not set(needed) <= set(given) <= {*needed, *beside}:
        others = [*beside, *(f.name for f in FORMS if form == PLAIN and f.name in operation.optional)]
        hint = f"; it may give {', '.join(others)}" if others else ""
        raise ValueError(f"the witness has to give {', '.join(needed)}{hint}")
    single = [a.name for a in operation.arguments if not a.rows]
    shapes = {name: _shape(name, data) for name, data in given.items()}
    for name, shape in shapes.items():
        if len(shape) - (name not in single) not in (0, 1):
            raise ValueError(f"{name} of the witness has to be a {'number' if name in single else 'row'}, or a list of several")
    lengths = {name: shape[-1] for name, shape in shapes.items() if name not in single}
    counts = {name: shape[0] for name, shape in shapes.items() if len(shape) > (name not in single)}
    for what, numbers in (("rows", lengths), ("lists of examples", counts)):
        if len(set(numbers.values())) > 1:
            differing = ", ".join(f"{n} in {name}" for name, n in numbers.items())
            raise ValueError(f"the witness's {what} have to be of one length, not {differing}")
    for name, data in given.items():
        _check_leaves(name, _leaves(data), _role(operation, name), max(lengths.values(), default=0), nowhere)


def _shape(name: str, data: Any) -> tuple[int, ...]:
    """How long the nested lists are."""
    if not isinstance(data, list):
        return ()
    shapes = {_shape(name, part) for part in data}
    if len(shapes) != 1:
        raise ValueError(f"{name} of the witness {'has rows that differ in length' if shapes else 'is empty'}")
    return (len(data), *shapes.pop())


def _check_leaves(name: str, leaves: list[Any], role: str, classes: int, nowhere: bool) -> None:
    """A witness's numbers by the argument's role."""
    for leaf in leaves:
        if role == "mask":
            if not isinstance(leaf, bool):
                raise ValueError(f"{name} of the witness has to hold true and false, not {leaf!r}")
            continue
        _check_number(leaf)
        low, high = (-1, classes) if nowhere else (0, classes - 1)
        if role == "index" and not (isinstance(leaf, int) and low <= leaf <= high):
            raise ValueError(f"{name} of the witness has to hold classes from {low} to {high}, not {leaf!r}")


def _role(operation: Operation, name: str) -> str:
    return "mask" if name == "where" else next((a.role for a in operation.arguments if a.name == name), "real")


def _features(operation: Operation) -> tuple[str, ...]:
    """The features that an operation's inputs have beside its arguments."""
    if operation.has_rows:
        return FEATURES[1:] if any(a.name == "labels" for a in operation.arguments) else FEATURES[1:-1]
    return FEATURES[:1] if len(operation.arguments) > 1 else ()


def everywhere(entries: Iterable[Limitation]) -> list[Limitation]:
    """The entries without what ties them to releases and CPUs."""
    return [replace(entry, releases={}, cpu=()) for entry in entries]


def matching(entries: Iterable[Limitation], case: Case, check: str, facts: Mapping[str, str]) -> list[Limitation]:
    """The entries that speak of a case and a check, on the releases and the CPU that ``facts`` tell of."""
    extensions = facts.get("vector extensions", "").split()
    return [
        e
        for e in entries
        if e.operation == case.operation
        and _any(case.implementation, e.implementation)
        and _any(case.backend, e.backend)
        and _any(case.mode, e.mode)
        and _any(case.dtype, e.dtype)
        and _any(check, e.check)
        and all(_released(facts.get(name, ""), specifier) for name, specifier in e.releases.items())
        and all((name.removeprefix("!") in extensions) != name.startswith("!") for name in e.cpu)
    ]


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, p) or name == p for p in patterns)


def _any_in(names: Iterable[str], patterns: tuple[str, ...]) -> bool:
    return any(_any(name, patterns) for name in names)


def _released(version: str, specifier: str) -> bool:
    try:
        return SpecifierSet(specifier).contains(Version(version.split(" ", maxsplit=1)[0]), prereleases=True)
    except InvalidVersion:
        return False


_NUMBER = re.compile(r"(?:([-+0-9.e]+)\*|(-))?(tiny|max|u|saturation)$")


def resolve(number: Any, fmt: Format) -> float:
    """A number, or a multiple of one of the format's: ``tiny``, ``-saturation``, ``0.5*max``."""
    if not isinstance(number, str):
        return float(number)
    if found := _NUMBER.match(number):
        unit = {"tiny": fmt.tiny, "max": fmt.max, "u": fmt.u, "saturation": -float(np.log(fmt.u))}[found[3]]
        return (-1.0 if found[2] else float(found[1] or 1.0)) * unit
    return float(number)


def _leaves(data: Any) -> list[Any]:
    return [leaf for part in data for leaf in _leaves(part)] if isinstance(data, list) else [data]


def _resolved(data: Any, fmt: Format) -> Any:
    return [_resolved(part, fmt) for part in data] if isinstance(data, list) else data if isinstance(data, bool) else resolve(data, fmt)


def region(entry: Limitation, operation: Operation, fmt: Format, batch: Batch, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which elements of an output of that shape lie in the entry's region; an entry without one covers everything.

    A feature between bars, ``|x|``, is its absolute value. ``[nan, nan]`` is where a feature is NaN. A row with one result lies inside
    as soon as one of its entries has all features that belong to entries.
    """
    inside = np.ones(shape, dtype=bool)
    entries = np.ones((*shape, 1), dtype=bool)
    for feature, bounds in entry.region.items():
        values = _feature(feature.strip("|"), operation, batch.flat())
        values = np.abs(values) if feature.startswith("|") else values
        low, high = (resolve(bound, fmt) for bound in bounds)
        within = np.isnan(values) if np.isnan(low) else (values >= low) & (values <= high)
        if within.ndim > len(shape):
            entries = entries & within
        else:
            inside &= within[:, None] if within.ndim < len(shape) else within
    return np.asarray(inside & entries.any(axis=-1))


def covered(entry: Limitation, operation: Operation, fmt: Format, batch: Batch, score: Floats) -> NDArray[np.bool_]:
    """Which elements the entry takes out of a verdict: those in its region whose score stays up to its ceiling."""
    if not _any(batch.form.name, entry.form):
        return np.zeros(score.shape, dtype=bool)
    return np.asarray(region(entry, operation, fmt, batch, score.shape) & (score <= entry.ceiling))


def _feature(name: str, operation: Operation, arrays: Arrays) -> Floats:
    if name in arrays:
        return np.asarray(arrays[name], dtype=np.float64)
    x = np.asarray(arrays[operation.arguments[0].name], dtype=np.float64)
    with np.errstate(invalid="ignore"):
        if name == "distance":
            return np.asarray(np.abs(x - arrays[operation.arguments[1].name]))
        if name == "largest":
            return np.asarray(x.max(axis=-1))
        if name == "smallest":
            return np.asarray(x.min(axis=-1))
        if name == "spread":
            return np.asarray(x.max(axis=-1) - x.min(axis=-1))
        if name == "depth":
            return np.asarray(x.max(axis=-1, keepdims=True) - x)
        margin = x - _largest_other(x)
    if name == "dominance":
        return margin
    labels = arrays["labels"]
    index = labels if labels.ndim < x.ndim else labels.argmax(axis=-1)
    return np.asarray(np.take_along_axis(margin, index.astype(np.int64)[:, None], axis=-1)[:, 0])


def _largest_other(x: Floats) -> Floats:
    """For each entry the largest of the others; −inf in a row of one."""
    if x.shape[-1] == 1:
        return np.full(x.shape, -np.inf)
    ordered = np.sort(x, axis=-1)
    top, second = ordered[..., -1:], ordered[..., -2:-1]
    return np.asarray(np.where((x == top), np.where(second == top, top, second), top))


def witness(entry: Limitation, operation: Operation, dtype: str, block: tuple[int, ...]) -> Batch:
    """The witness repeated to a full block, so that vector kernels see it as they see a batch; several examples in turns."""
    fmt = FORMATS[dtype]
    arrays: dict[str, NDArray[Any]] = {}
    rows = block[0]
    single = {a.name for a in operation.arguments if not a.rows}
    for name, given in entry.witness.items():
        value = np.asarray(_resolved(given, fmt))
        value = value if value.dtype == bool else value.astype(np.int64 if _is_index(operation, name) else np.float64)
        if value.dtype == np.float64:
            value = round_to(fmt, value)
        several = value.ndim > (1 if name not in single else 0)
        arrays[name] = value[np.arange(rows) % len(value)][None] if several else np.broadcast_to(value, (1, rows, *value.shape)).copy()
    if operation.shape == "row" and operation.gradient is not None and "cotangent" not in arrays:
        first = arrays[operation.arguments[0].name]
        top = first.argmax(axis=-1)
        arrays["cotangent"] = (np.arange(first.shape[-1]) == top[..., None]).astype(np.float64)
    return Batch("witness", arrays, _form_of_witness(entry.form, arrays, operation))


def _form_of_witness(names: tuple[str, ...], given: Iterable[str], operation: Operation) -> Form:
    """The first that the entry names, else the one that what is given beside the arguments belongs to."""
    if names == ("*",):
        return next((f for f in FORMS if f.name in given and f.name in operation.optional), PLAIN)
    return next((f for f in FORMS if f.name == names[0]), PLAIN)


def _is_index(operation: Operation, name: str) -> bool:
    return _role(operation, name) == "index"
