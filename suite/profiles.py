"""What a record keeps of its results beside the worst one: the error along the numbers of the format, and the results at special inputs.

Both are small, so that a report can show them for every implementation:

* ``profile``, of a sweep: for each of at most :data:`BUCKETS` pieces, equally large, of all inputs in the order of their bit patterns
  ``[piece, distance, input, got, nearest]`` of the result furthest from the correctly rounded one, ``nearest``; pieces in which every
  result is that are left out. The distance counts steps from one number to the next. An input of two numbers is a list of them.
* ``sampled``, of the checks of bounds on functions of single numbers: by output (``value``, ``d logits``, ``h x``)
  ``{"axis": argument, "arguments": [names], "histogram": [how many are 0, 1, 2, more steps off], "profile": […]}``. Pieces are those of
  ``axis``, the input is a list in the order of ``arguments``, and of all pieces at most :data:`SAMPLED` are kept, neighbours put together.
  Of a function of one number also ``frontier``, the premature zero nearest to 0 among the samples on the positive and on the negative
  side, and ``true zero``, the input nearest to 0 whose correctly rounded result is 0; ``null`` where there is none.
* ``special``, of the checks that name such inputs: ``[{"input": {argument: …}, "output", "got", "wanted", "verdict"}, …]``, ``verdict``
  being ``right``, ``wrong``, ``known`` (wrong where a limitation says so) or ``unjudged``. A row goes on with its last entry; one that
  is longer than :data:`SHOWN` ends in ``…``.

Floats are hexadecimal strings, of NaN and infinities their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.batch import PLAIN, Batch
from suite.checks import Check
from suite.checks.base import Verdict
from suite.floats import Floats, Format, hexadecimal, to_ordinal, to_patterns
from suite.model import Operation

BUCKETS = 1024
"""Pieces of all inputs of a format that an error is given for."""

SAMPLED = 160
"""Most pieces kept of a check's samples."""

SHOWN = 8
"""Most entries kept of a row."""

LARGE = 3
"""Distances from here on are counted together."""

Judged = tuple[Batch, Verdict, NDArray[np.bool_]]
"""What a check was given, what it said, and what of that counts once known failures are taken out."""


def literal(value: float) -> str:
    """A float as a hexadecimal literal without the zeros at its end."""
    return re.sub(r"\.?0*p", "p", hexadecimal(value))


