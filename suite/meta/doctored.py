"""A worker that does something wrong with ``exp`` when a variable says what: a release that went bad."""

from __future__ import annotations

import os
import sys
from typing import Any

from suite import wire
from suite.model import Implementation
from suite.worker import Arrays, Worker, main

WAY = os.environ.get("LOGITBENCH_DOCTORED", "")


class DoctoredWorker(Worker):
    """Doubles, raises or dies at ``exp``; or says that it is missing, or that subnormal numbers are flushed."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        for key, found in self.implementations.items():
            if found.operation == "exp":
                self.implementations[key] = _doctored(found)

    def describe(self, header: dict[str, Any], arrays: Arrays) -> wire.Message:
        """As of any worker, but for what is doctored."""
        answer, nothing = super().describe(header, arrays)
        if WAY == "missing":
            answer["missing"] |= {f"{o} {name}": "doctored" for o, name in self.implementations if o == "exp"}
        if WAY == "flushes":
            answer["facts"] |= {"flushes eager float32": "results"}
        return answer, nothing


def _doctored(found: Implementation) -> Implementation:
    def function(*tensors: Any, **keywords: Any) -> Any:
        if WAY == "dies":
            os._exit(3)
        if WAY == "raises":
            raise ValueError("doctored")
        result = found.function(*tensors, **keywords)
        return result + result if WAY == "wrong" else result

    return Implementation(found.operation, found.backend, found.name, function, found.accepts, found.dtypes)


if __name__ == "__main__":
    sys.exit(main(DoctoredWorker))
