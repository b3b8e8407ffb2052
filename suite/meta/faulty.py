"""Functions that take their process with them, each in its own way: what ``--implementations`` is given, and experiments."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from suite import implements
from suite.watch import INTERVAL

Experiment = Callable[[Any, Any], dict[str, Any]]


@implements("sigmoid", backend="numpy")
def right(x: Any) -> Any:
    """As it should be."""
    with np.errstate(all="ignore"):
        return (1 / (1 + np.exp(-x.astype(np.float64)))).astype(x.dtype)


@implements("sigmoid", backend="numpy")
def hangs(x: Any) -> Any:
    """For longer than anybody waits."""
    time.sleep(10_000)
    return x


@implements("sigmoid", backend="numpy")
def aborts(_x: Any) -> Any:
    """As a failed assertion in compiled code does."""
    os.abort()


@implements("sigmoid", backend="numpy")
def reads_nowhere(x: Any) -> Any:
    """Where no memory is."""
    ctypes.string_at(0)
    return x


@implements("sigmoid", backend="numpy")
def eats(x: Any) -> Any:
    """Memory that it writes to, without end."""
    kept = []
    while True:
        kept.append(np.ones(1 << 22))
    return x


_hoard: list[Any] = []


def hoards(x: Any) -> Any:
    """A little, and never gives it back; it can be seen to."""
    _hoard.append(np.ones(1 << 24))
    time.sleep(4 * INTERVAL)
    return x


def exits(_x: Any) -> Any:
    """Without a word."""
    os._exit(3)


def experiment(function: Callable[[Any], Any]) -> Experiment:
    """The function where an experiment is wanted."""
    return lambda _lab, _arrays: {"x": function(np.zeros(2, np.float32))}


hang, abort, crash, eat, hoard, leave = (experiment(f) for f in (hangs, aborts, reads_nowhere, eats, hoards, exits))
