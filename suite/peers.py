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


def sound(peer: Subject) -> Subject:
    """The peer with NaN for every value that is not within its own bound, so that nothing is judged by it."""
    fmt = peer.rounding.fmt

    def evaluate(batch: Batch, *what: Any) -> Mapping[str, Floats]:
        results = peer.evaluate(batch, *what)
        value = np.array(results["value"])
        got = value.reshape(-1, *value.shape[2:])
        kept = _numbers(batch, fmt)
        within = np.zeros(got.shape, dtype=bool)
        if kept.any():
            some = Batch(batch.label, {n: a[kept][None] for n, a in batch.flat().items()}, batch.form)
            exact = peer.exact_values(some)
            with np.errstate(all="ignore"):
                within[kept] = share_of_bound(fmt, got[kept], exact, peer.value_limit(some, exact.high)) <= 1.0
        return {**results, "value": np.where(within, got, np.nan).reshape(value.shape)}

    return replace(peer, evaluate=evaluate)


def _numbers(batch: Batch, fmt: Format) -> NDArray[np.bool_]:
    """The examples that are finite numbers of the format: no other is judged."""
    flat = batch.flat()
    kept = np.ones(len(next(iter(flat.values()))), dtype=bool)
    for array in flat.values():
        if array.dtype.kind == "f":
            with np.errstate(all="ignore"):
                kept &= (np.isfinite(array) & is_representable(fmt, array)).reshape(len(kept), -1).all(axis=-1)
    return kept
