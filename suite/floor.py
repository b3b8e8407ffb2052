"""The memory floor of a call: the least bytes that it has to move, and how fast this machine copies as many."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite import machine
from suite.floats import FORMATS
from suite.lab import EXACT_KINDS
from suite.model import Operation
from suite.processes import Request

_SMALLEST = 1 << 16
"""Bytes: copies of fewer take no longer than NumPy's call itself."""
_ROUND = 1 << 23
"""Bytes that a round moves at least, so that it takes a time that can be measured."""
_ROUNDS = 15


def least_bytes(operation: Operation, request: Request) -> int:
    """Every input read once and every result written once, in the dtypes that the worker gives them."""
    header, arrays = request.header, request.arrays
    width = FORMATS[header["dtype"]].bits // 8

    def size(array: NDArray[Any]) -> int:
        exact = EXACT_KINDS.get(array.dtype.kind)
        return array.size * (np.dtype(exact).itemsize if exact else width)

    first = arrays[header["arrays"][0]]
    results = [first.shape[1] if operation.shape == "scalar" else first.size]
    results += [arrays[header["arrays"][place]].size for place in header["wrt"]]
    return sum(map(size, arrays.values())) + width * sum(results)


def copy_bandwidth(footprint: int) -> float:
    """Bytes read and written a second by a copy that touches about ``footprint`` bytes, which lie in the caches that hold as many.

    On one core or on all of them, whichever is faster. It is measured once for each power of two, with NumPy's call included.
    """
    return _measured(max(_SMALLEST, 1 << round(float(np.log2(footprint)))))


@cache
def _measured(footprint: int) -> float:
    source, target = (np.ones(footprint // 2, np.uint8) for _ in range(2))
    repeats = max(1, _ROUND // footprint)
    threads = len(machine.cores())
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))

    def copy(part: tuple[NDArray[Any], NDArray[Any]]) -> None:
        for _ in range(repeats):
            np.copyto(*part)

    with ThreadPoolExecutor(threads) as pool:
        seconds = min(_median(lambda: copy((target, source))), _median(lambda: list(pool.map(copy, parts))))
    return repeats * footprint / seconds


def _median(work: Callable[[], Any]) -> float:
    """Seconds; the first call warms and is not counted."""
    work()
    taken = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)
