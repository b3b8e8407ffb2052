"""A worker that does extra work inside the timed function when it is told to: what the gate for time has to notice."""

from __future__ import annotations

import sys
import time
from typing import Any

from suite import wire
from suite.worker import Arrays, Worker, main


class SlowedWorker(Worker):
    """``extra`` in a request to loop is how many turns of an empty loop each call takes behind the function's own work.

    The interpreter's turns need no memory of their own, and take nearly the same time whatever ran before them.
    """

    def loop(self, header: dict[str, Any], arrays: Arrays) -> wire.Message:
        """As of any worker, slower."""
        if not header.get("extra"):
            return super().loop(header, arrays)
        once, turns = self._prepared(header), range(header["extra"])
        start = time.perf_counter()
        for _ in range(header["count"]):
            once()
            for _ in turns:
                pass
        return {"seconds": time.perf_counter() - start}, {}


if __name__ == "__main__":
    sys.exit(main(SlowedWorker))
