"""A worker that does extra work inside the timed function when it is told to: what the gate for time has to notice."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from suite import wire
from suite.worker import Arrays, Worker, main

LARGEST = 1 << 20
"""Numbers that the extra work goes through at most."""


class SlowedWorker(Worker):
    """``extra`` in a request to loop is how many numbers are multiplied in each call, behind the function's own work."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self.numbers = np.ones(LARGEST)

    def loop(self, header: dict[str, Any], arrays: Arrays) -> wire.Message:
        """As of any worker, slower."""
        if not header.get("extra"):
            return super().loop(header, arrays)
        once, numbers = self._prepared(header), self.numbers[: header["extra"]]
        start = time.perf_counter()
        for _ in range(header["count"]):
            once()
            np.multiply(numbers, 1.0, out=numbers)
        return {"seconds": time.perf_counter() - start}, {}

    def spin(self, header: dict[str, Any], arrays: Arrays) -> wire.Message:  # noqa: ARG002 - a request's answer has this form
        """Seconds of the extra work alone."""
        numbers = self.numbers[: header["extra"]]
        start = time.perf_counter()
        for _ in range(header["count"]):
            np.multiply(numbers, 1.0, out=numbers)
        return {"seconds": time.perf_counter() - start}, {}


if __name__ == "__main__":
    sys.exit(main(SlowedWorker))