def worst_of(pieces: NDArray[np.int64], distance: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Places of the largest distance in each piece that has any but 0, in the order of the pieces; among equals the first."""
    order = np.lexsort((~distance, pieces))  # ~ turns the order round without a sign, too
    first = np.flatnonzero(np.diff(pieces[order], prepend=-1))
    return np.asarray(order[first][distance[order[first]] > 0])


# The error along the format


def sampled(operation: Operation, fmt: Format, found: Sequence[Judged]) -> dict[str, Any]:
    """The errors of what a check has judged against a bound, by output; empty for an operation on rows."""
    if operation.has_rows:
        return {}
    plain = [(batch, verdict) for batch, verdict, _ in found if verdict.nearest is not None and batch.form == PLAIN]
    outputs = dict.fromkeys(verdict.output for _, verdict in plain)
    made = {name: _profile(operation, fmt, [(b, v) for b, v in plain if v.output == name]) for name in outputs}
    return {name: profile for name, profile in made.items() if profile}


def _profile(operation: Operation, fmt: Format, found: Sequence[tuple[Batch, Verdict]]) -> dict[str, Any]:
    names = [a.name for a in operation.arguments]
    axis = operation.slices[0].moving[0] if operation.slices else 0
    inputs = np.stack([np.concatenate([batch.flat()[name] for batch, _ in found]) for name in names], axis=1)
    got, nearest = (np.concatenate([np.asarray(getattr(v, name)) for _, v in found]) for name in ("got", "nearest"))
    # Blocks are filled up with repetitions: every input counts once.
    once = np.unique(to_patterns(fmt, inputs), axis=0, return_index=True)[1]
    once = once[np.isfinite(inputs[once]).all(axis=1) & np.isfinite(nearest[once])]
    if not len(once):
        return {}
    inputs, got, nearest = inputs[once], got[once], nearest[once]
    there = np.isfinite(got)
    distance = _between(to_ordinal(fmt, np.where(there, got, 0.0)), to_ordinal(fmt, nearest))
    distance[~there] = 0
    counts = np.bincount(np.minimum(distance[there], LARGE).astype(np.int64), minlength=LARGE + 1)
    counts[LARGE] += np.count_nonzero(~there)
    pieces = (to_patterns(fmt, inputs[:, axis]) >> (fmt.bits - BUCKETS.bit_length() + 1)).astype(np.int64)
    kept = _thinned(pieces, distance)
    rows = [[int(pieces[i]), _steps(distance[i]), [*map(literal, inputs[i])], literal(got[i]), literal(nearest[i])] for i in kept]
    made = {"axis": names[axis], "arguments": names, "histogram": counts.tolist(), "profile": rows}
    return made | (_frontiers(fmt, inputs[:, 0], got, nearest) if len(names) == 1 else {})


def _between(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.uint64]:
    """How far apart ordinals are. Of float64 numbers of opposite signs that may be more than int64 holds."""
    return np.maximum(one, other).view(np.uint64) - np.minimum(one, other).view(np.uint64)


def _frontiers(fmt: Format, x: Floats, got: Floats, nearest: Floats) -> dict[str, list[str | None]]:
    """Where zeros come too soon, and where they should, if they come too soon anywhere."""
    premature, right = (got == 0) & (np.abs(nearest) >= fmt.tiny), (nearest == 0) & (x != 0)
    if not premature.any():
        return {}
    return {"frontier": _nearest_to_zero(x[premature]), "true zero": _nearest_to_zero(x[right])}


def _nearest_to_zero(x: Floats) -> list[str | None]:
    """Of the positive and of the negative ones."""
    sides = (x[x > 0], -x[x < 0])
    return [literal(sign * float(side.min())) if len(side) else None for sign, side in zip((1.0, -1.0), sides, strict=True)]


def _thinned(pieces: NDArray[np.int64], distance: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Places of the worst of each piece, of so large pieces that they are not too many."""
    size = 1
    while len(kept := worst_of(pieces // size, distance)) > SAMPLED:
        size *= 2
    return kept


def _steps(distance: np.uint64) -> int | float:
    """A whole number if JSON's readers keep it: in float64 a number may be further from another."""
    return int(distance) if distance < 1 << 53 else float(distance)


# Results at special inputs


def special(operation: Operation, check: Check, found: Iterable[Judged]) -> list[dict[str, Any]]:
    """What came out at the inputs that the check names, each once for each output."""
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    for batch, verdict, counted in found:
        for entry in _entries(operation, check, batch, verdict, counted):
            kept.setdefault((entry["output"], repr(entry["input"])), entry)
    return list(kept.values())


def _entries(operation: Operation, check: Check, batch: Batch, verdict: Verdict, counted: NDArray[np.bool_]) -> Iterator[dict[str, Any]]:
    arrays = (verdict.inputs or batch).flat()
    names = [n for n in (*(a.name for a in operation.arguments), "where") if n in arrays]
    wanted = verdict.expected if verdict.nearest is None else verdict.nearest
    for place in check.special(operation, batch):
        violated, judged = verdict.violated[place], verdict.judged[place]
        wrong = np.any(violated & counted[place])
        said = "wrong" if wrong else "known" if np.any(violated) else "right" if np.any(judged) else "unjudged"
        inputs = {name: _readable(arrays[name][place]) for name in names}
        got, right = _readable(verdict.got[place]), _readable(wanted[place])
        yield {"input": inputs, "output": verdict.output, "got": got, "wanted": right, "verdict": said}


def _readable(value: Any) -> Any:
    """A number, or a row without the repetitions of its last entry."""
    array = np.asarray(value)
    if array.ndim == 0:
        return literal(float(array)) if array.dtype.kind == "f" else array.item()
    same = np.array([_same(entry, array[-1]) for entry in array])
    length = len(array) - int(np.argmin(same[::-1])) + 1 if not same.all() else 1
    entries = [_readable(entry) for entry in array[: min(length, SHOWN)]]
    return [*entries, "…"] if length > SHOWN else entries


def _same(one: Any, other: Any) -> bool:
    """Bit for bit, but that every NaN is the same."""
    if one.dtype.kind != "f":
        return bool(one == other)
    return bool((one == other and np.signbit(one) == np.signbit(other)) or (np.isnan(one) and np.isnan(other)))
