"""The other side of an identity, where the one under test is a user's: a framework's own mistakes are not the user's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.batch import Batch
from suite.checks.accuracy import share_of_bound
from suite.checks.base import Subject
from suite.floats import Floats, Format, is_representable
from suite.model import Operation


def sound(peer: Subject) -> Subject:
    """The peer with NaN for every value and every gradient that is not within its own bound, so that nothing is judged by it."""
    fmt = peer.rounding.fmt

    def evaluate(batch: Batch, *what: Any) -> Mapping[str, Floats]:
        results = peer.evaluate(batch, *what)
        kept = _inside(peer.operation, batch, fmt)
        some = Batch(batch.label, {n: a[kept][None] for n, a in batch.flat().items()}, batch.form)
        return {name: _within(peer, some, kept, name, np.asarray(result)) for name, result in results.items()}

    return replace(peer, evaluate=evaluate)


def _within(peer: Subject, some: Batch, kept: NDArray[np.bool_], name: str, result: Floats) -> Floats:
    """One output with NaN where it is outside its bound; ``some`` are the examples that are judged, those ``kept``."""
    got = result.reshape(-1, *result.shape[2:])
    within = np.zeros(got.shape, dtype=bool)
    if kept.any():
        argument = name.removeprefix("d ")
        exact = peer.exact_values(some) if name == "value" else peer.exact_gradients(some)[argument]
        limit = peer.value_limit(some, exact.high) if name == "value" else peer.gradient_limits(some)[argument]
        with np.errstate(all="ignore"):
            within[kept] = share_of_bound(peer.rounding.fmt, got[kept], exact, limit) <= 1.0
    return np.where(within, got, np.nan).reshape(result.shape)


def _inside(operation: Operation, batch: Batch, fmt: Format) -> NDArray[np.bool_]:
    """The examples that are finite numbers of the format, probabilities between 0 and 1: no other is judged."""
    flat = batch.flat()
    kept = np.ones(len(next(iter(flat.values()))), dtype=bool)
    probabilities = {a.name for a in operation.arguments if a.role == "probability"}
    for name, array in flat.items():
        if array.dtype.kind == "f":
            with np.errstate(all="ignore"):
                fine = np.isfinite(array) & is_representable(fmt, array)
                fine &= ((array > 0.0) & (array < 1.0)) | (name not in probabilities)
            kept &= fine.reshape(len(kept), -1).all(axis=-1)
    return kept
