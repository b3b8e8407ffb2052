"""Known failures: read from ``fixtures/limitations.toml``, matched with cases, turned into regions and witnesses."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from suite import machine
from suite.batch import FORMS, PLAIN, Batch
from suite.floats import FORMATS, Floats, Format, round_to
from suite.model import Case, Limitation, Operation

Arrays = Mapping[str, NDArray[Any]]

_LISTS = ("check", "implementation", "backend", "mode", "dtype", "form", "cpu")
FEATURES = ("distance", "dominance", "depth", "spread", "largest", "smallest", "label margin")
"""Features beside the arguments: the ``distance`` of two numbers; of a row the ``dominance`` of an entry over the largest other one, its
``depth`` below the maximum, the row's ``spread``, its ``largest`` and ``smallest`` entry, and by how much the labelled class exceeds the
largest other (``label margin``)."""


class LimitationsError(Exception):
    """The file of limitations cannot be used; the text names the file, the entry and what is allowed."""


def load(path: Path, checks: Iterable[str], known: Mapping[str, Operation]) -> tuple[Limitation, ...]:
    """Reads and validates the file: every name has to be known, every pattern has to match something, ids are unique."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("limitation", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LimitationsError(f"{path}: {error}") from error
    found = [_parse(path, entry, list(checks), known) for entry in entries]
    ids = [entry.id for entry in found]
    if twice := {i for i in ids if ids.count(i) > 1}:
        raise LimitationsError(f"{path}: id used twice: {', '.join(sorted(twice))}")
    return tuple(found)


def _parse(path: Path, entry: Mapping[str, Any], checks: list[str], known: Mapping[str, Operation]) -> Limitation:
    name = entry.get("id", "(without id)")
    allowed = {f.name for f in fields(Limitation)}
    if unknown := set(entry) - allowed:
        raise LimitationsError(f"{path}: {name}: unknown field {', '.join(sorted(unknown))}; allowed are {', '.join(sorted(allowed))}")
    if missing := {"id", "operation", "check", "reason", "witness"} - set(entry):
        raise LimitationsError(f"{path}: {name}: missing {', '.join(sorted(missing))}")
    if entry["operation"] not in known:
        raise LimitationsError(f"{path}: {name}: unknown operation {entry['operation']}; known are {', '.join(known)}")
    lists = {k: tuple([entry[k]] if isinstance(entry[k], str) else entry[k]) for k in _LISTS if k in entry}
    for pattern in lists["check"]:
        if not any(fnmatchcase(c, pattern) for c in checks):
            raise LimitationsError(f"{path}: {name}: no check matches {pattern}; known are {', '.join(checks)}")
    for form in lists.get("form", ()):
        if form not in (names := [f.name for f in FORMS]):
            raise LimitationsError(f"{path}: {name}: unknown form {form}; known are {', '.join(names)}")
    for extension in lists.get("cpu", ()):
        if not extension.removeprefix("!").startswith(machine.EXTENSIONS):
            raise LimitationsError(f"{path}: {name}: no CPU has {extension}; names begin with {', '.join(machine.EXTENSIONS)}")
    try:
        region = _read_region(entry, known[entry["operation"]])
        for specifier in entry.get("releases", {}).values():
            SpecifierSet(specifier)
    except ValueError as error:
        raise LimitationsError(f"{path}: {name}: {error}") from error
    return Limitation(**{**entry, **lists, "region": region})


def _read_region(entry: Mapping[str, Any], operation: Operation) -> dict[str, tuple[float | str, float | str]]:
    """The region, once its features and all numbers of the entry make sense; ``ValueError`` says what does not."""
    names = [a.name for a in operation.arguments]
    features = (*names, *_features(operation))
    for feature, interval in entry.get("region", {}).items():
        if feature.strip("|") not in features:
            raise ValueError(f"unknown feature {feature}; known are {', '.join(features)}")
        if not isinstance(interval, list) or len(interval) != 2:
            raise ValueError(f"the region of {feature} has to be [low, high]")
    if not isinstance(entry.get("ceiling", 1.0), float):
        raise ValueError("ceiling has to be a number such as 4.0")
    if not set(names) <= set(entry["witness"]) <= {*names, "where", "b", "cotangent"}:
        raise ValueError(f"the witness has to give {', '.join(names)}")
    for number in _leaves(list(entry["witness"].values())):
        resolve(number, FORMATS["float32"])
    region = {k: (v[0], v[1]) for k, v in entry.get("region", {}).items()}
    for feature, bounds in region.items():
        low, high = (resolve(bound, FORMATS["float32"]) for bound in bounds)
        if not (low <= high or (np.isnan(low) and np.isnan(high))):
            raise ValueError(f"the region of {feature} is empty")
    return region


def _features(operation: Operation) -> tuple[str, ...]:
    """The features that an operation's inputs have beside its arguments."""
    if any(a.rows for a in operation.arguments):
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

    A feature between bars, ``|x|``, is its absolute value. ``[nan, nan]`` is where a feature is NaN.
    """
    inside = np.ones(shape, dtype=bool)
    for feature, bounds in entry.region.items():
        values = _feature(feature.strip("|"), operation, batch.flat())
        values = np.abs(values) if feature.startswith("|") else values
        low, high = (resolve(bound, fmt) for bound in bounds)
        within = np.isnan(values) if np.isnan(low) else (values >= low) & (values <= high)
        if within.ndim < len(shape):
            within = within[:, None]
        elif within.ndim > len(shape):
            within = np.asarray(within.any(axis=-1))
        inside &= within
    return inside


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
    form = next((f for f in FORMS if f.name == entry.form[0]), PLAIN)
    if entry.form == ("*",):
        form = next((f for f in FORMS if f.name in arrays and f.name in operation.optional), PLAIN)
    return Batch("witness", arrays, form)


def _is_index(operation: Operation, name: str) -> bool:
    return any(a.name == name and a.role == "index" for a in operation.arguments)
